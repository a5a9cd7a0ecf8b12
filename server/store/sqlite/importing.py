"""Writes an import in one transaction, so that a process that is killed leaves nothing of it."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from server.clock import Clock
from server.domain.events import RecordedEvent
from server.store import forms
from server.store.folder import DataFolder
from server.store.log import Decide, LoadedFacts, Needs, Writes
from server.store.sqlite.connect import errors_of
from server.store.sqlite.copies import remove
from server.store.sqlite.position_file import last_position
from server.store.sqlite.tables import SELECT_EVENT
from server.store.sqlite.writer import Writer

_NOTHING: Final = Writes([], {}, [], {})


class SqliteImport:
    """Implements `engine.ImportTransaction`."""

    def __init__(self, writer: Writer, path: Path) -> None:
        self._writer = writer
        self._errors = errors_of(path)
        self._begun = writer.begin_waiting()
        self._position = last_position(self._begun)
        self._last = _NOTHING
        self.is_committed = False

    def write(self, needs: Needs, decide: Decide) -> None:
        def after_earlier_ones(facts: LoadedFacts) -> Writes:
            return decide(replace(facts, position=self._position))

        self._last = self._writer.write(self._begun, needs, after_earlier_ones)
        self._position += len(self._last.events)

    def stored(self, events: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
        with self._errors:
            return [
                forms.event(row)
                for event in events
                for row in self._begun.execute(
                    SELECT_EVENT, (event.sequence, event.aggregate_id, event.aggregate_type)
                )
            ]

    def commit(self) -> None:
        self._writer.commit(self._last)
        self.is_committed = True
        self._writer.check()


@contextlib.contextmanager
def import_transaction(folder: Path, name: str, clock: Clock) -> Iterator[SqliteImport]:
    """Begins an import; a database that it made is removed unless it is committed.

    Raises:
        DataFolderInUse: another process has it.
        StorageError: it cannot be used.
    """
    claimed = DataFolder.claim(folder)
    path = folder / name
    is_new = not path.exists()
    writer = Writer(path, clock)
    begun = None
    try:
        writer.open()
        begun = SqliteImport(writer, path)
        yield begun
    finally:
        writer.close()
        if is_new and (begun is None or not begun.is_committed):
            remove(path)
        claimed.release()
