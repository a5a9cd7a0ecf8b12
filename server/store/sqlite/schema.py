"""Brings a database up to date by numbered SQL files, each applied once, in one transaction.

The table `schema_versions` has the applied ones. A database that is newer than this code, or of
another program, is refused before anything is written to it.
"""

import re
import sqlite3
from importlib import resources
from typing import Final, NamedTuple

from server.store.errors import StorageError

APPLICATION_ID: Final = 1094931529
"""Marks a database of this program (`PRAGMA application_id`): "ACTI" in ASCII."""

_VERSIONS_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_versions (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL
)
"""


class Version(NamedTuple):
    number: int
    name: str
    sql: str


def versions() -> list[Version]:
    """Returns the SQL files beside this module, in the order of their numbers."""
    found = []
    for file in resources.files(__package__).iterdir():
        name = re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name)
        if name is not None:
            found.append(Version(int(name[1]), name[2], file.read_text(encoding="utf-8")))
    return sorted(found)


def bring_up_to_date(connection: sqlite3.Connection, *, path: str, now: int) -> list[str]:
    """Applies the missing versions, and returns their names ("0004_runs").

    Raises:
        StorageError: the database is another program's, or was written by a newer version.
        sqlite3.Error: storage fails.
    """
    applied = version_of(connection, path)
    require_known(applied, path)
    missing = versions()[applied:]
    for version in missing:
        _apply(connection, version, now)
    return [f"{version.number:04}_{version.name}" for version in missing]


def require_known(version: int, path: str) -> None:
    """Checks that this program knows the version of a schema.

    Raises:
        StorageError: a newer program has written the database.
    """
    known = versions()[-1].number
    if version > known:
        message = (
            f"{path} has schema version {version}, this program knows {known}: "
            "start the newer version that wrote it"
        )
        raise StorageError(message)


def version_of(connection: sqlite3.Connection, path: str) -> int:
    """Returns the number of the last applied version; 0 for an empty database.

    Raises:
        StorageError: the database is another program's.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != APPLICATION_ID:
        message = f"{path} is a database of another program"
        raise StorageError(message)
    if not tables:
        return 0
    (number,) = connection.execute("SELECT max(version) FROM schema_versions").fetchone()
    return int(number)


def _apply(connection: sqlite3.Connection, version: Version, now: int) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;{_VERSIONS_TABLE};{version.sql}")
        connection.execute(
            "INSERT INTO schema_versions (version, name, applied_at) VALUES (?, ?, ?)",
            (version.number, version.name, now),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
