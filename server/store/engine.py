"""Defines a whole store, and the engine that keeps it; `server.store.opening` says which one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from server.clock import Clock
from server.store.log import EventLog
from server.store.machine_ids import MachineIds
from server.store.read_model import ReadModel
from server.store.runs import RunStore

Progress: TypeAlias = Callable[[int, int], None]
"""Takes how many events were applied, of how many."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Says how a database is opened.

    Attributes:
        checks_whole: looks for damage everywhere, however long it takes.
        accepts_loss: goes on without events that were written and are gone.
    """

    checks_whole: bool = False
    accepts_loss: bool = False


AS_USUAL: Final = Opening()


class Store(EventLog, ReadModel, RunStore, MachineIds, Protocol):
    """All that a process asks of one database; most modules need one part of it."""

    @property
    def migrations(self) -> tuple[str, ...]:
        """The versions of the schema that were applied when this store was opened, in order."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the operator about how this store was opened, a line each."""

    async def check(self) -> None:
        """Returns if the store can be used.

        Raises:
            StorageError: it cannot.
        """


class Engine(Protocol):
    """Keeps the store of a data folder."""

    async def open_store(
        self, folder: Path, *, admin: str, clock: Clock, opening: Opening
    ) -> Store:
        """Opens the store of a data folder, which is made if it is missing.

        Args:
            folder: for this process alone.
            admin: the path of the admin socket, for other processes that want the folder.
            clock: tells the time of events.
            opening: how the database is opened.

        Raises:
            DataFolderInUse: another process has the folder.
            StorageError: it cannot be used.
        """

    def has_database(self, folder: Path) -> bool:
        """True if a store was ever opened in the folder."""

    def rebuild(self, folder: Path, progress: Progress) -> int:
        """Makes the current states in a data folder anew from its events.

        Returns:
            The number of events.

        Raises:
            DataFolderInUse: another process has the folder.
            StorageError: there is no database, or it cannot be rebuilt; nothing is changed.
        """
