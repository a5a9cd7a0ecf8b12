"""Keeps the position of the last event in a file beside the database.

If the log of the database was removed, or the database replaced by an older copy, its last events
are missing, and it cannot know. The file shows it: it is written after the events, at most once a
second, so it may be behind an intact database but never ahead of it.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

import structlog

from server.store.errors import StorageError
from server.store.files import check, make, open_ours

NAME: Final = "last-position"

_DIGITS_MAX: Final = 20
_LAST_POSITION: Final = "SELECT coalesce(max(position), 0) FROM events"

log = structlog.get_logger()


def last_position(database: sqlite3.Connection) -> int:
    """Returns the position of the last event in a database; 0 if it has none."""
    (position,) = database.execute(_LAST_POSITION).fetchone()
    return int(position)


class EventsMissing(StorageError):
    """The database ends before the last event that was written to it."""


class PositionFile:
    """Reads and writes the file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._written: int | None = None
        self._is_failing = False

    def require(self, position: int, *, database: Path, accept_loss: bool) -> None:
        """Checks that the database has every event that the file says it had.

        Args:
            position: of the last event in the database; 0 if it has none.
            database: named in the error.
            accept_loss: only logs that events are missing.

        Raises:
            EventsMissing: it lacks events.
            OSError: the file cannot be read.
        """
        known = self._read()
        if known <= position:
            return
        missing = f"{database} ends at position {position}, {known - position} events too early"
        if not accept_loss:
            raise EventsMissing(
                f"{missing}: it is an older copy, or its log ({database.name}-wal) is missing or "
                "damaged; bring the newer files back, or go on without these events by "
                "`serve --accept-loss`"
            )
        log.warning("going on without events that were written", reason=missing)

    def note(self, position: int) -> None:
        """Writes the position if it changed; on a full disk the old one stays."""
        if position == self._written:
            return
        new = self._path.with_name(f"{NAME}.new")
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(make(new, os.O_WRONLY), "w") as file:
                file.write(f"{position}\n")
            new.replace(self._path)
        except OSError as error:
            if not self._is_failing:
                log.warning("the last position cannot be written", reason=error.strerror)
            self._is_failing = True
        else:
            self._written, self._is_failing = position, False

    def _read(self) -> int:
        """Returns the position in the file; 0 if it has none."""
        if not check(self._path):
            return 0
        with os.fdopen(open_ours(self._path, os.O_RDONLY), encoding="ascii", errors="replace") as f:
            text = f.read(_DIGITS_MAX + 1).strip()
        if not text.isascii() or not text.isdecimal():
            log.warning("the file of the last position is malformed", file=str(self._path))
            return 0
        return int(text)
