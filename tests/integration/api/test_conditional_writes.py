"""docs/api.md "Conditional writes", over each protocol: If-Match and ETag."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from google.protobuf.message import Message

from tests.support.api_client import GRPC, JSON, WEB, Caller
from tests.support.api_rows import refusal
from tests.support.prepared import action, inactive_action, last_event_at, set_trigger
from tests.support.real_server import ACTIONS, RealServer
from zitadel import management_pb2 as pb

SUBJECT = "Conditional writes"

WRITERS: Final = 64
Prepare = Callable[[Caller], Awaitable[tuple[Message, int]]]
"""Makes a write that would succeed, and returns the sequence of its object."""


async def update(caller: Caller) -> tuple[Message, int]:
    return pb.UpdateActionRequest(id=await inactive_action(caller), name="wave", script="s"), 2


async def deactivation(caller: Caller) -> tuple[Message, int]:
    return pb.DeactivateActionRequest(id=await action(caller)), 1


async def reactivation(caller: Caller) -> tuple[Message, int]:
    return pb.ReactivateActionRequest(id=await inactive_action(caller)), 2


async def deletion(caller: Caller) -> tuple[Message, int]:
    return pb.DeleteActionRequest(id=await inactive_action(caller)), 2


async def trigger_actions(caller: Caller) -> tuple[Message, int]:
    id = await action(caller)
    await set_trigger(caller, id)
    return pb.SetTriggerActionsRequest(flow_type="2", trigger_type="5", action_ids=[id]), 2


async def first_trigger_actions(caller: Caller) -> tuple[Message, int]:
    id = await action(caller)
    return pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4", action_ids=[id]), 0


async def clear(caller: Caller) -> tuple[Message, int]:
    await set_trigger(caller, await action(caller))
    return pb.ClearFlowRequest(type="2"), 2


WRITES: Final = (
    *(update, deactivation, reactivation, deletion),
    *(trigger_actions, first_trigger_actions, clear),
)
every_write = pytest.mark.parametrize("prepare", WRITES)


@every_write
async def test_write_against_another_sequence_is_refused(
    caller: Caller, protocol: str, prepare: Prepare
) -> None:
    request, sequence = await prepare(caller)
    before = await last_event_at(caller)
    answer = await caller.ask(protocol, request, metadata={"if-match": '"7", "8"'})
    text = f"The sequence is {sequence}, expected 7, 8: read it again"
    assert answer.refusal == refusal(10, text, "COMMAND-Sq8ch")
    assert answer.http_status == {JSON: 412, GRPC: 0, WEB: 200}[protocol]
    assert "etag" not in answer.metadata
    assert await last_event_at(caller) == before


@pytest.mark.parametrize(
    "accepted", ['"{}"', '"7","{}" , "8"', "*"], ids=["its own", "one of three", "any"]
)
@every_write
async def test_write_against_its_sequence_is_done(
    caller: Caller, protocol: str, prepare: Prepare, accepted: str
) -> None:
    request, sequence = await prepare(caller)
    metadata = {"if-match": accepted.format(sequence)}
    assert (await caller.ask(protocol, request, metadata=metadata)).code == 0


@every_write
@pytest.mark.parametrize("value", ["5", 'W/"5"', '"v5"', '*, "5"'])
async def test_malformed_condition_is_named(
    caller: Caller, protocol: str, prepare: Prepare, value: str
) -> None:
    request, _ = await prepare(caller)
    answer = await caller.ask(protocol, request, metadata={"if-match": value})
    expected = 'if-match: expected sequences in quotes, as "5", "6", or *'
    assert answer.refusal == (3, f"{expected}, got {value!r}", ())
    assert answer.http_status == {JSON: 400, GRPC: 0, WEB: 200}[protocol]


async def test_absent_action_is_not_found_whatever_the_condition(
    caller: Caller, protocol: str
) -> None:
    for value in ('"1"', "*"):
        request = pb.DeactivateActionRequest(id="404")
        answer = await caller.ask(protocol, request, metadata={"if-match": value})
        assert answer.refusal == refusal(5, "Action not found", "COMMAND-NRmhu")


async def test_condition_is_compared_before_a_write_that_changes_nothing(
    caller: Caller, protocol: str
) -> None:
    request = pb.DeactivateActionRequest(id=await inactive_action(caller))
    allowed = {"x-actions-no-change": "ok"}
    for sequence, code in (("1", 10), ("2", 0)):
        metadata = {**allowed, "if-match": f'"{sequence}"'}
        assert (await caller.ask(protocol, request, metadata=metadata)).code == code


def sent(protocol: str, *tags: str) -> list[str | None]:
    """Returns the tags as a client sees them: over gRPC there are none."""
    return [None if protocol == GRPC else tag for tag in tags]


async def test_answers_about_an_action_have_its_tag(caller: Caller, protocol: str) -> None:
    created = await caller.ask(protocol, pb.CreateActionRequest(name="greet", script="s"))
    id = created.response.id
    answers = [created]
    for request in (
        pb.UpdateActionRequest(id=id, name="wave", script="s"),
        pb.DeactivateActionRequest(id=id),
        pb.ReactivateActionRequest(id=id),
        pb.GetActionRequest(id=id),
    ):
        answers.append(await caller.ask(protocol, request))
    tags = [answer.metadata.get("etag") for answer in answers]
    assert tags == sent(protocol, '"1"', '"2"', '"3"', '"4"', '"4"')
    deleted = await caller.ask(protocol, pb.DeleteActionRequest(id=id))
    assert (deleted.code, "etag" in deleted.metadata) == (0, False)


async def test_answers_about_a_flow_have_its_tag(caller: Caller, protocol: str) -> None:
    id = await action(caller)
    tags = []
    for request in (
        pb.GetFlowRequest(type="2"),
        pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4", action_ids=[id]),
        pb.GetFlowRequest(type="2"),
        pb.ClearFlowRequest(type="2"),
        pb.GetFlowRequest(type="2"),
    ):
        tags.append((await caller.ask(protocol, request)).metadata.get("etag"))
    assert tags == sent(protocol, '"0"', '"2"', '"2"', '"3"', '"3"')
    unknown = await caller.ask(protocol, pb.GetFlowRequest(type="9"))
    assert (unknown.code, "etag" in unknown.metadata) == (0, False)


async def test_of_64_writers_of_one_sequence_one_wins(caller: Caller, protocol: str) -> None:
    id = await action(caller)

    async def write(number: int) -> int:
        request = pb.UpdateActionRequest(id=id, name=f"n{number}", script="s")
        return (await caller.ask(protocol, request, metadata={"if-match": '"1"'})).code

    codes = await asyncio.gather(*map(write, range(WRITERS)))
    assert sorted(codes) == [0] + [10] * (WRITERS - 1)
    read = (await caller.get(pb.GetActionRequest(id=id))).action
    assert (read.name, read.details.sequence) == (f"n{codes.index(0)}", 2)


async def test_header_may_come_in_several_lines(caller: Caller, server: RealServer) -> None:
    id = await action(caller)
    headers = [
        ("authorization", f"Bearer {caller.token}"),
        ("x-zitadel-orgid", caller.org_id),
        *(("if-match", '"9"'), ("If-Match", '"1"')),
    ]
    url = f"http://{server.http}{ACTIONS}/{id}/_deactivate"
    async with caller.api.session.post(url, headers=headers, json={}) as got:
        assert (got.status, got.headers["ETag"]) == (200, '"2"')


async def test_page_of_an_allowed_origin_may_send_the_one_and_read_the_other(
    tmp_path: Path,
) -> None:
    origin = {"Origin": "https://app.example"}
    asked = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    with RealServer(tmp_path / "data", "--cors-origins", origin["Origin"]) as server:
        url = f"http://{server.http}{ACTIONS}/{server.new_action()}"
        bearer = {"Authorization": f"Bearer {server.token}"}
        async with aiohttp.ClientSession() as session:
            async with session.options(url, headers=origin | asked) as got:
                assert "if-match" in got.headers["Access-Control-Allow-Headers"].split(", ")
            async with session.get(url, headers=origin | bearer) as got:
                assert got.headers["ETag"] == '"1"'
                assert "etag" in got.headers["Access-Control-Expose-Headers"].split(", ")
