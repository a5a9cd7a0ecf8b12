"""Says which engine keeps a store.

Rule: no module but this names an engine.
"""

from pathlib import Path

from server.clock import Clock, wall_clock
from server.store.engine import AS_USUAL, Engine, Opening, Store


def engine_of(database: str) -> Engine:
    """Returns the engine of a database.

    Args:
        database: a URL of PostgreSQL; if it is empty, the data folder has the database.

    Raises:
        StorageError: the URL cannot be used.
    """
    if database:
        from server.store.postgres.engine import PostgresEngine

        return PostgresEngine(database)
    from server.store.sqlite import store as sqlite

    return sqlite


async def open_store(
    folder: Path,
    *,
    database: str = "",
    admin: str = "",
    clock: Clock = wall_clock,
    opening: Opening = AS_USUAL,
) -> Store:
    """Opens the store of a database and a data folder (`Engine.open_store`)."""
    engine = engine_of(database)
    return await engine.open_store(folder, admin=admin, clock=clock, opening=opening)
