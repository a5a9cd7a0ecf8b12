"""Tests and checks of scripts over each protocol, and the contexts to try them with."""

import pytest
from google.protobuf import json_format

from actions.v1 import execution_pb2 as run
from server.triggers import ALL_TRIGGERS
from tests.support.api_client import Caller
from tests.support.runs import a_test, noting
from tests.support.tables import cases
from zitadel import management_pb2 as pb


async def test_a_test_keeps_nothing(protocol: str, caller: Caller) -> None:
    id = await noting(caller, "stored")
    await caller.get(pb.DeactivateActionRequest(id=id))
    stored = run.TestActionRequest(id=id, flow_type="2", trigger_type="4")
    answer = await caller.ask(protocol, stored)
    assert answer.code == 0, answer
    assert answer.response.action.state == run.ACTION_STATE_SUCCEEDED
    assert list(answer.response.effects.claims) == ["stored"]
    assert not (await caller.get(run.ListRunsRequest())).runs
    assert not (await caller.get(run.ListActionMetricsRequest())).actions


@cases(
    "script, failure, claims",
    {
        "throws, and what came before": (
            "function f(ctx, api) {\n  api.v1.claims.setClaim('a', 1)\n  throw new Error('no')\n}",
            ("Error: no at f (<eval>:3:13)", 3, 13),
            {"a": 1},
        ),
        "does not parse": ("function f() {\n  return }}", None, {}),
        "no function": (
            "function g() {}",
            ('function not found: expected "f", the script has "g"', 0, 0),
            {},
        ),
        "does nothing": ("function f() {}", ("", 0, 0), {}),
    },
)
async def test_the_result_of_a_tested_script_is_the_answer(
    protocol: str,
    script: str,
    failure: tuple[str, int, int] | None,
    claims: dict[str, object],
    caller: Caller,
) -> None:
    answer = await caller.ask(protocol, a_test(script))
    assert answer.code == 0, answer
    told = answer.response.action.failure
    if failure is None:
        assert told.text.startswith("SyntaxError: ")
        assert (told.line, told.column > 0) == (2, True)
    else:
        assert (told.text, told.line, told.column) == failure
    found = answer.response.effects.claims
    assert {key: json_format.MessageToDict(value) for key, value in found.items()} == claims


CHECKS = [
    pytest.param("f", "const f = () => 1", (True, True, ""), id="good"),
    pytest.param("f", "function g() {}", (True, False, ""), id="no function"),
    pytest.param("my name", "function f() {}", (True, False, ""), id="a name that none can have"),
    pytest.param("f", "function f( {", (False, False, "SyntaxError: "), id="does not parse"),
    pytest.param("f", "throw new Error('no')", (True, False, "Error: no at "), id="throws"),
]


@pytest.mark.parametrize(("name", "script", "expected"), CHECKS)
async def test_a_script_is_checked(
    protocol: str, name: str, script: str, expected: tuple[bool, bool, str], caller: Caller
) -> None:
    answer = await caller.ask(protocol, run.CheckScriptRequest(name=name, script=script))
    assert answer.code == 0, answer
    parses, has_function, text = expected
    assert (answer.response.parses, answer.response.has_function) == (parses, has_function)
    assert answer.response.HasField("failure") == bool(text)
    assert answer.response.failure.text.startswith(text)


@pytest.mark.parametrize(("flow", "trigger"), [(str(f), str(t)) for f, t in ALL_TRIGGERS])
async def test_the_example_of_a_trigger_is_a_context_of_it(
    protocol: str, flow: str, trigger: str, caller: Caller
) -> None:
    asked = run.GetExampleContextRequest(flow_type=flow, trigger_type=trigger)
    answer = await caller.ask(protocol, asked)
    assert answer.code == 0, answer
    request = run.TestActionRequest(
        flow_type=flow, trigger_type=trigger, context=answer.response.context
    )
    request.script.name, request.script.script = "f", "function f(ctx) { JSON.stringify(ctx) }"
    tested = await caller.get(request)
    assert tested.action.state == run.ACTION_STATE_SUCCEEDED, tested
