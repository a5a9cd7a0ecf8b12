"""Makes the tables of current states anew from the events.

It is one transaction: if the process is killed, the tables are as before. Readers have the states
as they were until it commits, and writers wait. Machine ids, the log of runs and the counts of
actions do not follow from events, and stay.
"""

from collections.abc import AsyncIterator
from typing import Final

from server.domain.events import RecordedEvent
from server.store.engine import Progress
from server.store.postgres import state_tables
from server.store.postgres.connect import Connection
from server.store.postgres.event_reads import events_after
from server.store.postgres.locks import Lock, take
from server.store.postgres.tables import TABLES
from server.store.replay import keys_of, writes_of

EVENTS_AT_ONCE: Final = 256
"""Max events between two writes of the states that they change."""

_COUNT: Final = "SELECT count(*) FROM events"
STATE_TABLES: Final = (*(table.name for table in TABLES.values()), "names", "removed")
"""The tables that are made from events."""
_TOTALS: Final = "action_totals"
"""The table that triggers of the others keep; deleting actions changes it."""


async def rebuild(connection: Connection, progress: Progress) -> int:
    """Makes the states anew; returns the number of events.

    Raises:
        StorageError: an event cannot be applied; nothing is changed.
    """
    async with connection.transaction():
        await take(connection, Lock.COMMITS)
        for table in (*STATE_TABLES, _TOTALS):
            await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
        return await apply_all(connection, progress)


async def apply_all(connection: Connection, progress: Progress) -> int:
    """Applies all events to tables that are empty; returns their number."""
    total = await connection.fetchval(_COUNT)
    progress(0, total)
    applied = 0
    async for events in _events(connection):
        await _apply(connection, events)
        applied += len(events)
        progress(applied, total)
    return applied


async def _events(connection: Connection) -> AsyncIterator[list[RecordedEvent]]:
    after = 0
    while some := [*await events_after(connection, after, EVENTS_AT_ONCE)]:
        yield some
        after = some[-1].position


async def _apply(connection: Connection, events: list[RecordedEvent]) -> None:
    keys = keys_of(events)
    known = [key for key in keys if key[0] in TABLES]
    before = dict.fromkeys(keys) | await state_tables.load_states(connection, known)
    await state_tables.write(connection, before, writes_of(events, before), has_new_events=False)
