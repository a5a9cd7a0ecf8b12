"""Shares what the suites of stores need: the stores, a way to commit commands."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from server.clock import Clock
from server.commands.base import Command
from server.commands.batch import Batch, needs_of
from server.domain.aggregates import Key, State, evolve, evolve_flow, flows_of
from server.store.engine import Store
from server.store.log import LoadedFacts, Needs, Writes
from server.store.postgres.connect import Server
from server.store.postgres.store import PostgresEventStore
from server.store.sqlite import writer
from server.store.sqlite.store import SqliteEventStore
from tests.support.action_commands import CreateOrglessAction, create_orgless_action
from tests.support.postgresql import shared_server


def an_action(action_id: str, *, org_id: str = "org", name: str = "") -> CreateOrglessAction:
    return create_orgless_action(org_id, action_id, name or f"name of {action_id}", editor="editor")


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


@asynccontextmanager
async def _sqlite(folder: Path, clock: Clock) -> AsyncIterator[Store]:
    store = await SqliteEventStore.open(folder, clock=clock)
    yield store
    await store.close()


@asynccontextmanager
async def _sqlite_without_memory(folder: Path, clock: Clock) -> AsyncIterator[Store]:
    """Loads every state from its table, none from what was just written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "RECENT_MAX", 0)
        async with _sqlite(folder, clock) as store:
            yield store


@asynccontextmanager
async def _postgres(folder: Path, clock: Clock) -> AsyncIterator[Store]:
    url = await shared_server().new_database()
    store = await PostgresEventStore.open(Server(url), folder, clock=clock)
    yield store
    await store.close()


STORES: Final[Mapping[str, Callable[[Path, Clock], AbstractAsyncContextManager[Store]]]] = {
    "SQLite": _sqlite,
    "SQLite without memory": _sqlite_without_memory,
    "PostgreSQL": _postgres,
}
"""Opens, in an empty folder, each store that the suites test; by its name."""
