"""`x-actions-no-change: ok`, over each protocol: what changes nothing is OK, and writes nothing."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from google.protobuf.message import Message

from tests.support.api_client import GRPC, JSON, WEB, Caller
from tests.support.prepared import action, inactive_action, last_event_at, set_trigger
from tests.support.real_server import RealServer
from zitadel import management_pb2 as pb

KEY = "x-actions-no-change"
Prepare = Callable[[Caller], Awaitable[tuple[Message, int]]]
"""Makes a request that changes nothing, and returns the sequence of its object."""


async def same_update(caller: Caller) -> tuple[Message, int]:
    return pb.UpdateActionRequest(id=await action(caller), name="greet", script="s"), 1


async def second_deactivation(caller: Caller) -> tuple[Message, int]:
    return pb.DeactivateActionRequest(id=await inactive_action(caller)), 2


async def second_activation(caller: Caller) -> tuple[Message, int]:
    return pb.ReactivateActionRequest(id=await action(caller)), 1


async def same_trigger_actions(caller: Caller) -> tuple[Message, int]:
    id = await action(caller)
    await set_trigger(caller, id)
    return pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4", action_ids=[id]), 2


async def second_clear(caller: Caller) -> tuple[Message, int]:
    await set_trigger(caller, await action(caller))
    await caller.get(pb.ClearFlowRequest(type="2"))
    return pb.ClearFlowRequest(type="2"), 3


UNCHANGED = (
    same_update,
    second_deactivation,
    second_activation,
    same_trigger_actions,
    second_clear,
)


@pytest.mark.parametrize("prepare", UNCHANGED)
async def test_write_that_changes_nothing_is_ok_with_the_details_as_they_are(
    caller: Caller, protocol: str, prepare: Prepare
) -> None:
    request, sequence = await prepare(caller)
    before = await last_event_at(caller)
    answer = await caller.ask(protocol, request, metadata={KEY: "ok"})
    assert (answer.code, answer.response.details.sequence) == (0, sequence)
    details = answer.response.details
    assert details.resource_owner == caller.org_id
    assert 0 < details.creation_date.ToNanoseconds() <= details.change_date.ToNanoseconds()
    assert await last_event_at(caller) == before


@pytest.mark.parametrize(
    "request_",
    [pb.ClearFlowRequest(type="2"), pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4")],
)
async def test_flow_that_was_never_set_has_empty_details(
    caller: Caller, protocol: str, request_: Message
) -> None:
    answer = await caller.ask(protocol, request_, metadata={KEY: "ok"})
    details = answer.response.details
    assert (answer.response.HasField("details"), details.ListFields()) == (True, [])


@pytest.mark.parametrize("prepare", UNCHANGED)
async def test_without_it_the_answer_is_the_api_s(
    caller: Caller, protocol: str, prepare: Prepare
) -> None:
    request, _ = await prepare(caller)
    assert (await caller.ask(protocol, request)).code == 9


async def test_with_it_a_write_that_changes_something_is_done(
    caller: Caller, protocol: str
) -> None:
    request = pb.ReactivateActionRequest(id=await inactive_action(caller))
    answer = await caller.ask(protocol, request, metadata={KEY: "ok"})
    assert (answer.code, answer.response.details.sequence) == (0, 3)


async def test_with_it_other_refusals_stay(caller: Caller, protocol: str) -> None:
    request = pb.ReactivateActionRequest(id="404")
    answer = await caller.ask(protocol, request, metadata={KEY: "ok"})
    assert answer.refusal[:2] == (5, "Action not found (COMMAND-Aa22g)")


@pytest.mark.parametrize("prepare", UNCHANGED)
async def test_any_other_value_is_named(caller: Caller, protocol: str, prepare: Prepare) -> None:
    request, _ = await prepare(caller)
    answer = await caller.ask(protocol, request, metadata={KEY: "yes"})
    assert answer.refusal == (3, "x-actions-no-change: expected 'ok', got 'yes'", ())
    assert answer.http_status == {JSON: 400, GRPC: 0, WEB: 200}[protocol]


async def test_page_of_an_allowed_origin_may_send_it(tmp_path: Path) -> None:
    origin = "https://app.example"
    with RealServer(tmp_path / "data", "--cors-origins", origin) as server:
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": f"authorization,{KEY}",
        }
        url = f"http://{server.http}/management/v1/actions/1/_reactivate"
        async with aiohttp.ClientSession() as session, session.options(url, headers=headers) as got:
            allowed = got.headers["Access-Control-Allow-Headers"]
    assert KEY in allowed.split(", ")
