"""Reads actions after each change of them, which was acknowledged over each protocol."""

import asyncio

from google.protobuf.message import Message

from tests.support.api_client import PROTOCOLS, Caller
from tests.support.prepared import action
from zitadel import management_pb2 as pb

ACTIVE, INACTIVE = 2, 1
NOT_FOUND = 5


async def seen(caller: Caller, id: str) -> list[tuple[int, str, int]]:
    """Returns code, name and state of the action as each protocol answers them."""
    answers = [await caller.ask(one, pb.GetActionRequest(id=id)) for one in PROTOCOLS]
    return [
        (answer.code, answer.response.action.name, answer.response.action.state)
        if answer.code == 0
        else (answer.code, "", 0)
        for answer in answers
    ]


def changes(id: str) -> list[tuple[Message, tuple[int, str, int]]]:
    """Returns requests in their order, and what is seen after each."""
    return [
        (pb.DeactivateActionRequest(id=id), (0, "a", INACTIVE)),
        (pb.ReactivateActionRequest(id=id), (0, "a", ACTIVE)),
        (pb.UpdateActionRequest(id=id, name="b", script="s"), (0, "b", ACTIVE)),
        (pb.DeleteActionRequest(id=id), (NOT_FOUND, "", 0)),
    ]


async def test_an_action_is_read_as_it_was_changed_whatever_was_read_before(
    protocol: str, caller: Caller
) -> None:
    id = await action(caller, "a")
    assert await seen(caller, id) == [(0, "a", ACTIVE)] * len(PROTOCOLS)
    for change, expected in changes(id):
        assert (await caller.ask(protocol, change)).code == 0
        assert await seen(caller, id) == [expected] * len(PROTOCOLS)


async def test_another_organisation_cannot_read_an_action_that_was_read(
    protocol: str, caller: Caller, stranger: Caller
) -> None:
    id = await action(caller)
    assert (await caller.ask(protocol, pb.GetActionRequest(id=id))).code == 0
    assert (await stranger.ask(protocol, pb.GetActionRequest(id=id))).code == NOT_FOUND


async def test_reads_see_each_acknowledged_change_while_others_read(
    protocol: str, caller: Caller
) -> None:
    id = await action(caller, "a")
    is_over = False

    async def read_on() -> None:
        while not is_over:
            assert (await caller.ask(protocol, pb.GetActionRequest(id=id))).code == 0

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(read_on())
        for _ in range(20):
            await caller.ask(protocol, pb.DeactivateActionRequest(id=id))
            assert await seen(caller, id) == [(0, "a", INACTIVE)] * len(PROTOCOLS)
            await caller.ask(protocol, pb.ReactivateActionRequest(id=id))
            assert await seen(caller, id) == [(0, "a", ACTIVE)] * len(PROTOCOLS)
        is_over = True
