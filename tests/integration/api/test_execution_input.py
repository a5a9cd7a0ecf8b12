"""Hostile and invalid input to ExecutionService, over each protocol, gets one clear refusal."""

import json
from itertools import islice
from typing import Any

import pytest
from google.protobuf import json_format

from actions.v1 import execution_pb2 as run
from server.triggers import ALL_TRIGGERS, Trigger
from tests.support.api_client import GRPC, WEB, Caller
from tests.support.contexts_by_kind import READS_ALL, variants
from tests.support.runs import a_test, run_request
from tests.support.tables import by_outcome

EVERY = 97
"""One in so many contexts of a trigger is tried: there are some thousands."""


@pytest.mark.parametrize("trigger", ALL_TRIGGERS)
async def test_a_context_is_read_or_its_path_is_named(
    protocol: str, trigger: Trigger, caller: Caller
) -> None:
    flow, number = map(str, trigger)
    for path, context in islice(variants(trigger), 0, None, EVERY):
        if not isinstance(context, dict):
            continue  # no Struct
        test = run.TestActionRequest(flow_type=flow, trigger_type=number)
        test.script.name, test.script.script = "f", READS_ALL
        json_format.ParseDict(context, test.context)
        tested = await caller.ask(protocol, test)
        if tested.code == 0:
            assert not tested.response.action.HasField("failure"), path
            continue
        ran = await caller.ask(protocol, run_request(flow, number, **context))
        assert (tested.code, ran.refusal) == (3, tested.refusal), path
        assert tested.message.startswith(f"Context is invalid: {path}"), path


@pytest.mark.parametrize("protocol", [GRPC, WEB])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e308])
async def test_a_number_that_json_has_not_is_no_integer(
    protocol: str, number: float, caller: Caller
) -> None:
    request = run_request()
    user = request.context.fields["user"].struct_value
    user.fields["sequence"].number_value = number
    answer = await caller.ask(protocol, request)
    assert answer.code == 3
    assert answer.message == (
        "Context is invalid: context.user.sequence: expected an integer from 0 to"
        f" 9223372036854775807, got {number!r} (RUN-Cx5bd)"
    )


@pytest.mark.parametrize("protocol", [GRPC, WEB])
async def test_a_value_without_a_kind_is_null(protocol: str, caller: Caller) -> None:
    request = a_test("function f(ctx, api) { api.v1.claims.setClaim('c', ctx.v1.claims.none) }")
    request.context.fields["claims"].struct_value.fields["none"].SetInParent()
    answer = await caller.ask(protocol, request)
    assert json_format.MessageToDict(answer.response.effects) == {"claims": {"c": None}}


SCRIPT = {"name": "f", "script": "function f() {}"}
NAME_LENGTH = "value length must be between 1 and 200 runes, inclusive"


@by_outcome(
    "asked, text",
    {
        **{
            f"script.timeout: expected a duration in seconds, got {said}": {
                f"timeout {said}": ("/v1/actions:test", {"script": {**SCRIPT, "timeout": timeout}})
            }
            for timeout, said in (
                ("x", "'x'"),
                ("", "''"),
                (5, "5"),
                ([], "an array"),
                ("1e3s", "'1e3s'"),
                ("1.0000000001s", "'1.0000000001s'"),
                ("\u0661s", "'\u0661s'"),
            )
        },
        "invalid TestActionRequest.Script: embedded message failed validation | caused by:"
        " invalid Script.Timeout: value must be inside range [0s, 20s]": {
            f"timeout of {timeout}": (
                "/v1/actions:test",
                {"script": {**SCRIPT, "timeout": timeout}},
            )
            for timeout in ("-1s", "20.000000001s", "315576000000s")
        },
        f"invalid CheckScriptRequest.Name: {NAME_LENGTH}": {
            f"name of {len(name)}": ("/v1/actions:check", {**SCRIPT, "name": name})
            for name in ("", "\U0001f600" * 201)
        },
        "invalid CheckScriptRequest.Script: value length must be at most 40000 bytes": {
            "long script": ("/v1/actions:check", {**SCRIPT, "script": "é" * 20_001})
        },
        "body: expected one of id, script, got 2": {
            "two actions": ("/v1/actions:test", {"id": "1", "script": SCRIPT})
        },
        "context: expected an object, got an array": {
            "array for a context": ("/v1/flows/2/triggers/4:run", {"context": []})
        },
        "context: nested too deeply": {
            "deep context": (
                "/v1/flows/2/triggers/4:run",
                {"context": {"claims": json.loads("[" * 200 + "]" * 200)}},
            )
        },
        "path segment '%FF': expected UTF-8": {"no UTF-8": ("/v1/flows/%FF/triggers/4:run", {})},
        "FlowType missing (RUN-Fm4xk)": {"another number": ("/v1/flows/02/triggers/4:run", {})},
    },
)
async def test_json_that_is_none_of_the_service_is_refused(
    asked: tuple[str, dict[str, Any]], text: str, caller: Caller
) -> None:
    path, body = asked
    trigger = {} if ":run" in path or ":check" in path else {"flowType": "2", "triggerType": "4"}
    answer = await caller.api.session.post(
        f"http://{caller.api.http}{path}",
        data=json.dumps({**trigger, **body}),
        headers={
            "authorization": f"Bearer {caller.token}",
            "x-zitadel-orgid": caller.org_id,
            "content-type": "application/json",
        },
    )
    told = await answer.json()
    assert (answer.status, told["code"], told["message"]) == (400, 3, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("a b", "function not found: expected ", id="space"),
        pytest.param("\0", "function not found: expected ", id="NUL"),
        pytest.param("f\n", "function not found: expected ", id="line break"),
        pytest.param("'];f('", "function not found: expected ", id="code"),
        pytest.param("undefined", "function not found: expected ", id="undefined"),
        pytest.param("\U0001f600" * 200, "function not found: expected ", id="long"),
        pytest.param("toString", "could not convert [object Undefined] to error", id="built in"),
    ],
)
async def test_a_name_is_a_name_and_no_code(
    protocol: str, name: str, text: str, caller: Caller
) -> None:
    request = a_test("function f() {}")
    request.script.name = name
    answer = await caller.ask(protocol, request)
    assert answer.code == 0
    assert answer.response.action.failure.text.startswith(text)
