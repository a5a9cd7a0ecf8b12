"""Says which engine keeps the store of a data folder.

Rule: no module but this names an engine.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from server.clock import Clock, wall_clock
from server.store.engine import (
    AS_USUAL,
    Engine,
    EventReader,
    ImportTransaction,
    Opening,
    Progress,
    Store,
)
from server.store.sqlite import store as sqlite

_ENGINE: Final[Engine] = sqlite


async def open_store(
    folder: Path, *, admin: str = "", clock: Clock = wall_clock, opening: Opening = AS_USUAL
) -> Store:
    """Opens the store of a data folder (`Engine.open_store`)."""
    return await _ENGINE.open_store(folder, admin=admin, clock=clock, opening=opening)


def has_database(folder: Path) -> bool:
    """True if a store was ever opened in the folder."""
    return _ENGINE.has_database(folder)


def back_up(folder: Path, target: Path, progress: Progress) -> int:
    """Copies the store of a data folder to a file (`Engine.back_up`)."""
    return _ENGINE.back_up(folder, target, progress)


def restore(copy: Path, folder: Path, progress: Progress, *, replaces: bool) -> int:
    """Replaces the store of a data folder by a copy (`Engine.restore`)."""
    return _ENGINE.restore(copy, folder, progress, replaces=replaces)


def compare(folder: Path, progress: Progress) -> list[str]:
    """Returns the faults of the store of a data folder (`Engine.compare`)."""
    return _ENGINE.compare(folder, progress)


def event_reader(folder: Path) -> AbstractContextManager[EventReader]:
    """Opens the events of a data folder (`Engine.event_reader`)."""
    return _ENGINE.event_reader(folder)


def import_transaction(folder: Path) -> AbstractContextManager[ImportTransaction]:
    """Begins to import into the store of a data folder (`Engine.import_transaction`)."""
    return _ENGINE.import_transaction(folder)


def rebuild(folder: Path, progress: Progress) -> int:
    """Makes the current states in a data folder anew from its events (`Engine.rebuild`)."""
    return _ENGINE.rebuild(folder, progress)
