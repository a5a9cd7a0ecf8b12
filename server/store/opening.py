"""Opens the store of a data folder.

Rule: no module but this and the composition root names an engine.
"""

from pathlib import Path

from server.clock import Clock, wall_clock
from server.store.engine import AS_USUAL, Opening, Progress, Store
from server.store.sqlite import store as sqlite


async def open_store(
    folder: Path, *, admin: str = "", clock: Clock = wall_clock, opening: Opening = AS_USUAL
) -> Store:
    """Opens the store of a data folder, which is made if it is missing.

    Args:
        folder: for this process alone.
        admin: the path of this process's admin socket, for other processes that want the folder.
        clock: tells the time of events.
        opening: how the database is opened.

    Raises:
        DataFolderInUse: another process has the folder.
        StorageError: it cannot be used.
    """
    return await sqlite.SqliteEventStore.open(folder, admin=admin, clock=clock, opening=opening)


def has_database(folder: Path) -> bool:
    """True if a store was ever opened in the folder."""
    return (folder / sqlite.DATABASE_FILE).exists()


def rebuild(folder: Path, progress: Progress) -> int:
    """Makes the current states in a data folder anew from its events; returns how many there are.

    Raises:
        DataFolderInUse: another process has the folder.
        StorageError: there is no database, or it cannot be rebuilt; its states are as they were.
    """
    return sqlite.rebuild(folder, progress)
