"""What the suites of the event store share: a way to commit commands, the adapters."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.commands.base import Command
from server.commands.batch import Batch, needs_of
from server.domain.aggregates import Key, State, evolve, evolve_flow, flows_of
from server.store.engine import Store
from server.store.log import LoadedFacts, Needs, Writes
from server.store.sqlite import writer
from server.store.sqlite.store import SqliteEventStore
from tests.support.clocks import HandClock
from tests.support.orgless import CreateOrglessAction


def an_action(action_id: str, *, org_id: str = "org", name: str = "") -> CreateOrglessAction:
    return CreateOrglessAction(
        org_id, action_id, name or f"name of {action_id}", "", 0, False, "editor"
    )


async def commit(store: Store, *commands: Command[object]) -> None:
    def decide(loaded: LoadedFacts) -> Writes:
        batch = Batch(loaded)
        for command in commands:
            batch.apply(command.decide(batch), editor=command.editor)
        return batch.writes()

    await store.commit(needs_of(commands), decide)


async def loaded(store: Store, needs: Needs) -> LoadedFacts:
    seen: list[LoadedFacts] = []

    def decide(loaded: LoadedFacts) -> Writes:
        seen.append(loaded)
        return Writes([], {}, [], {})

    await store.commit(needs, decide)
    return seen[0]


async def replayed(store: Store) -> list[State]:
    """The states that follow from all events."""
    states: dict[Key, State | None] = {}
    for event in await store.events():
        key = (event.aggregate_type, event.aggregate_id)
        states[key] = evolve(states.get(key), event)
        for flow in flows_of(event):
            states[flow] = evolve_flow(states.get(flow), event)
    return [state for state in states.values() if state is not None]


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
