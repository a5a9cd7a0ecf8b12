"""KeptActions over reads that are counted and may wait."""

import asyncio

import pytest

from server.domain.action import Action, ActionState
from server.domain.events import RecordedEvent
from server.services.kept_actions import SCRIPT_MAX_CHARS, KeptActions
from server.store.errors import StorageError
from tests.support.named_answers import NamedAnswers

ORG, OTHER = "100000000000000001", "100000000000000002"


class Reads(NamedAnswers):
    """Has each action in ORG alone; its name counts the reads. Waits at the gate after a read."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.script = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def action_by_id(self, org_id: str, action_id: str) -> Action | None:
        self.asked.append(action_id)
        name = str(len(self.asked))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if org_id != ORG:
            return None
        return Action(action_id, ORG, ActionState.ACTIVE, name, self.script, 0, False, 1, 1, 1, 1)


def event(id: str, *, aggregate_type: str = "action") -> RecordedEvent:
    return RecordedEvent(1, ORG, aggregate_type, id, 1, "changed", {}, "", 1)


async def name(actions: KeptActions, id: str, *, org_id: str = ORG) -> str | None:
    action = await actions.by_id(org_id, id)
    return None if action is None else action.name


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
def actions(reads: Reads) -> KeptActions:
    return KeptActions(reads)


async def test_an_action_is_read_once_until_it_changes(actions: KeptActions) -> None:
    assert [await name(actions, id) for id in ("a", "b", "a", "b")] == ["1", "2", "1", "2"]
    actions.forget([event("a"), event("b", aggregate_type="org"), event("c")])
    assert [await name(actions, id) for id in ("a", "b", "a")] == ["3", "2", "3"]


async def test_another_organisation_does_not_find_a_kept_action(actions: KeptActions) -> None:
    assert await name(actions, "a") == "1"
    assert await name(actions, "a", org_id=OTHER) is None
    assert await name(actions, "a") == "1"


async def test_an_action_that_is_not_there_is_asked_for_again(
    actions: KeptActions, reads: Reads
) -> None:
    for _ in range(2):
        assert await name(actions, "a", org_id=OTHER) is None
    assert reads.asked == ["a", "a"]


async def test_what_was_read_while_something_changed_is_returned_and_not_kept(
    actions: KeptActions, reads: Reads
) -> None:
    reads.gate.clear()
    reading = asyncio.create_task(name(actions, "a"))
    while not reads.asked:
        await asyncio.sleep(0)
    actions.forget([event("a")])
    reads.gate.set()
    assert await reading == "1"
    assert [await name(actions, "a"), await name(actions, "a")] == ["2", "2"]


async def test_a_failure_is_raised_and_not_kept(actions: KeptActions, reads: Reads) -> None:
    reads.failure = StorageError("no disk")
    with pytest.raises(StorageError):
        await name(actions, "a")
    reads.failure = None
    assert await name(actions, "a") == "2"


async def test_an_action_with_a_long_script_is_read_each_time(
    actions: KeptActions, reads: Reads
) -> None:
    reads.script = "x" * (SCRIPT_MAX_CHARS + 1)
    assert [await name(actions, "a"), await name(actions, "a")] == ["1", "2"]


async def test_actions_that_were_read_longest_ago_make_room(reads: Reads) -> None:
    actions = KeptActions(reads, kept_max=3)
    for id in ("a", "b", "c", "a", "d"):
        await name(actions, id)
    del reads.asked[:]
    for id in ("a", "c", "d", "b"):
        await name(actions, id)
    assert reads.asked == ["b"]
