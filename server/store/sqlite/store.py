"""Implements a store on SQLite: what waits for the disk has a thread, the rest runs on the loop.

A point read takes about 8 µs, and a command's share of a batch about as long: less than the way to
another thread and back. Commits and lists are not so quick.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from server.clock import Clock, wall_clock
from server.domain.events import RecordedEvent
from server.store.engine import AS_USUAL, Forgetful, Opening, Progress
from server.store.errors import StorageError
from server.store.folder import DataFolder
from server.store.log import Decide, EventsOf, LastEvent, Needs
from server.store.read_model import Query
from server.store.runs import ActionCounts, CountedActions, LoggedRun, RunsPage, RunsQuery
from server.store.signing_keys import SigningKey
from server.store.sqlite import action_counts, comparison, copies, importing, schema
from server.store.sqlite.checkpoints import Checkpoints
from server.store.sqlite.connect import Access, access_to, connect_to_read, errors_of
from server.store.sqlite.importing import SqliteImport
from server.store.sqlite.presence import Presence
from server.store.sqlite.read_model import ANSWERS, NOT_QUICK, QUICK
from server.store.sqlite.reader import Reader
from server.store.sqlite.worker import Worker
from server.store.sqlite.writer import Writer, only_writer

DATABASE_FILE: Final = "events.sqlite"

_EXCLUSIVE: Final = "no room for the index of the database's log: backups wait for a restart"

T = TypeVar("T")


class SqliteEventStore:
    """Implements `engine.Store`; made by `open`."""

    def __init__(self, folder: DataFolder, writer: Writer, path: Path, writing: Worker) -> None:
        self._folder = folder
        self._writer = writer
        self._turn = asyncio.Lock()
        self._writing = writing
        self._reading = Worker("event store reader")
        self._points = Reader(path, access=writer.access)
        self._lists = Reader(path, access=writer.access)
        self._checkpoints = Checkpoints(path, access=writer.access)
        # The last writes stand in the log alone.
        log = path.with_name(f"{path.name}-wal")
        with errors_of(path):
            presence = Presence((folder.lock_path, path), later=log)
            presence.require()
        writer.stay_with(presence)

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        admin: str = "",
        clock: Clock = wall_clock,
        opening: Opening = AS_USUAL,
    ) -> Self:
        """Claims the data folder, made if it is missing, and brings its database up to date.

        Other processes that find the folder in use read `admin`, the path of the admin socket.

        Raises:
            DataFolderInUse: another process has it.
            StorageError: it cannot be used; the text is for the operator.
        """
        writing = Worker("event store writer")
        try:
            return await writing.submit(partial(cls._open, folder, admin, clock, opening, writing))
        except BaseException:
            writing.close()
            raise

    @classmethod
    def _open(
        cls, folder: Path, admin: str, clock: Clock, opening: Opening, writing: Worker
    ) -> Self:
        claimed = DataFolder.claim(folder, admin=admin)
        path = folder / DATABASE_FILE
        writer = Writer(path, clock)
        try:
            writer.open(opening=opening)
            return cls(claimed, writer, path, writing)
        except BaseException:
            writer.close()
            claimed.release()
            raise

    @property
    def is_exclusive(self) -> bool:
        """True if other programs are locked out until this store is closed."""
        return self._writer.access is Access.ALONE

    @property
    def warnings(self) -> tuple[str, ...]:
        return (_EXCLUSIVE,) if self.is_exclusive else ()

    @property
    def migrations(self) -> tuple[str, ...]:
        """The SQL files that were applied when this store was opened, in their order."""
        return self._writer.migrations

    def following(self, kept: Sequence[Forgetful]) -> AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()  # nobody else writes

    @property
    def reads_waiting(self) -> int:
        return self._reading.waiting_count

    def starting(self) -> AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()  # this process has the folder

    async def close(self) -> None:
        """Releases the folder; a commit that runs ends first."""
        closed = self._writing.submit(self._close)
        self._writing.close()
        self._reading.close()
        self._checkpoints.close()
        await asyncio.shield(closed)

    def _close(self) -> None:
        """Runs on the writer's thread, after all that was to be written."""
        self._reading.join()
        self._checkpoints.join()
        self._points.close()
        self._lists.close()
        with contextlib.suppress(StorageError):  # the files are gone: not ours to write to
            self._writer.check()
        self._writer.close()
        self._folder.release()

    async def commit(self, needs: Needs, decide: Decide) -> None:
        async with self._turn:
            begun = self._writer.begin() or await self._begin()
            writes = self._writer.write(begun, needs, decide)
            await self._writing.finish(partial(self._writer.commit, writes))
        self._checkpoints.note(len(writes.events) + len(writes.states))

    async def append_runs(
        self,
        runs: Sequence[LoggedRun],
        counts: Sequence[ActionCounts],
        *,
        since: int,
        max_bytes: int,
    ) -> bool:
        async with self._turn:
            more = await self._writing.finish(
                lambda: self._writer.append_runs(runs, counts, since=since, max_bytes=max_bytes)
            )
        self._checkpoints.note(len(runs) + len(counts))
        return more

    async def oldest_run_at(self) -> int | None:
        return await self._read(self._lists.oldest_run_at)

    async def runs(self, org_id: str, query: RunsQuery) -> RunsPage:
        return await self._read(lambda: self._lists.runs(org_id, query))

    async def counted_actions(self, org_id: str) -> CountedActions:
        return await self._read(lambda: self._lists.read(action_counts.read, org_id))

    async def claim_machine_id(self) -> int:
        async with self._turn:
            return await self._writing.finish(self._writer.claim_machine_id)

    async def publish_signing_key(self, key: SigningKey, *, now: int) -> None:
        async with self._turn:
            await self._writing.finish(partial(self._writer.publish_signing_key, key, now))

    async def spare_machine_id(self) -> int:
        return self._points.spare_machine_id()

    async def read(self, query: Query[T]) -> T:
        quick = QUICK.get(type(query))
        if quick is not None:
            answer: T = self._points.read(quick, query)
            if answer is not NOT_QUICK:
                return answer
        return await self._read(lambda: self._lists.read(ANSWERS[type(query)], query))

    async def events(self, *, after: int = 0, limit: int = 1000) -> Sequence[RecordedEvent]:
        return await self._read(lambda: self._lists.events(after, limit))

    async def events_of(self, asked: EventsOf) -> Sequence[RecordedEvent]:
        return await self._read(lambda: self._lists.events_of(asked))

    async def last_event(self) -> LastEvent:
        return self._points.last_event()

    async def check(self) -> None:
        """Returns if the store can be read, and is where it was; keeps its last position.

        Raises:
            StorageError: it is not.
        """
        await self._read(self._lists.last_event)
        # Not by `finish`, which does not end before the disk does.
        await self._writing.submit(self._writer.check)

    async def _begin(self) -> sqlite3.Connection:
        """Begins a transaction once no other program is in one; only writers wait for it."""
        try:
            return await self._writing.finish(self._writer.begin_waiting)
        except asyncio.CancelledError:
            self._writer.close()  # and what it has begun
            raise

    async def _read(self, call: Callable[[], T]) -> T:
        return await self._reading.submit(call)


