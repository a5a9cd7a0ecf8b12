"""Brings a database up to date by numbered SQL files, each applied once, in one transaction.

The table `schema_versions` has the applied ones. Of several processes that start at once, one
applies them, and the others wait for it.
Rule: a database without tables is made ready by whoever opens it first; one with an older schema is
only changed by `python -m server migrate`, as servers of the older version may use it.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from server.store.errors import StorageError
from server.store.postgres.connect import Connection
from server.store.postgres.locks import Lock, take
from server.store.versions import Version, require_known_version, versions_of

SERVER_MIN: Final = 15
"""The oldest major version of PostgreSQL that is supported, and tested."""

_VERSIONS_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_versions (
    version    bigint PRIMARY KEY,
    name       text NOT NULL,
    applied_at bigint NOT NULL
)
"""
# Not to_regclass(), which may answer from before the lock was taken.
_HAS: Final = """
SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1)
"""
_APPLIED: Final = "SELECT coalesce(max(version), 0) FROM schema_versions"
_NOTE: Final = "INSERT INTO schema_versions (version, name, applied_at) VALUES ($1, $2, $3)"


async def open_schema(connection: Connection, database: str, now: int) -> list[str]:
    """Makes the tables of an empty database; returns the names of the versions applied.

    Raises:
        StorageError: it has another schema than this program needs.
    """
    known = versions_of(__package__)
    version = await version_of(connection, database)
    if version == 0:
        # All in one transaction: another that starts now sees no tables, or those of the last one.
        async with _locked(connection):
            version = await version_of(connection, database)
            if version == 0:
                for each in known:
                    await _apply(connection, each, now)
                return [str(each) for each in known]
    require_known_version(version, known, database)
    if version < known[-1].number:
        message = (
            f"{database} has schema version {version}, this program needs {known[-1].number}: "
            "run `python -m server migrate`"
        )
        raise StorageError(message)
    return []


async def migrate(connection: Connection, database: str, now: int) -> list[str]:
    """Applies the missing versions, and returns their names ("0004_runs").

    Raises:
        StorageError: the database is another program's, or was written by a newer version.
    """
    known = versions_of(__package__)
    applied: list[str] = []
    for version in known:
        async with _locked(connection):
            at = await version_of(connection, database)
            require_known_version(at, known, database)
            if at < version.number:
                await _apply(connection, version, now)
                applied.append(str(version))
    return applied


async def version_of(connection: Connection, database: str) -> int:
    """Returns the number of the last applied version; 0 for a database without tables of ours.

    Raises:
        StorageError: the tables are another program's, or the server is too old.
    """
    _require_supported_server(connection, database)
    if await connection.fetchval(_HAS, "schema_versions"):
        version: int = await connection.fetchval(_APPLIED)
        return version
    if await connection.fetchval(_HAS, "events"):
        raise StorageError(f"{database} has tables of another program")
    return 0


def _require_supported_server(connection: Connection, database: str) -> None:
    got = connection.get_server_version().major
    if got < SERVER_MIN:
        message = (
            f"{database} is on PostgreSQL {got}, this program needs {SERVER_MIN} or newer: "
            "upgrade the server, or use another one"
        )
        raise StorageError(message)


async def missing(connection: Connection, database: str) -> list[str]:
    """Returns the names of the versions that `migrate` would apply."""
    at = await version_of(connection, database)
    known = versions_of(__package__)
    require_known_version(at, known, database)
    return [str(version) for version in known if version.number > at]


async def _apply(connection: Connection, version: Version, now: int) -> None:
    await connection.execute(_VERSIONS_TABLE)
    await connection.execute(version.sql)
    await connection.execute(_NOTE, version.number, version.name, now)


@contextlib.asynccontextmanager
async def _locked(connection: Connection) -> AsyncIterator[None]:
    """Holds the lock for a transaction; each statement in it sees what others did before."""
    async with connection.transaction():
        await take(connection, Lock.SCHEMA)
        yield
