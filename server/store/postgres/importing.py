"""Writes an import in one transaction, so that a process that is killed leaves nothing of it."""

from collections.abc import Sequence

from server.clock import Clock
from server.domain.events import RecordedEvent
from server.store import forms
from server.store.log import Decide, Needs
from server.store.postgres import state_tables
from server.store.postgres.connect import Connection
from server.store.postgres.locks import Lock, take
from server.store.postgres.session import Session
from server.store.postgres.tables import STORED_EVENTS


class PostgresImport:
    """Implements `engine.ImportTransaction`; without `commit`, the session's end undoes all."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        session.run(_begin)

    def write(self, needs: Needs, decide: Decide) -> None:
        loaded = self._session.run(state_tables.load, needs, now=self._clock())
        writes = decide(loaded)
        if writes.events:
            self._session.run(state_tables.write, loaded.states, writes, has_new_events=True)

    def stored(self, events: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
        return self._session.run(_stored, events)

    def commit(self) -> None:
        self._session.run(_commit)


async def _begin(connection: Connection) -> None:
    await connection.execute("BEGIN")
    await take(connection, Lock.COMMITS)


async def _stored(
    connection: Connection, events: Sequence[RecordedEvent]
) -> Sequence[RecordedEvent]:
    keys = [(event.aggregate_type, event.aggregate_id, event.sequence) for event in events]
    found = await connection.fetch(STORED_EVENTS, *map(list, zip(*keys, strict=True)))
    return [forms.event(row) for row in found]


async def _commit(connection: Connection) -> None:
    await connection.execute("COMMIT")
