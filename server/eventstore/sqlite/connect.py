"""Connections as this store wants them, and the boundary where sqlite3's errors become ours."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from server.eventstore.contract import StorageError
from server.eventstore.files import check

BUSY_TIMEOUT_S: Final = 5.0
"""For another program that writes to the file: a shell, a tool that copies it as it grows."""


def connect(path: Path, *, writes: bool) -> sqlite3.Connection:
    """Open the database; transactions are begun and ended by hand.

    WAL with synchronous=FULL: a commit that returned survives the loss of the process and of
    power, and readers do not wait for the writer.

    Raises:
        UnsafeFile: another user may have placed a file of it, as SQLite itself follows links.
        sqlite3.Error: it cannot be opened.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        check(path.with_name(path.name + suffix))
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S
    )
    try:
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        else:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another program has the lock that was asked for."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the rest says how


def be_patient(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Have statements wait so long for other programs; the thread waits with them."""
    connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}")


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Whatever fails inside is a StorageError; drivers raise more than they document (R2)."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        message = f"event store {path}: {error}"
        raise StorageError(message) from error