async def open_store(
    folder: Path, *, admin: str, clock: Clock, opening: Opening
) -> SqliteEventStore:
    return await SqliteEventStore.open(folder, admin=admin, clock=clock, opening=opening)


def has_database(folder: Path) -> bool:
    return (folder / DATABASE_FILE).exists()


def back_up(folder: Path, target: Path, progress: Progress) -> int:
    return copies.back_up(_database(folder), target, progress)


def restore(copy: Path, folder: Path, progress: Progress, *, replaces: bool) -> int:
    return copies.restore(copy, folder, DATABASE_FILE, progress, replaces=replaces)


def compare(folder: Path, progress: Progress) -> list[str]:
    return comparison.compare(_database(folder), progress)


def event_reader(folder: Path) -> AbstractContextManager[Reader]:
    path = _database(folder)
    with errors_of(path):
        access = access_to(path)
    return contextlib.closing(Reader(path, access=access))


def _database(folder: Path) -> Path:
    """Returns the path of the database in a folder.

    Raises:
        StorageError: there is none.
    """
    path = folder / DATABASE_FILE
    if not path.exists():
        raise StorageError(f"{folder} has no database yet; run `serve` or `org create` first")
    return path


def import_transaction(
    folder: Path, *, clock: Clock = wall_clock
) -> AbstractContextManager[SqliteImport]:
    return importing.import_transaction(folder, DATABASE_FILE, clock)


def content_writer(folder: Path, *, clock: Clock = wall_clock) -> AbstractContextManager[Writer]:
    _database(folder)
    return only_writer(folder, DATABASE_FILE, clock)


def migrate(folder: Path, *, clock: Clock = wall_clock) -> list[str]:
    with only_writer(folder, DATABASE_FILE, clock) as writer:
        return [*writer.migrations]


def missing_versions(folder: Path) -> list[str]:
    path = _database(folder)
    with errors_of(path), contextlib.closing(connect_to_read(path)) as connection:
        return schema.missing(connection, str(path))


def rebuild(folder: Path, progress: Progress, *, clock: Clock = wall_clock) -> int:
    """Makes the current states in a data folder anew from its events; returns how many there are.

    Raises:
        DataFolderInUse: another process has it.
        StorageError: there is no database, or it cannot be rebuilt; its states are as they were.
    """
    _database(folder)
    with only_writer(folder, DATABASE_FILE, clock) as writer:
        return writer.rebuild(progress)
