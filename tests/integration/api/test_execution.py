"""Runs actions over each protocol, by the real engine: effects, failures, answers."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from actions.v1 import execution_pb2 as run
from tests.integration.conftest import ConnectWeb
from tests.support.api_client import PROTOCOLS, Caller
from tests.support.api_rows import Refused, Row, assert_refused, refusal
from tests.support.prepared import action, removed_action, set_trigger
from tests.support.processes import is_running
from tests.support.real_server import RealServer
from tests.support.runs import LOOPS, NOTES, THROWS, a_test, noting, run_request
from tests.support.tables import cases
from zitadel import management_pb2 as pb
from zitadel import message_pb2

refused = Refused()


async def done(caller: Caller, protocol: str, request: Message) -> object:
    answer = await caller.ask(protocol, request)
    assert answer.code == 0, answer
    return answer.response


async def claims(caller: Caller, protocol: str) -> dict[str, Any]:
    """Returns the claims that a run sets; checks that its actions are listed in their order."""
    answer = await caller.ask(protocol, run_request())
    assert answer.code == 0, answer
    set_ = answer.response.effects.claims
    found: dict[str, Any] = {key: json_format.MessageToDict(value) for key, value in set_.items()}
    names = [result.name for result in answer.response.actions]
    assert {name: names[: names.index(name)] for name in names} == found
    return found


async def test_a_deactivated_action_is_skipped_and_a_reactivated_one_runs_again_in_its_place(
    protocol: str, caller: Caller
) -> None:
    ids = [await noting(caller, name) for name in ("first", "second", "third")]
    set_ = pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4", action_ids=ids)
    await done(caller, protocol, set_)
    everyone = {"first": [], "second": ["first"], "third": ["first", "second"]}
    assert await claims(caller, protocol) == everyone
    await done(caller, protocol, pb.DeactivateActionRequest(id=ids[1]))
    assert await claims(caller, protocol) == {"first": [], "third": ["first"]}
    await done(caller, protocol, pb.ReactivateActionRequest(id=ids[1]))
    assert await claims(caller, protocol) == everyone


def _set_trigger(*ids: str) -> Message:
    return pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4", action_ids=ids)


CHANGES: list[Any] = [
    pytest.param(lambda a, b: pb.DeactivateActionRequest(id=a), {"b": []}, id="deactivated"),
    pytest.param(lambda a, b: pb.DeleteActionRequest(id=a), {"b": []}, id="deleted"),
    pytest.param(
        lambda a, b: pb.UpdateActionRequest(id=a, name="c", script=NOTES.format("c")),
        {"c": [], "b": ["c"]},
        id="updated",
    ),
    pytest.param(lambda a, b: _set_trigger(b, a), {"b": [], "a": ["b"]}, id="set in another order"),
    pytest.param(lambda a, b: _set_trigger(b), {"b": []}, id="set without one"),
    pytest.param(lambda a, b: pb.ClearFlowRequest(type="2"), {}, id="cleared"),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
async def test_the_run_after_a_change_sees_it_whatever_ran_before(
    protocol: str,
    change: Callable[[str, str], Message],
    expected: dict[str, list[str]],
    caller: Caller,
) -> None:
    a, b = [await noting(caller, name) for name in "ab"]
    await done(caller, protocol, _set_trigger(a, b))
    assert await claims(caller, protocol) == {"a": [], "b": ["a"]}
    await done(caller, protocol, change(a, b))
    assert [await claims(caller, one) for one in PROTOCOLS] == [expected] * len(PROTOCOLS)


async def test_runs_see_each_acknowledged_change_while_others_run(
    protocol: str, caller: Caller
) -> None:
    id = await noting(caller, "a")
    await set_trigger(caller, id)
    is_over = False

    async def run_on() -> None:
        while not is_over:
            assert (await caller.ask(protocol, run_request())).code == 0

    async with asyncio.TaskGroup() as others:
        for _ in range(3):
            others.create_task(run_on())
        for _ in range(25):
            await done(caller, protocol, pb.DeactivateActionRequest(id=id))
            assert await claims(caller, protocol) == {}
            await done(caller, protocol, pb.ReactivateActionRequest(id=id))
            assert await claims(caller, protocol) == {"a": []}
        is_over = True


async def test_a_trigger_without_actions_does_nothing_and_is_not_logged(
    protocol: str, caller: Caller
) -> None:
    answer = await caller.ask(protocol, run_request())
    assert (answer.response.run_id, len(answer.response.actions)) == ("", 0)
    assert not (await caller.get(run.ListRunsRequest())).runs


@cases(
    "trigger, body, expected",
    {
        "claims and metadata": (
            ("2", "4"),
            "api.v1.claims.setClaim('c', {a: [1.5, null, true]});"
            "api.v1.user.setMetadata('k', {b: 1})",
            {
                "claims": {"c": {"a": [1.5, None, True]}},
                "metadata": [{"key": "k", "value": "eyJiIjoxfQ=="}],
            },
        ),
        "fields of the user, octets": (
            ("1", "2"),
            "api.setFirstName('Ada'); api.setEmail('a@b'); api.setEmailVerified(true);"
            "api.setGender(1);"
            "api.setUsername(''); api.v1.user.appendMetadataRaw('k', [0, 255])",
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
        ),
        "grants": (
            ("3", "3"),
            "api.v1.appendUserGrant({projectId: 'p', projectGrantId: 'g', roles: ['r', 's']})",
            {"userGrants": [{"projectId": "p", "projectGrantId": "g", "roles": ["r", "s"]}]},
        ),
        "attributes": (
            ("4", "6"),
            "api.v1.attributes.setCustomAttribute('n', 'f', 'v', 'w')",
            {"samlAttributes": [{"name": "n", "nameFormat": "f", "values": ["v", "w"]}]},
        ),
    },
)
async def test_effects_of_actions_are_answered_by_kind(
    protocol: str, trigger: tuple[str, str], body: str, expected: object, caller: Caller
) -> None:
    flow, number = trigger
    id = await action(caller, "f", script=f"function f(ctx, api) {{ {body} }}")
    await set_trigger(caller, id, flow=flow, trigger=number)
    answer = await caller.ask(protocol, run_request(flow, number))
    assert answer.code == 0, answer
    assert json_format.MessageToDict(answer.response.effects) == expected


async def test_the_context_reaches_the_script(protocol: str, caller: Caller) -> None:
    id = await action(
        caller,
        "f",
        script="function f(ctx, api) { const u = ctx.v1.getUser(); api.v1.claims.setClaim('c',"
        " [u.username, u.sequence, ctx.v1.claims.n]) }",
    )
    await set_trigger(caller, id)
    request = run_request(user={"username": "ada", "sequence": 7}, claims={"n": 0.5})
    answer = await caller.ask(protocol, request)
    found: Any = json_format.MessageToDict(answer.response.effects.claims["c"])
    assert found == ["ada", 7, 0.5]


async def test_connect_web_reads_a_run_and_its_failure(
    caller: Caller, connect_web: ConnectWeb
) -> None:
    async def ran(context: dict[str, Any]) -> dict[str, Any]:
        return await connect_web(
            caller.api.http,
            "/actions.v1.ExecutionService/RunTrigger",
            {"flowType": "2", "triggerType": "4", "context": context},
            files=[run.DESCRIPTOR, message_pb2.DESCRIPTOR],
            headers={"authorization": f"Bearer {caller.token}", "x-zitadel-orgid": caller.org_id},
        )

    script = """function f(ctx, api) {
      api.v1.claims.setClaim('user', ctx.v1.getUser().username)
      if (ctx.v1.claims.sub) throw new Error('no')
    }"""
    await set_trigger(caller, await action(caller, "f", script=script))
    outcome = await ran({"user": {"username": "ada"}})
    assert outcome["message"]["effects"] == {"claims": {"user": "ada"}}
    outcome = await ran({"claims": {"sub": "1"}})
    assert outcome["code"] == 9
    text, detail = outcome["details"]
    assert text["value"]["id"] == "RUN-Af1ld"
    assert detail["type"] == "actions.v1.RunFailure"
    assert detail["value"]["actions"][0]["failure"]["line"] == 3


# --- what is refused


refused.as_they_are(
    {
        (3, "FlowType missing"): {
            "RUN-Fm4xk no flow 5": run_request("5", "9"),
            "RUN-Fm4xk no such name, in an example": run.GetExampleContextRequest(
                flow_type="FLOW_TYPE_CUSTOMISE_TOKEN", trigger_type="4"
            ),
            "RUN-Fm4xk no flow 5, in a list": run.ListRunsRequest(flow_type="5"),
        },
        (3, "TriggerType is invalid"): {
            "RUN-Tt9wq trigger of another flow": run_request("2", "1"),
            "RUN-Tt9wq in a test": run.TestActionRequest(id="1", flow_type="2", trigger_type="6"),
            "RUN-Tt9wq no trigger 7, in a list": run.ListRunsRequest(trigger_type="7"),
        },
        (3, "Context is invalid: context.user.loginNames[1]: expected a string, got true"): {
            "RUN-Cx5bd wrong kind": run_request(user={"loginNames": ["a", True]})
        },
        (3, "Context is invalid: context.claims: expected an object, got 1"): {
            "RUN-Cx5bd in a test": a_test("s", context={"claims": 1})
        },
        (5, "Action not found"): {
            "RUN-Na6yh absent": run.TestActionRequest(id="404", flow_type="2", trigger_type="4")
        },
        (3, "Limit exceeded"): {"RUN-Lx7ce too many": run.ListRunsRequest(limit=1001)},
        (3, "Page token is invalid"): {
            "RUN-Pt3gh no token": run.ListRunsRequest(page_token="AAAA"),
            "RUN-Pt3gh position 0": run.ListRunsRequest(page_token="AAAAAAAAAAA="),
        },
    }
)


@refused("RUN-Na6yh removed", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    id = await removed_action(caller)
    return run.TestActionRequest(id=id, flow_type="2", trigger_type="4")


@refused("RUN-Na6yh of another organisation", 5, "Action not found")
async def _(caller: Caller, stranger: Caller) -> Message:
    return run.TestActionRequest(id=await action(stranger), flow_type="2", trigger_type="4")


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


@pytest.mark.parametrize("row", refused.rows)
async def test_an_invalid_run_is_refused(
    protocol: str, row: Row, caller: Caller, stranger: Caller
) -> None:
    await assert_refused(caller, stranger, protocol, row)


async def test_old_names_of_flow_and_trigger_are_taken(protocol: str, caller: Caller) -> None:
    request = run_request("FLOW_TYPE_EXTERNAL_AUTHENTICATION", "TRIGGER_TYPE_PRE_CREATION")
    assert (await caller.ask(protocol, request)).code == 0


async def test_a_test_names_what_it_tests(protocol: str, caller: Caller) -> None:
    answer = await caller.ask(protocol, run.TestActionRequest(flow_type="2", trigger_type="4"))
    assert answer.refusal == (3, "invalid TestActionRequest.Action: value is required", ())


async def test_a_claim_of_thirty_levels_is_answered(protocol: str, caller: Caller) -> None:
    request = a_test(
        "function f(ctx, api) { let c = {}; for (let i = 1; i < 30; i++) c = {c};"
        " api.v1.claims.setClaim('c', c) }"
    )
    answer = await caller.ask(protocol, request)
    assert answer.code == 0, answer
    depth, value = 0, answer.response.effects.claims["c"]
    while value is not None:
        depth, value = depth + 1, value.struct_value.fields.get("c")
    assert depth == 30


# --- runs that fail


async def test_an_action_that_may_not_fail_ends_the_run(protocol: str, caller: Caller) -> None:
    ids = [
        await noting(caller, "before"),
        await action(caller, "may", script=THROWS.format("may"), allowed_to_fail=True),
        await action(caller, "boom", script=THROWS.format("boom")),
        await noting(caller, "after"),
    ]
    await set_trigger(caller, *ids)
    answer = await caller.ask(protocol, run_request())
    text = "Action boom failed: Error: no at boom (<eval>:2:13)"
    assert answer.refusal == refusal(9, text, "RUN-Af1ld")
    assert answer.run is not None
    assert [(ran.name, ran.state) for ran in answer.run.actions] == [
        ("before", run.ACTION_STATE_SUCCEEDED),
        ("may", run.ACTION_STATE_FAILED),
        ("boom", run.ACTION_STATE_FAILED),
    ]
    assert (answer.run.actions[2].failure.line, answer.run.actions[2].failure.column) == (2, 13)
    assert not answer.run.is_shortened
    (logged,) = (await caller.get(run.ListRunsRequest())).runs
    assert (logged.id, logged.state) == (answer.run.run_id, run.RUN_STATE_FAILED)
    assert [result.action_id for result in logged.actions] == ids
    assert logged.actions[3].state == run.ACTION_STATE_SKIPPED


async def test_a_failure_that_says_a_lot_fits_a_status(protocol: str, caller: Caller) -> None:
    ids = []
    for name in ("one", "two"):
        body = "for (let i = 0; i < 300; i++) require('zitadel/log').info('é'.repeat(1000))"
        ids.append(await action(caller, name, script=f"function {name}() {{ {body} }}"))
    body = "throw new Error('€'.repeat(100000))"
    ids.append(await action(caller, "boom", script=f"function boom() {{ {body} }}"))
    await set_trigger(caller, *ids)
    answer = await caller.ask(protocol, run_request())
    assert (answer.code, answer.details[0][0]) == (9, "RUN-Af1ld")
    assert answer.message.startswith("Action boom failed: Error: €€")
    assert answer.run is not None
    assert answer.run.is_shortened
    assert answer.run.actions[-1].name == "boom"
    (logged,) = (await caller.get(run.ListRunsRequest())).runs
    assert logged.is_shortened
    assert [result.name for result in logged.actions] == ["one", "two", "boom"]


async def test_an_action_that_does_not_end_is_ended_at_its_timeout(
    protocol: str, caller: Caller
) -> None:
    timeout = {"nanos": 100_000_000}
    id = await action(caller, "spin", script=LOOPS.format("spin"), timeout=timeout)
    await set_trigger(caller, id)
    answer = await caller.ask(protocol, run_request())
    text = "Action spin failed: interrupt: the action was not done within 0.1 s"
    assert answer.refusal == refusal(9, text, "RUN-Af1ld")
    (counted,) = (await caller.get(run.ListActionMetricsRequest())).actions
    assert (counted.action_id, counted.name, counted.runs) == (id, "spin", 1)
    assert (counted.failures, counted.timeouts, counted.kills) == (1, 1, 1)


async def test_a_run_whose_caller_has_a_deadline_is_ended_with_it(
    protocol: str, caller: Caller, server: RealServer
) -> None:
    await set_trigger(caller, await action(caller, "spin", script=LOOPS.format("spin")))
    answer = await caller.ask(protocol, run_request(), deadline_s=0.3)
    assert answer.code == 4
    runs = await runs_of(caller, 1)
    assert [(of.state, of.actions[0].state) for of in runs] == [
        (run.RUN_STATE_ABANDONED, run.ACTION_STATE_ABANDONED)
    ]
    await spinning(server, is_expected=False)


async def test_a_run_whose_caller_leaves_is_ended(
    protocol: str, caller: Caller, server: RealServer
) -> None:
    await set_trigger(caller, await action(caller, "spin", script=LOOPS.format("spin")))
    await spinning(server, is_expected=False)
    asking = asyncio.ensure_future(caller.ask(protocol, run_request()))
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
