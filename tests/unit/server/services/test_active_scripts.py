"""ActiveScripts over reads that are counted and may wait."""

import asyncio
from collections.abc import Sequence

import pytest

from server.domain.action import Action, ActionState
from server.domain.events import RecordedEvent
from server.services.active_scripts import TRIGGER_MAX_CHARS, ActiveScripts
from server.store.errors import StorageError
from tests.support.named_answers import NamedAnswers

ORG, OTHER = "100000000000000001", "100000000000000002"


class Reads(NamedAnswers):
    """Answers one script, "1", "2", ... for each read; waits at the gate after it was read."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.source = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def active_actions(self, org_id: str, type: int, trigger: int) -> Sequence[Action]:
        self.asked.append((org_id, type, trigger))
        source = self.source or str(len(self.asked))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return [Action("1", org_id, ActionState.ACTIVE, "f", source, 0, False, 1, 1, 1, 1)]


def event(aggregate_type: str, org_id: str = ORG) -> RecordedEvent:
    return RecordedEvent(1, org_id, aggregate_type, "1", 1, "changed", {}, "", 1)


async def source(active: ActiveScripts, org_id: str = ORG, trigger: int = 4) -> str:
    (script,) = await active.of(org_id, 2, trigger)
    return script.source


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
def active(reads: Reads) -> ActiveScripts:
    return ActiveScripts(reads)


async def test_scripts_are_read_once_for_each_trigger_of_each_organisation(
    active: ActiveScripts, reads: Reads
) -> None:
    asked = [(ORG, 4), (ORG, 5), (OTHER, 4)]
    first = [await source(active, org_id, trigger) for org_id, trigger in asked]
    again = [await source(active, org_id, trigger) for org_id, trigger in asked]
    assert first == again == ["1", "2", "3"]
    assert reads.asked == [(ORG, 2, 4), (ORG, 2, 5), (OTHER, 2, 4)]


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        pytest.param([event("action")], ["3", "4", "2"], id="action"),
        pytest.param([event("org")], ["3", "4", "2"], id="organisation, its flows among it"),
        pytest.param([event("action", OTHER)], ["1", "3", "2"], id="without actions so far"),
        pytest.param(
            [event(one) for one in ("user", "member", "token")], ["1", "3", "2"], id="user"
        ),
    ],
)
async def test_a_change_of_actions_or_flows_forgets_the_triggers_of_its_organisation(
    active: ActiveScripts, changed: list[RecordedEvent], found: list[str]
) -> None:
    third = "100000000000000003"
    assert [await source(active), await source(active, third)] == ["1", "2"]
    active.forget(changed)
    asked = [(ORG, 4), (ORG, 5), (third, 4)]
    assert [await source(active, org_id, trigger) for org_id, trigger in asked] == found


async def test_what_was_read_while_something_changed_is_used_and_not_kept(
    active: ActiveScripts, reads: Reads
) -> None:
    reads.gate.clear()
    reading = asyncio.create_task(source(active))
    while not reads.asked:
        await asyncio.sleep(0)
    active.forget([event("action")])
    reads.gate.set()
    assert await reading == "1"
    assert [await source(active), await source(active)] == ["2", "2"]


async def test_runs_that_begin_at_once_keep_one_answer(active: ActiveScripts, reads: Reads) -> None:
    reads.gate.clear()
    both = [asyncio.create_task(source(active)) for _ in range(2)]
    while len(reads.asked) < 2:
        await asyncio.sleep(0)
    reads.gate.set()
    assert [await one for one in both] == ["1", "2"]
    assert await source(active) == "1"
    active.forget([event("action")])
    assert await source(active) == "3"


async def test_a_failure_is_raised_and_not_kept(active: ActiveScripts, reads: Reads) -> None:
    reads.failure = StorageError("no disk")
    with pytest.raises(StorageError):
        await source(active)
    reads.failure = None
    assert await source(active) == "2"


async def test_a_trigger_with_very_long_scripts_is_read_each_time(
    active: ActiveScripts, reads: Reads
) -> None:
    reads.source = "x" * TRIGGER_MAX_CHARS
    for _ in range(2):
        await source(active)
    assert len(reads.asked) == 2


async def test_triggers_that_ran_longest_ago_make_room(reads: Reads) -> None:
    reads.source = "x" * 8 * 1024
    active = ActiveScripts(reads, max_chars=30 << 10)  # three triggers, by 10 KiB each
    for trigger in (1, 2, 3, 1, 4):
        await source(active, trigger=trigger)
    del reads.asked[:]
    for trigger in (1, 3, 4, 2):
        await source(active, trigger=trigger)
    assert reads.asked == [(ORG, 2, 2)]


async def test_a_forgotten_trigger_gives_its_room_back(reads: Reads) -> None:
    reads.source = "x" * 8 * 1024
    active = ActiveScripts(reads, max_chars=20 << 10)
    for _ in range(3):
        await source(active, trigger=1)
        await source(active, trigger=2)
        active.forget([event("action")])
    assert len(reads.asked) == 6
    await source(active, trigger=1)
    await source(active, trigger=2)
    await source(active, trigger=1)
    assert len(reads.asked) == 8
