"""Copies a database to one file while it is in use, and restores it from such a file.

A copy has what one read transaction sees: all events up to a position, and their states. It needs
no write-ahead log.

Follows sqlite.org/backup.html.
Rule: a file gets its name once it is complete and on the disk.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from server.store.engine import Progress
from server.store.errors import StorageError
from server.store.files import check, make, sync_folder
from server.store.sqlite import schema
from server.store.sqlite.connect import Access, StorageErrors, access_to, connect
from server.store.sqlite.damage import check_quickly, require_intact
from server.store.sqlite.folder import DataFolder
from server.store.sqlite.position_file import PositionFile

PAGES_AT_ONCE: Final = 1_000
"""Pages copied between two reports of progress, 4 MB."""

_LOGS: Final = ("-wal", "-shm", "-journal")
_LAST_POSITION: Final = "SELECT coalesce(max(position), 0) FROM events"


def back_up(database: Path, target: Path, progress: Progress) -> int:
    """Copies a database, which another process may have in use, to a file with mode 0600.

    Returns:
        The position of the last event in the copy.

    Raises:
        StorageError: the file exists, the database cannot be read, or the copy cannot be written.
    """
    if os.path.lexists(target):
        raise StorageError(f"{target} exists; name another file, or remove it")
    with StorageErrors(database), contextlib.closing(_reading(database)) as source:
        source.execute("BEGIN")
        (position,) = source.execute(_LAST_POSITION).fetchone()
        with _appearing(target) as part:
            copy_to(source, part, progress)
    return int(position)


def restore(copy: Path, folder: Path, name: str, progress: Progress, *, replaces: bool) -> int:
    """Replaces the database of a data folder by a copy.

    The old database stays beside it, as `<name>.replaced`.

    Args:
        copy: a file that `back_up` made.
        folder: the data folder, made if it is missing.
        name: of the database in it.
        progress: called with the number of pages copied, and of all.
        replaces: True if the folder may have a database.

    Returns:
        The position of the last event.

    Raises:
        DataFolderInUse: another process has locked the folder.
        StorageError: the copy is damaged or of another program or a newer version, or the folder
            has a database that may not be replaced. Nothing is changed.
    """
    database = folder / name
    with StorageErrors(copy), contextlib.closing(_copy(copy)) as source:
        position = _require_usable(source, copy)
        claimed = DataFolder.claim(folder)
        try:
            if database.exists() and not replaces:
                raise StorageError(f"{folder} has a database; --replace moves it aside")
            part = database.with_name(f"{name}.part")
            with StorageErrors(database):
                _make_anew(part)
                copy_to(source, part, progress)
                _put_aside(database)
                part.replace(database)
                sync_folder(folder)
            PositionFile(folder).note(position)
        finally:
            claimed.release()
    return position


def copy_to(source: sqlite3.Connection, target: Path, progress: Progress) -> None:
    """Copies what a connection sees to an empty file, and makes the file durable.

    Raises:
        sqlite3.Error: storage fails.
        StorageError: the copy is damaged.
    """

    def report(_status: int, left: int, total: int) -> None:
        progress(total - left, total)

    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
        source.backup(copy, pages=PAGES_AT_ONCE, progress=report)
        copy.execute("PRAGMA journal_mode = DELETE")
        check_quickly(copy, target)
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reading(database: Path) -> sqlite3.Connection:
    return connect(database, writes=False, access=access_to(database))


def _copy(copy: Path) -> sqlite3.Connection:
    if not copy.is_file():
        raise StorageError(f"{copy}: expected a file that `backup` made, got none")
    return connect(copy, writes=False, access=Access.READ_ONLY)


def _require_usable(source: sqlite3.Connection, copy: Path) -> int:
    """Returns the last position of a copy.

    Raises:
        StorageError: it is damaged, of another program, or of a newer version.
    """
    version = schema.version_of(source, str(copy))
    schema.require_known(version, str(copy))
    if not version:
        raise StorageError(f"{copy} is empty; expected a file that `backup` made")
    require_intact(source, copy)
    (position,) = source.execute(_LAST_POSITION).fetchone()
    return int(position)


@contextlib.contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Yields a file to write; renames it to the target at the end, or removes it after an error."""
    part = target.with_name(f"{target.name}.part")
    _make_anew(part)
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _make_anew(part: Path) -> None:
    """Makes an empty file, in place of one that an earlier attempt left."""
    if check(part):
        part.unlink()
    os.close(make(part, os.O_RDWR))


def _put_aside(database: Path) -> None:
    """Renames a database and its logs, which alone may have its last events."""
    replaced = database.with_name(f"{database.name}.replaced")
    for suffix in ("", *_LOGS):
        old, new = (path.with_name(path.name + suffix) for path in (database, replaced))
        new.unlink(missing_ok=True)
        if old.exists():
            old.replace(new)
