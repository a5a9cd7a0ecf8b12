"""Opens connections, and turns errors of sqlite3 into StorageError."""

import contextlib
import os
import sqlite3
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import quote

from server.store.errors import StorageErrors
from server.store.files import check

WAL_MAX_BYTES: Final = 64 << 20
"""Max bytes of the write-ahead log after a checkpoint. A long read makes it grow, and by default
SQLite never shortens it. A commit that makes it longer makes a checkpoint, too."""

_PAGE_BYTES: Final = 4096
"""SQLite's default."""

_TEXTS: Final = {
    sqlite3.SQLITE_BUSY: "locked by another program",
    sqlite3.SQLITE_CANTOPEN: "a file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_NOTADB: "not a SQLite database",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_READONLY: "read-only",
}
"""Texts of SQLite's primary result codes, the low 8 bits of a code."""

BUSY_TIMEOUT_S: Final = 5.0
"""Max seconds to wait for another program that writes, such as a shell or a backup."""

_NO_ROOM: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
)
"""Result codes of SQLite if it cannot make or extend a file. Other causes of these codes fail with
each `Access`."""


class Access(Enum):
    """Names how SQLite uses the files; all connections of a process use the same.

    Follows sqlite.org/uri.html, sqlite.org/vfs.html ("unix-excl") and sqlite.org/wal.html.
    """

    SHARED = ""
    """Other programs may read and write meanwhile."""

    ALONE = "vfs=unix-excl"
    """SQLite makes no file for the index of its log (-shm): a full disk has no room for it. Other
    programs are locked out while this process runs. Writes succeed again once there is room."""

    READ_ONLY = "immutable=1"
    """SQLite makes and locks no file, and reads no log."""


def access_to(path: Path) -> Access:
    """Returns the first access by which the database can be read.

    Raises:
        UnsafeFile: another user may have placed a file of it.
        sqlite3.Error: it cannot be read; the error of `SHARED`.
    """
    ways = [Access.ALONE]
    if not _has_content(path.with_name(f"{path.name}-wal")):
        ways.append(Access.READ_ONLY)
    try:
        _try(path, Access.SHARED)
    except sqlite3.OperationalError as error:
        for way in ways if primary_code(error) in _NO_ROOM else ():
            with contextlib.suppress(sqlite3.OperationalError):
                _try(path, way)
                return way
        raise
    return Access.SHARED


def connect(path: Path, *, writes: bool, access: Access = Access.SHARED) -> sqlite3.Connection:
    """Opens the database; transactions are begun and ended by hand.

    WAL with synchronous=FULL: a commit that returned survives the loss of the process and of
    power, and readers do not wait for the writer.

    Args:
        path: of the database.
        writes: False for a connection that only reads.
        access: must be the same for all connections.

    Raises:
        UnsafeFile: another user may have placed a file of it, as SQLite itself follows links.
        sqlite3.Error: it cannot be opened.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        check(path.with_name(path.name + suffix))
    connection = sqlite3.connect(
        f"file://{quote(os.fsencode(path.absolute()))}?{access.value}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
    )
    try:
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_MAX_BYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_MAX_BYTES // _PAGE_BYTES}")
        else:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Opens the database for reading, by the first access that works.

    Raises:
        UnsafeFile: another user may have placed a file of it.
        sqlite3.Error: it cannot be read.
    """
    return connect(path, writes=False, access=access_to(path))


def _try(path: Path, access: Access) -> None:
    with contextlib.closing(connect(path, writes=False, access=access)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def primary_code(error: sqlite3.Error) -> int:
    """Returns SQLite's primary result code: the low 8 bits of an error's code."""
    return error.sqlite_errorcode & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """True if another program has the lock."""
    return primary_code(error) == sqlite3.SQLITE_BUSY


def set_busy_timeout(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Sets the max time for which a statement, and its thread, waits for another program's lock."""
    connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}")


def errors_of(path: Path) -> StorageErrors:
    """Returns what turns errors inside into StorageError, which names the database."""
    return StorageErrors(path, _text)


def _text(error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    known = None if code is None else _TEXTS.get(code & 0xFF)
    return str(error) if known is None else f"{known} ({getattr(error, 'sqlite_errorname', code)})"
