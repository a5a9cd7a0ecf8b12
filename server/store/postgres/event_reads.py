"""Reads the log of events by a connection."""

from collections.abc import Sequence
from typing import Final

from server.domain.events import RecordedEvent
from server.store import forms
from server.store.log import NO_EVENT, EventsOf, LastEvent
from server.store.postgres.connect import Connection
from server.store.postgres.tables import EVENTS_OF, SELECT_EVENTS

_LAST: Final = "SELECT position, created_at FROM events ORDER BY position DESC LIMIT 1"


async def events_after(connection: Connection, after: int, limit: int) -> Sequence[RecordedEvent]:
    """Returns events in order of position, from the first after the position `after`."""
    return [forms.event(row) for row in await connection.fetch(SELECT_EVENTS, after, limit)]


async def events_of(connection: Connection, asked: EventsOf) -> Sequence[RecordedEvent]:
    """Returns events of one aggregate, the newest first."""
    values = (*asked.key, asked.first, asked.last, [*asked.types], asked.limit)
    return [forms.event(row) for row in await connection.fetch(EVENTS_OF, *values)]


async def last_event(connection: Connection) -> LastEvent:
    found = await connection.fetchrow(_LAST)
    return NO_EVENT if found is None else LastEvent(*found)
