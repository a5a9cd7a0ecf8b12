"""Copies a database to one file while it is in use, and restores it from such a file.

A copy has what one read transaction sees: all events up to a position, and their states. It needs
no write-ahead log.

Follows sqlite.org/backup.html.
Rule: a file gets its name once it is complete and on the disk.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from server.store.engine import Progress
from server.store.errors import StorageError
from server.store.files import appearing, make_anew, sync_file, sync_folder
from server.store.folder import DataFolder
from server.store.sqlite import schema
from server.store.sqlite.connect import Access, connect, connect_to_read, errors_of
from server.store.sqlite.damage import check_quickly, require_intact
from server.store.sqlite.position_file import PositionFile, last_position

PAGES_AT_ONCE: Final = 1_000
"""Pages copied between two reports of progress, 4 MB."""

_LOGS: Final = ("-wal", "-shm", "-journal")


def back_up(database: Path, target: Path, progress: Progress) -> int:
    """Copies a database, which another process may have in use, to a file with mode 0600.

    Returns:
        The position of the last event in the copy.

    Raises:
        StorageError: the file exists, the database cannot be read, or the copy cannot be written.
    """
    if os.path.lexists(target):
        raise StorageError(f"{target} exists; name another file, or remove it")
    with errors_of(database), contextlib.closing(connect_to_read(database)) as source:
        source.execute("BEGIN")
        position = last_position(source)
        with appearing(target) as part:
            _copy_durably(source, part, progress)
    return position


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
    with errors_of(copy), contextlib.closing(_copy(copy)) as source:
        position = _require_usable(source, copy)
        claimed = DataFolder.claim(folder)
        try:
            if database.exists() and not replaces:
                raise StorageError(f"{folder} has a database; --replace moves it aside")
            part = database.with_name(f"{name}.part")
            with errors_of(database):
                make_anew(part)
                _copy_durably(source, part, progress)
                _put_aside(database)
                part.replace(database)
                sync_folder(folder)
            PositionFile(folder).note(position)
        finally:
            claimed.release()
    return position


def copy_pages(source: sqlite3.Connection, target: sqlite3.Connection, progress: Progress) -> None:
    """Copies what a connection sees to an empty database, which then needs no log.

    Raises:
        sqlite3.Error: storage fails.
    """

    def report(_status: int, left: int, total: int) -> None:
        progress(total - left, total)

    source.backup(target, pages=PAGES_AT_ONCE, progress=report)
    target.execute("PRAGMA journal_mode = DELETE")


def _copy_durably(source: sqlite3.Connection, target: Path, progress: Progress) -> None:
    """Copies what a connection sees to an empty file, checks the copy, and makes it durable.

    Raises:
        sqlite3.Error: storage fails.
        StorageError: the copy is damaged.
    """
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy_pages(source, copy, progress)
        check_quickly(copy, target)
    sync_file(target)


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
    return last_position(source)


def remove(database: Path) -> None:
    """Removes a database and its logs."""
    for suffix in ("", *_LOGS):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _put_aside(database: Path) -> None:
    """Renames a database and its logs, which alone may have its last events."""
    replaced = database.with_name(f"{database.name}.replaced")
    for suffix in ("", *_LOGS):
        old, new = (path.with_name(path.name + suffix) for path in (database, replaced))
        new.unlink(missing_ok=True)
        if old.exists():
            old.replace(new)
