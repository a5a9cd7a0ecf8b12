"""The event store on SQLite: a writer thread, a reader thread, point reads on the loop."""

from pathlib import Path
from typing import Self

from server.clock import Clock, wall_clock


class SqliteEventStore:
    """Implements `server.eventstore.contract.EventStore`."""

    @classmethod
    async def open(cls, folder: Path, *, admin: str = "", clock: Clock = wall_clock) -> Self:
        """Claim the data folder, made when missing, and bring its database up to date.

        Args:
            admin: the path of this process's admin socket, told to who finds the folder in use.

        Raises:
            DataFolderInUse: another process has it.
            StorageError: it cannot be used; the text is for the operator.
        """
        raise NotImplementedError
