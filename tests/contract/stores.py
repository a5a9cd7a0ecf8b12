"""What the suites of the event store share: a clock, a way to commit commands, the adapters."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.commands.actions import CreateAction
from server.commands.base import Command
from server.commands.batch import Batch, needs_of
from server.eventstore.contract import EventStore, Loaded, Needs, Writes
from server.eventstore.sqlite import SqliteEventStore, writer

NOON = 1_700_000_000_000_000
SECOND = 1_000_000


class HandClock:
    """Tells what it is set to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


def an_action(action_id: str, *, org_id: str = "org", name: str = "") -> CreateAction:
    return CreateAction(org_id, action_id, name or f"name of {action_id}", "", 0, False, "editor")


async def commit(store: EventStore, *commands: Command[object]) -> None:
    def decide(loaded: Loaded) -> Writes:
        batch = Batch(loaded)
        for command in commands:
            batch.apply(command.decide(batch), editor=command.editor)
        return batch.writes()

    await store.commit(needs_of(commands), decide)


async def loaded(store: EventStore, needs: Needs) -> Loaded:
    seen: list[Loaded] = []

    def decide(loaded: Loaded) -> Writes:
        seen.append(loaded)
        return Writes([], {}, [], {})

    await store.commit(needs, decide)
    return seen[0]


class Contract:
    """A suite; an adapter subclasses it with a fixture `store` that has the clock `clock`."""

    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()


class OnSqlite(Contract):
    @pytest.fixture
    async def store(self, tmp_path: Path, clock: HandClock) -> AsyncIterator[SqliteEventStore]:
        store = await SqliteEventStore.open(tmp_path / "data", clock=clock)
        yield store
        await store.close()


class OnSqliteWithoutMemory(OnSqlite):
    """Every state is loaded from its table, none from what was just written."""

    @pytest.fixture(autouse=True)
    def forgetful(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writer, "RECENT_MAX", 0)
