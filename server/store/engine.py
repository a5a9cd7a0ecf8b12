"""Defines a whole store, and the engine that opens it; `server.store.opening` names the engine."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from server.clock import Clock
from server.domain.events import RecordedEvent
from server.domain.sealed import Sealed
from server.store.log import Decide, EventLog, LastEvent, Needs
from server.store.machine_ids import MachineIds
from server.store.read_model import ReadModel
from server.store.runs import RunStore
from server.store.signing_keys import SigningKeyStore

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number done, and the total: of events, or of pages of a copy."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Says how a database is opened.

    Attributes:
        checks_whole: checks the whole database for damage, which may take minutes.
        accepts_loss: opens a database whose last events are missing.
    """

    checks_whole: bool = False
    accepts_loss: bool = False


AS_USUAL: Final = Opening()


class Forgetful(Protocol):
    """Keeps states in memory until events change them."""

    def forget(self, events: Iterable[RecordedEvent]) -> None:
        """Drops the states that these events change; they may come without their payloads."""

    def forget_all(self) -> None:
        """Drops all states."""


class Store(EventLog, ReadModel, RunStore, MachineIds, SigningKeyStore, Protocol):
    """Declares all that a database does; most modules need one part of it."""

    @property
    def migrations(self) -> tuple[str, ...]:
        """Returns the versions of the schema that opening applied, in order."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Returns warnings of opening for the operator, a line each."""

    def following(self, kept: Sequence[Forgetful]) -> AbstractAsyncContextManager[None]:
        """Tells what other processes change, within a second, while the block lasts."""

    @property
    def reads_waiting(self) -> int:
        """Returns how many reads wait for a thread or a connection."""

    def starting(self) -> AbstractAsyncContextManager[None]:
        """Makes other processes that start on this database wait until the block ends.

        Raises:
            StorageError: the database fails, or another process starts for too long.
        """

    async def check(self) -> None:
        """Checks that the store can be used.

        Raises:
            StorageError: it cannot be used.
        """


StoredContent: TypeAlias = tuple[str, Sealed]
"""The id of a sealed value, and its content."""


class ContentReader(Protocol):
    """Reads the contents of sealed values beside a process that writes."""

    def contents(self, after: str, limit: int) -> Sequence[StoredContent]:
        """Returns contents in order of their ids, from the first after the id `after`."""


class ContentWriter(ContentReader, Protocol):
    """Replaces contents by others that have the same values."""

    def replace(self, contents: Sequence[tuple[StoredContent, Sealed]]) -> None:
        """Replaces each content, in one transaction; those that changed meanwhile are left.

        Raises:
            StorageError: nothing was written.
        """


class EventReader(ContentReader, Protocol):
    """Reads events beside a process that writes."""

    def events(self, after: int, limit: int) -> Sequence[RecordedEvent]:
        """Returns events in order of position, from the first after the position `after`."""

    def last_event(self) -> LastEvent:
        """Returns position and time of the last event; `NO_EVENT` before the first."""


class ImportTransaction(Protocol):
    """Writes events that happened in another store: all of them, or none."""

    def write(self, needs: Needs, decide: Decide) -> None:
        """Loads facts, decides and writes; the next call finds what was written.

        `decide` is called with the last position, that of earlier calls, too; it gives events the
        next ones. An exception of its own is raised as it is.

        Raises:
            StorageError: it cannot be written, or a unique value is taken.
        """

    def stored(self, events: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
        """Returns the stored events that have the aggregates and sequences of the given ones."""

    def commit(self) -> None:
        """Makes all durable; nothing may follow.

        Raises:
            StorageError: nothing was written.
        """


class Engine(Protocol):
    """Opens stores; an engine may keep all or nothing of a store in its data folder."""

    async def open_store(
        self, folder: Path, *, admin: str, clock: Clock, opening: Opening
    ) -> Store:
        """Opens the store of a data folder, which is made if it is missing.

        Args:
            folder: the data folder, which this process locks.
            admin: the path of this process's admin socket; processes that need the folder read it.
            clock: tells the time of events.
            opening: how the database is opened.

        Raises:
            DataFolderInUse: another process has locked the folder.
            StorageError: it cannot be used.
        """

    def has_database(self, folder: Path) -> bool:
        """True if a store was ever opened in the folder."""

    def back_up(self, folder: Path, target: Path, progress: Progress) -> int:
        """Copies the store of a data folder, which a service may use, to a file.

        Returns:
            The position of the last event in the copy.

        Raises:
            StorageError: there is no database, the file exists, or it cannot be written.
        """

    def restore(self, copy: Path, folder: Path, progress: Progress, *, replaces: bool) -> int:
        """Replaces the store of a data folder by a copy, and keeps the old one beside it.

        Returns:
            The position of the last event.

        Raises:
            DataFolderInUse: another process has locked the folder.
            StorageError: the copy cannot be used, or the folder has a database that may not be
                replaced; nothing is changed.
        """

    def compare(self, folder: Path, progress: Progress) -> list[str]:
        """Returns the faults of the store of a data folder; empty if there are none.

        Checks pages and indexes, and finds gaps among events and states that differ from events.
        A service may use the folder.

        Raises:
            StorageError: there is no database, or it cannot be read.
        """

    def event_reader(self, folder: Path) -> AbstractContextManager[EventReader]:
        """Opens the events of a data folder, which a service may use.

        Raises:
            StorageError: there is no database, or it cannot be read.
        """

    def import_transaction(self, folder: Path) -> AbstractContextManager[ImportTransaction]:
        """Begins to import into the store of a data folder, which is made if it is missing.

        Without `commit`, nothing is written, and no database is made.

        Raises:
            DataFolderInUse: another process has locked the folder.
            StorageError: it cannot be used.
        """

    def content_writer(self, folder: Path) -> AbstractContextManager[ContentWriter]:
        """Opens the contents of sealed values.

        Raises:
            DataFolderInUse: another process has locked the folder.
            StorageError: there is no database, or it cannot be used.
        """

    def migrate(self, folder: Path) -> list[str]:
        """Brings the schema of a database up to date; returns the names of the versions applied.

        Raises:
            DataFolderInUse: another process has locked the folder.
            StorageError: the database cannot be used, or a newer program has written it.
        """

    def missing_versions(self, folder: Path) -> list[str]:
        """Returns the names of the versions that `migrate` would apply, in order.

        Raises:
            StorageError: there is no database, it cannot be read, or is newer than this program.
        """

    def rebuild(self, folder: Path, progress: Progress) -> int:
        """Makes the current states in a data folder anew from its events.

        Returns:
            The number of events.

        Raises:
            DataFolderInUse: another process has locked the folder.
            StorageError: there is no database, or the rebuild failed and changed nothing.
        """
