"""Brings a database up to date by numbered SQL files, each applied once, in one transaction.

The table `schema_versions` has the applied ones. A database that is newer than this code, or of
another program, is refused before anything is written to it.
"""

import sqlite3
from typing import Final

from server.store.errors import StorageError
from server.store.versions import Version, require_known_version, versions_of

APPLICATION_ID: Final = 1094931529
"""Marks a database of this program (`PRAGMA application_id`): "ACTI" in ASCII."""

_VERSIONS_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_versions (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL
)
"""


def bring_up_to_date(connection: sqlite3.Connection, *, path: str, now: int) -> list[str]:
    """Applies the missing versions, and returns their names ("0004_runs").

    Raises:
        StorageError: the database is another program's, or was written by a newer version.
        sqlite3.Error: storage fails.
    """
    applied = version_of(connection, path)
    require_known(applied, path)
    missing = versions_of(__package__)[applied:]
    for version in missing:
        _apply(connection, version, now)
    return [str(version) for version in missing]


def missing(connection: sqlite3.Connection, path: str) -> list[str]:
    """Returns the names of the versions that `bring_up_to_date` would apply.

    Raises:
        StorageError: the database is another program's, or was written by a newer version.
        sqlite3.Error: storage fails.
    """
    applied = version_of(connection, path)
    require_known(applied, path)
    return [str(version) for version in versions_of(__package__)[applied:]]


def require_known(version: int, path: str) -> None:
    """Checks that this program knows the version of a schema.

    Raises:
        StorageError: a newer program has written the database.
    """
    require_known_version(version, versions_of(__package__), path)


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
