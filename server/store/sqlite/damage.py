"""Finds damage of a database before it is used.

Follows sqlite.org/pragma.html, quick_check and integrity_check. The quick check reads every page
and does not compare indexes; of a large database it stops before the end.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from server.domain.action import ActionState
from server.store.errors import StorageError
from server.store.sqlite.connect import primary_code

QUICK_MAX_S: Final = 1.0
"""Max seconds of the quick check, which delays the start."""

PROGRESS_S: Final = 2.0
"""Seconds between two log lines while a whole database is checked."""

_TABLES: Final = {
    "action": "actions",
    "org": "orgs",
    "member": "members",
    "user": "users",
    "token": "tokens",
    "machine_key": "machine_keys",
    "sealed": "sealed_values",
}
"""Tables of current states, by type of aggregate. A flow has the sequence of its organisation."""

_STEPS: Final = 10_000
"""Steps of SQLite's virtual machine between two reads of the clock, about a millisecond."""

log = structlog.get_logger()


def check_quickly(connection: sqlite3.Connection, path: Path) -> None:
    """Looks for damage for at most `QUICK_MAX_S`.

    Raises:
        StorageError: the database is damaged.
    """
    until = time.monotonic() + QUICK_MAX_S
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        _require_ok(connection, path, "PRAGMA quick_check(1)")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        log.info("the database is large: not all of it was checked", seconds=QUICK_MAX_S)
    finally:
        connection.set_progress_handler(None, 0)


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Looks for damage everywhere, however long it takes, and logs its progress.

    Raises:
        StorageError: the database is damaged, or has a current state without its event.
    """
    started = time.monotonic()
    connection.set_progress_handler(_progress(started), _STEPS)
    try:
        log.info("checking the whole database", file=str(path))
        require_intact(connection, path)
        for kind, table in _TABLES.items():
            row = connection.execute(_WITHOUT_EVENT.format(table=table), (kind,)).fetchone()
            if row is not None:
                raise _damaged(path, f"{kind} {row[0]} is at sequence {row[1]}, without its event")
        for row in connection.execute(_UNKNOWN_STATES, [*ActionState]):
            log.warning("an action has an unknown state", id=row[0], state=row[1])
        log.info("the database is whole", seconds=round(time.monotonic() - started, 1))
    finally:
        connection.set_progress_handler(None, 0)


_UNKNOWN_STATES: Final = "SELECT id, state FROM actions WHERE state NOT IN (?, ?, ?) LIMIT 10"
_WITHOUT_EVENT: Final = (
    "SELECT id, sequence FROM {table} AS state WHERE NOT EXISTS (SELECT 1 FROM events "
    "WHERE aggregate_type = ? AND aggregate_id = state.id AND events.sequence = state.sequence) "
    "LIMIT 1"
)


def require_intact(connection: sqlite3.Connection, path: Path) -> None:
    """Checks every page, and compares indexes with their tables.

    Raises:
        StorageError: the database is damaged.
    """
    _require_ok(connection, path, "PRAGMA integrity_check(1)")


def faults(connection: sqlite3.Connection, most: int) -> list[str]:
    """Returns the faults of pages and indexes, at most `most`; empty if there are none."""
    return _faults(connection, f"PRAGMA integrity_check({most})")


def _require_ok(connection: sqlite3.Connection, path: Path, pragma: str) -> None:
    for fault in _faults(connection, pragma):
        raise _damaged(path, fault)


def _faults(connection: sqlite3.Connection, pragma: str) -> list[str]:
    try:
        found = [text for (text,) in connection.execute(pragma)]
    except sqlite3.DatabaseError as error:
        if primary_code(error) != sqlite3.SQLITE_CORRUPT:
            raise
        found = ["a page is missing or malformed"]
    said = (" ".join(text.split()).removeprefix("*** in database main *** ") for text in found)
    return [text for text in said if text != "ok"]


def _damaged(path: Path, what: str) -> StorageError:
    return StorageError(
        f"{path} is damaged: {what}; restore a copy, or recover it by "
        "`sqlite3 events.sqlite .recover`"
    )


def _progress(started: float) -> Callable[[], bool]:
    said = started

    def go_on() -> bool:
        nonlocal said
        now = time.monotonic()
        if now - said > PROGRESS_S:
            said = now
            log.info("still checking the database", seconds=round(now - started))
        return False

    return go_on
