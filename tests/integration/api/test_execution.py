"""Running actions at each door, by the real engine: what they do, what goes wrong, what is told."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from actions.v1 import execution_pb2 as run
from server.execution.contract import TRIGGERS
from tests.accounts import Accounts
from tests.api_rows import Refused, Row, assert_refused
from tests.doors import DOORS, Caller
from tests.prepared import action, removed_action, set_trigger
from tests.processes import is_running
from tests.real_server import RealServer
from zitadel import management_pb2 as pb

# What was there before an action, by the claims that it finds.
NOTES = "function {0}(ctx, api) {{ api.v1.claims.setClaim('{0}', Object.keys(ctx.v1.claims)) }}"
THROWS = "function {0}(ctx, api) {{\n  throw new Error('no')\n}}"
LOOPS = "function {0}() {{ for (;;) {{}} }}"

refused = Refused()


async def noting(caller: Caller, name: str) -> str:
    return await action(caller, name, script=NOTES.format(name))


def run_request(flow: str = "2", trigger: str = "4", **context: object) -> run.RunTriggerRequest:
    request = run.RunTriggerRequest(flow_type=flow, trigger_type=trigger)
    json_format.ParseDict(context, request.context)
    return request


def a_test(script: str, **more: object) -> run.TestActionRequest:
    request = run.TestActionRequest(flow_type="2", trigger_type="4")
    request.script.name, request.script.script = "f", script
    json_format.ParseDict(more, request)
    return request


async def done(caller: Caller, door: str, request: Message) -> object:
    answer = await caller.ask(door, request)
    assert answer.code == 0, answer
    return answer.response


async def claims(caller: Caller, door: str) -> dict[str, Any]:
    """What a run sets; also that its actions are told in the order of the claims that they saw."""
    answer = await caller.ask(door, run_request())
    assert answer.code == 0, answer
    set_ = answer.response.effects.claims
    found: dict[str, Any] = {key: json_format.MessageToDict(value) for key, value in set_.items()}
    names = [result.name for result in answer.response.actions]
    assert {name: names[: names.index(name)] for name in names} == found
    return found


@pytest.mark.parametrize("door", DOORS)
async def test_a_deactivated_action_is_skipped_and_a_reactivated_one_runs_again_in_its_place(
    door: str, caller: Caller
) -> None:
    ids = [await noting(caller, name) for name in ("first", "second", "third")]
    set_ = pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4", action_ids=ids)
    await done(caller, door, set_)
    everyone = {"first": [], "second": ["first"], "third": ["first", "second"]}
    assert await claims(caller, door) == everyone
    await done(caller, door, pb.DeactivateActionRequest(id=ids[1]))
    assert await claims(caller, door) == {"first": [], "third": ["first"]}
    await done(caller, door, pb.ReactivateActionRequest(id=ids[1]))
    assert await claims(caller, door) == everyone


@pytest.mark.parametrize("door", DOORS)
async def test_a_trigger_without_actions_does_nothing_and_is_not_logged(
    door: str, caller: Caller
) -> None:
    answer = await caller.ask(door, run_request())
    assert (answer.response.run_id, len(answer.response.actions)) == ("", 0)
    assert not (await caller.get(run.ListRunsRequest())).runs


EFFECTS = [
    pytest.param(
        ("2", "4"),
        "api.v1.claims.setClaim('c', {a: [1.5, null, true]}); api.v1.user.setMetadata('k', {b: 1})",
        {
            "claims": {"c": {"a": [1.5, None, True]}},
            "metadata": [{"key": "k", "value": "eyJiIjoxfQ=="}],
        },
        id="claims and metadata",
    ),
    pytest.param(
        ("1", "2"),
        "api.setFirstName('Ada'); api.setEmail('a@b'); api.setEmailVerified(true);"
        "api.setGender(1);"
        "api.setUsername(''); api.metadata.push({key: 'k', value: [0, 255]})",
        {
            "user": {
                "firstName": "Ada",
                "email": "a@b",
                "isEmailVerified": True,
                "gender": "GENDER_FEMALE",
                "username": "",
            },
            "metadata": [{"key": "k", "value": "AP8="}],
        },
        id="fields of the user, octets",
    ),
    pytest.param(
        ("3", "3"),
        "api.v1.appendUserGrant({projectId: 'p', projectGrantId: 'g', roles: ['r', 's']})",
        {"userGrants": [{"projectId": "p", "projectGrantId": "g", "roles": ["r", "s"]}]},
        id="grants",
    ),
    pytest.param(
        ("4", "6"),
        "api.v1.attributes.setCustomAttribute('n', 'f', 'v', 'w')",
        {"samlAttributes": [{"name": "n", "nameFormat": "f", "values": ["v", "w"]}]},
        id="attributes",
    ),
]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("trigger", "body", "expected"), EFFECTS)
async def test_what_actions_ask_for_is_told_by_kind(
    door: str, trigger: tuple[str, str], body: str, expected: object, caller: Caller
) -> None:
    flow, number = trigger
    id = await action(caller, "f", script=f"function f(ctx, api) {{ {body} }}")
    await set_trigger(caller, id, flow=flow, trigger=number)
    answer = await caller.ask(door, run_request(flow, number))
    assert answer.code == 0, answer
    assert json_format.MessageToDict(answer.response.effects) == expected


@pytest.mark.parametrize("door", DOORS)
async def test_the_context_reaches_the_script(door: str, caller: Caller) -> None:
    id = await action(
        caller,
        "f",
        script="function f(ctx, api) { const u = ctx.v1.getUser(); api.v1.claims.setClaim('c',"
        " [u.username, u.sequence, ctx.v1.claims.n]) }",
    )
    await set_trigger(caller, id)
    request = run_request(user={"username": "ada", "sequence": 7}, claims={"n": 0.5})
    answer = await caller.ask(door, request)
    found: Any = json_format.MessageToDict(answer.response.effects.claims["c"])
    assert found == ["ada", 7, 0.5]


# --- what is refused


@refused("RUN-Fm4xk no flow 5", 3, "FlowType missing")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run_request("5", "9")


@refused("RUN-Fm4xk no such name, in an example", 3, "FlowType missing")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.GetExampleContextRequest(flow_type="FLOW_TYPE_CUSTOMISE_TOKEN", trigger_type="4")


@refused("RUN-Fm4xk no flow 5, in a list", 3, "FlowType missing")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.ListRunsRequest(flow_type="5")


@refused("RUN-Tt9wq trigger of another flow", 3, "TriggerType is invalid")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run_request("2", "1")


@refused("RUN-Tt9wq in a test", 3, "TriggerType is invalid")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.TestActionRequest(id="1", flow_type="2", trigger_type="6")


@refused("RUN-Tt9wq no trigger 7, in a list", 3, "TriggerType is invalid")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.ListRunsRequest(trigger_type="7")


@refused(
    "RUN-Cx5bd wrong kind",
    3,
    "Context is invalid: context.user.loginNames[1]: expected a string, got true",
)
async def _(caller: Caller, stranger: Caller) -> Message:
    return run_request(user={"loginNames": ["a", True]})


@refused("RUN-Cx5bd in a test", 3, "Context is invalid: context.claims: expected an object, got 1")
async def _(caller: Caller, stranger: Caller) -> Message:
    return a_test("s", context={"claims": 1})


@refused("RUN-Na6yh absent", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.TestActionRequest(id="404", flow_type="2", trigger_type="4")


@refused("RUN-Na6yh removed", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    id = await removed_action(caller)
    return run.TestActionRequest(id=id, flow_type="2", trigger_type="4")


@refused("RUN-Na6yh of another organisation", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.TestActionRequest(id=await action(stranger), flow_type="2", trigger_type="4")


@refused("RUN-Lx7ce too many", 3, "Limit exceeded")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.ListRunsRequest(limit=1001)


@refused("RUN-Pt3gh no token", 3, "Page token is invalid")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.ListRunsRequest(page_token="AAAA")


@refused("RUN-Pt3gh position 0", 3, "Page token is invalid")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.ListRunsRequest(page_token="AAAAAAAAAAA=")


@refused(
    "RUN-Uc8wf claim without end",
    9,
    "A claim is nested deeper than 30 levels, or holds a number that is no double",
)
async def _(caller: Caller, stranger: Caller) -> Message:
    return a_test(
        "function f(ctx, api) { let c = []; for (let i = 0; i < 30; i++) c = [c];"
        " api.v1.claims.setClaim('c', c) }"
    )


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("row", refused.rows)
async def test_what_cannot_be_run_is_refused(
    door: str, row: Row, caller: Caller, stranger: Caller
) -> None:
    await assert_refused(caller, stranger, door, row)


@pytest.mark.parametrize("door", DOORS)
async def test_old_names_of_flow_and_trigger_are_taken(door: str, caller: Caller) -> None:
    request = run_request("FLOW_TYPE_EXTERNAL_AUTHENTICATION", "TRIGGER_TYPE_PRE_CREATION")
    assert (await caller.ask(door, request)).code == 0


@pytest.mark.parametrize("door", DOORS)
async def test_a_test_names_what_it_tests(door: str, caller: Caller) -> None:
    answer = await caller.ask(door, run.TestActionRequest(flow_type="2", trigger_type="4"))
    assert answer.refusal == (3, "invalid TestActionRequest.Action: value is required", ())


@pytest.mark.parametrize("door", DOORS)
async def test_a_claim_of_thirty_levels_is_told(door: str, caller: Caller) -> None:
    request = a_test(
        "function f(ctx, api) { let c = {}; for (let i = 1; i < 30; i++) c = {c};"
        " api.v1.claims.setClaim('c', c) }"
    )
    answer = await caller.ask(door, request)
    assert answer.code == 0, answer
    depth, value = 0, answer.response.effects.claims["c"]
    while value is not None:
        depth, value = depth + 1, value.struct_value.fields.get("c")
    assert depth == 30


# --- runs that fail


@pytest.mark.parametrize("door", DOORS)
async def test_an_action_that_may_not_fail_ends_the_run(door: str, caller: Caller) -> None:
    ids = [
        await noting(caller, "before"),
        await action(caller, "may", script=THROWS.format("may"), allowed_to_fail=True),
        await action(caller, "boom", script=THROWS.format("boom")),
        await noting(caller, "after"),
    ]
    await set_trigger(caller, *ids)
    answer = await caller.ask(door, run_request())
    text = "Action boom failed: Error: no at boom (<eval>:2:13)"
    assert answer.refusal == (9, f"{text} (RUN-Af1ld)", (("RUN-Af1ld", text),))
    assert answer.run is not None
    assert [(ran.name, ran.state) for ran in answer.run.actions] == [
        ("before", run.ACTION_STATE_SUCCEEDED),
        ("may", run.ACTION_STATE_FAILED),
        ("boom", run.ACTION_STATE_FAILED),
    ]
    assert (answer.run.actions[2].failure.line, answer.run.actions[2].failure.column) == (2, 13)
    (logged,) = (await caller.get(run.ListRunsRequest())).runs
    assert (logged.id, logged.state) == (answer.run.run_id, run.RUN_STATE_FAILED)
    assert [result.action_id for result in logged.actions] == ids
    assert logged.actions[3].state == run.ACTION_STATE_SKIPPED


@pytest.mark.parametrize("door", DOORS)
async def test_a_failure_that_says_a_lot_fits_a_status(door: str, caller: Caller) -> None:
    ids = []
    for name in ("one", "two"):
        body = "for (let i = 0; i < 300; i++) require('zitadel/log').info('é'.repeat(1000))"
        ids.append(await action(caller, name, script=f"function {name}() {{ {body} }}"))
    body = "throw new Error('€'.repeat(100000))"
    ids.append(await action(caller, "boom", script=f"function boom() {{ {body} }}"))
    await set_trigger(caller, *ids)
    answer = await caller.ask(door, run_request())
    assert (answer.code, answer.details[0][0]) == (9, "RUN-Af1ld")
    assert answer.message.startswith("Action boom failed: Error: €€")
    assert answer.run is not None
    assert answer.run.is_shortened
    assert answer.run.actions[-1].name == "boom"
    (logged,) = (await caller.get(run.ListRunsRequest())).runs
    assert logged.is_shortened
    assert [result.name for result in logged.actions] == ["one", "two", "boom"]


@pytest.mark.parametrize("door", DOORS)
async def test_an_action_that_does_not_end_is_ended_at_its_timeout(
    door: str, caller: Caller
) -> None:
    timeout = {"nanos": 100_000_000}
    id = await action(caller, "spin", script=LOOPS.format("spin"), timeout=timeout)
    await set_trigger(caller, id)
    answer = await caller.ask(door, run_request())
    text = "Action spin failed: interrupt: the action was not done within 0.1 s"
    assert answer.refusal == (9, f"{text} (RUN-Af1ld)", (("RUN-Af1ld", text),))
    (counted,) = (await caller.get(run.ListActionMetricsRequest())).actions
    assert (counted.action_id, counted.name, counted.runs) == (id, "spin", 1)
    assert (counted.failures, counted.timeouts, counted.kills) == (1, 1, 1)


@pytest.mark.parametrize("door", DOORS)
async def test_a_run_whose_caller_has_a_deadline_is_ended_with_it(
    door: str, caller: Caller, server: RealServer
) -> None:
    await set_trigger(caller, await action(caller, "spin", script=LOOPS.format("spin")))
    answer = await caller.ask(door, run_request(), deadline_s=0.3)
    assert answer.code == 4
    runs = await runs_of(caller, 1)
    assert [(of.state, of.actions[0].state) for of in runs] == [
        (run.RUN_STATE_ABANDONED, run.ACTION_STATE_ABANDONED)
    ]
    await spinning(server, is_expected=False)


@pytest.mark.parametrize("door", DOORS)
async def test_a_run_whose_caller_leaves_is_ended(
    door: str, caller: Caller, server: RealServer
) -> None:
    await set_trigger(caller, await action(caller, "spin", script=LOOPS.format("spin")))
    await spinning(server, is_expected=False)
    asking = asyncio.ensure_future(caller.ask(door, run_request()))
    await spinning(server, is_expected=True)
    asking.cancel()
    await asyncio.wait([asking])
    (logged,) = await runs_of(caller, 1)
    assert logged.state == run.RUN_STATE_ABANDONED
    await spinning(server, is_expected=False)


async def runs_of(caller: Caller, count: int) -> list[run.Run]:
    """The log, once it has so many."""
    async with asyncio.timeout(10):
        while len(runs := (await caller.get(run.ListRunsRequest())).runs) < count:
            await asyncio.sleep(0.01)
    return list(runs)


async def spinning(server: RealServer, *, is_expected: bool) -> None:
    """Wait until one of the processes for scripts works, or none does."""
    async with asyncio.timeout(10):
        while any(map(is_running, server.process.children())) is not is_expected:
            await asyncio.sleep(0.01)


# --- tests and checks


@pytest.mark.parametrize("door", DOORS)
async def test_a_test_keeps_nothing(door: str, caller: Caller) -> None:
    id = await noting(caller, "stored")
    await caller.get(pb.DeactivateActionRequest(id=id))
    stored = run.TestActionRequest(id=id, flow_type="2", trigger_type="4")
    answer = await caller.ask(door, stored)
    assert answer.code == 0, answer
    assert answer.response.action.state == run.ACTION_STATE_SUCCEEDED
    assert list(answer.response.effects.claims) == ["stored"]
    assert not (await caller.get(run.ListRunsRequest())).runs
    assert not (await caller.get(run.ListActionMetricsRequest())).actions


TESTS = [
    pytest.param(
        "function f(ctx, api) {\n  api.v1.claims.setClaim('a', 1)\n  throw new Error('no')\n}",
        ("Error: no at f (<eval>:3:13)", 3, 13),
        {"a": 1},
        id="throws, and what came before",
    ),
    pytest.param("function f() {\n  return }}", None, {}, id="does not parse"),
    pytest.param("function g() {}", ("function not found", 0, 0), {}, id="no function"),
    pytest.param("function f() {}", ("", 0, 0), {}, id="does nothing"),
]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("script", "failure", "claims"), TESTS)
async def test_what_a_tested_script_does_is_the_answer(
    door: str,
    script: str,
    failure: tuple[str, int, int] | None,
    claims: dict[str, object],
    caller: Caller,
) -> None:
    answer = await caller.ask(door, a_test(script))
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


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("name", "script", "expected"), CHECKS)
async def test_a_script_is_checked(
    door: str, name: str, script: str, expected: tuple[bool, bool, str], caller: Caller
) -> None:
    answer = await caller.ask(door, run.CheckScriptRequest(name=name, script=script))
    assert answer.code == 0, answer
    parses, has_function, text = expected
    assert (answer.response.parses, answer.response.has_function) == (parses, has_function)
    assert answer.response.HasField("failure") == bool(text)
    assert answer.response.failure.text.startswith(text)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("flow", "trigger"), [(str(f), str(t)) for f, t in TRIGGERS])
async def test_the_example_of_a_trigger_is_a_context_of_it(
    door: str, flow: str, trigger: str, caller: Caller
) -> None:
    asked = run.GetExampleContextRequest(flow_type=flow, trigger_type=trigger)
    answer = await caller.ask(door, asked)
    assert answer.code == 0, answer
    request = run.TestActionRequest(
        flow_type=flow, trigger_type=trigger, context=answer.response.context
    )
    request.script.name, request.script.script = "f", "function f(ctx) { JSON.stringify(ctx) }"
    tested = await caller.get(request)
    assert tested.action.state == run.ACTION_STATE_SUCCEEDED, tested


# --- the log of runs


@pytest.mark.parametrize("door", DOORS)
async def test_runs_are_listed_newest_first_page_by_page(door: str, caller: Caller) -> None:
    id = await noting(caller, "f")
    await set_trigger(caller, id)
    ids = [(await caller.get(run_request())).run_id for _ in range(5)]
    for request in (run.ListRunsRequest(limit=2), run.ListRunsRequest(limit=2, action_id=id)):
        pages = []
        while True:
            answer = await caller.ask(door, request)
            pages.append([logged.id for logged in answer.response.runs])
            request.page_token = answer.response.next_page_token
            if not request.page_token:
                break
        assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


@pytest.mark.parametrize("door", DOORS)
async def test_a_logged_run_says_who_ran_what(door: str, caller: Caller, stranger: Caller) -> None:
    script = "function f(ctx, api) { require('zitadel/log').warn('said %d', 5) }"
    id = await action(caller, "f", script=script)
    await set_trigger(caller, id, flow="3", trigger="1")
    answer = await caller.ask(door, run_request("3", "1"))
    (logged,) = (await caller.ask(door, run.ListRunsRequest())).response.runs
    assert (logged.id, logged.state) == (answer.response.run_id, run.RUN_STATE_SUCCEEDED)
    assert (logged.flow_type, logged.trigger_type) == ("3", "1")
    assert logged.actions == answer.response.actions
    assert [(line.level, line.text) for line in logged.actions[0].logs] == [
        (run.LOG_LEVEL_WARN, "said 5")
    ]
    me = await caller.get(pb.GetActionRequest(id=id))
    assert logged.user_id.isdigit()
    assert logged.started_at.ToNanoseconds() > me.action.details.creation_date.ToNanoseconds()
    assert not (await stranger.ask(door, run.ListRunsRequest())).response.runs
    assert not (await stranger.ask(door, run.ListRunsRequest(action_id=id))).response.runs


@pytest.mark.parametrize("door", DOORS)
async def test_runs_are_found_by_what_they_were(door: str, caller: Caller) -> None:
    good = await noting(caller, "good")
    bad = await action(caller, "bad", script=THROWS.format("bad"), allowed_to_fail=True)
    await set_trigger(caller, good, flow="2", trigger="5")
    await set_trigger(caller, good, bad)
    first = (await caller.get(run_request("2", "5"))).run_id
    second = (await caller.get(run_request("2", "4"))).run_id
    for request, expected in (
        (run.ListRunsRequest(action_id=bad), [second]),
        (run.ListRunsRequest(action_id="404"), []),
        (run.ListRunsRequest(flow_type="2", trigger_type="5"), [first]),
        (run.ListRunsRequest(trigger_type="4"), [second]),
        (run.ListRunsRequest(flow_type="2"), [second, first]),
        (run.ListRunsRequest(flow_type="1"), []),
        (run.ListRunsRequest(only_failed=True), [second]),
        (run.ListRunsRequest(only_failed=True, action_id=good), []),
    ):
        answer = await caller.ask(door, request)
        assert [logged.id for logged in answer.response.runs] == expected, request


async def test_runs_of_an_action_have_a_path_of_their_own(caller: Caller) -> None:
    id = await noting(caller, "f")
    await set_trigger(caller, id)
    run_id = (await caller.get(run_request())).run_id
    url = f"http://{caller.doors.http}/v1/actions/{id}/runs?limit=1"
    headers = {"authorization": f"Bearer {caller.token}", "x-zitadel-orgid": caller.org_id}
    async with caller.doors.session.get(url, headers=headers) as got:
        assert [logged["id"] for logged in (await got.json())["runs"]] == [run_id]


# --- who may


@pytest.mark.parametrize("door", DOORS)
async def test_a_runner_runs_and_does_nothing_else(
    door: str, caller: Caller, accounts: Accounts
) -> None:
    await set_trigger(caller, await noting(caller, "f"))
    user = await accounts.user(caller.org_id, "ORG_ACTION_RUNNER")
    runner = replace(caller, token=(await accounts.token(user))[1])
    assert (await runner.ask(door, run_request())).code == 0
    (logged,) = (await caller.get(run.ListRunsRequest())).runs
    assert logged.user_id == user
    for request in (run.ListRunsRequest(), a_test("s"), pb.ListActionsRequest()):
        assert (await runner.ask(door, request)).code == 7
