"""Reads by a connection of its own.

A large answer takes long, so the caller chooses the thread.
"""

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from server.domain.events import RecordedEvent
from server.store import forms
from server.store.engine import StoredContent
from server.store.log import NO_EVENT, EventsOf, LastEvent
from server.store.runs import RunsPage, RunsQuery
from server.store.sqlite import contents as sealed_contents
from server.store.sqlite import runs as run_log
from server.store.sqlite.connect import Access, connect, errors_of
from server.store.sqlite.tables import MACHINE_IDS, SELECT_EVENTS, events_of

T = TypeVar("T")
Q = TypeVar("Q")

_LAST_EVENT: Final = "SELECT position, created_at FROM events ORDER BY position DESC LIMIT 1"
_LAST_MACHINE_ID: Final = "SELECT last FROM machine_ids"


class Reader:
    """Holds a connection that only reads."""

    def __init__(self, path: Path, *, access: Access = Access.SHARED) -> None:
        self._errors = errors_of(path)
        with self._errors:
            self._connection = connect(path, writes=False, access=access)
        # Opens the write-ahead log now, which needs a read.
        self.last_event()

    def close(self) -> None:
        self._connection.close()

    def read(self, answer: Callable[[sqlite3.Connection, Q], T], query: Q) -> T:
        with self._errors:
            return answer(self._connection, query)

    def events(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        with self._errors:
            found = self._connection.execute(SELECT_EVENTS, (after, limit)).fetchall()
        return [forms.event(row) for row in found]

    def events_of(self, asked: EventsOf) -> Sequence[RecordedEvent]:
        if asked.last < asked.first:
            return []
        kind, id = asked.key
        values = (asked.last, asked.first, id, kind, *asked.types, asked.limit)
        with self._errors:
            found = self._connection.execute(events_of(len(asked.types)), values).fetchall()
        return [forms.event(row) for row in found]

    def contents(self, after: str, limit: int) -> Sequence[StoredContent]:
        with self._errors:
            return sealed_contents.read(self._connection, after, limit)

    def last_event(self) -> LastEvent:
        with self._errors:
            found = self._connection.execute(_LAST_EVENT).fetchone()
        return NO_EVENT if found is None else LastEvent(*found)

    def oldest_run_at(self) -> int | None:
        with self._errors:
            return run_log.oldest_at(self._connection)

    def runs(self, org_id: str, query: RunsQuery) -> RunsPage:
        with self._errors:
            return run_log.read_page(self._connection, org_id, query)

    def spare_machine_id(self) -> int:
        """Returns a machine id that is claimed only after at least 16,384 others."""
        with self._errors:
            (last,) = self._connection.execute(_LAST_MACHINE_ID).fetchone() or (0,)
        return int(last + MACHINE_IDS // 4 + secrets.randbelow(MACHINE_IDS // 2)) % MACHINE_IDS
