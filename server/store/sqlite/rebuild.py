"""Makes the tables of current states anew from the events.

It is one transaction: if the process is killed, the tables are as before. Machine ids, the log of
runs and the counts of actions do not follow from events, and stay.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

from server.domain.aggregates import Key, State
from server.domain.events import RecordedEvent
from server.store import forms
from server.store.engine import Progress
from server.store.replay import keys_of, writes_of
from server.store.sqlite import state_tables
from server.store.sqlite.tables import SELECT_EVENTS, TABLES

EVENTS_AT_ONCE: Final = 256
"""Max events between two writes of the states that they change."""

CHARS_AT_ONCE: Final = 1 << 20
"""Max characters of their payloads, which bounds memory."""

_ALL: Final = -1
_PAYLOAD: Final = RecordedEvent._fields.index("payload")
_COUNT: Final = "SELECT count(*) FROM events"
STATE_TABLES: Final = (
    *(table.name for table in TABLES.values()),
    "names",
    "removed",
    "action_totals",  # last, as deleting actions changes it
)


def rebuild(connection: sqlite3.Connection, progress: Progress) -> int:
    """Makes the states anew; returns the number of events.

    Raises:
        StorageError: an event cannot be applied; nothing is changed.
        sqlite3.Error: storage fails; nothing is changed once the connection is closed.
    """
    connection.execute("BEGIN IMMEDIATE")
    (total,) = connection.execute(_COUNT).fetchone()
    progress(0, total)
    for table in STATE_TABLES:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
    applied = 0
    for events in _events(connection):
        _apply(connection, events)
        applied += len(events)
        progress(applied, total)
    connection.execute("COMMIT")
    return applied


def _events(connection: sqlite3.Connection) -> Iterator[list[RecordedEvent]]:
    some: list[RecordedEvent] = []
    chars = 0
    for row in connection.execute(SELECT_EVENTS, (0, _ALL)):
        some.append(forms.event(row))
        chars += len(row[_PAYLOAD])
        if len(some) == EVENTS_AT_ONCE or chars > CHARS_AT_ONCE:
            yield some
            some, chars = [], 0
    if some:
        yield some


def _apply(connection: sqlite3.Connection, events: list[RecordedEvent]) -> None:
    before = _states_before(connection, events)
    state_tables.write(connection, before, writes_of(events, before))


def _states_before(
    connection: sqlite3.Connection, events: list[RecordedEvent]
) -> dict[Key, State | None]:
    keys = keys_of(events)
    states: dict[Key, State | None] = dict.fromkeys(keys)
    known = [key for key in keys if key[0] in TABLES]
    states.update(state_tables.load_states(connection, known))
    return states
