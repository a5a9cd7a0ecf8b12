"""The event store on SQLite: what waits for the disk has a thread, the rest runs on the loop.

A point read takes about 8 µs, and a command's share of a batch about as long: less than the way to
another thread and back. Commits and lists are not so quick.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from server.clock import Clock, wall_clock
from server.domain.action import Action
from server.domain.aggregates import Key
from server.domain.events import RecordedEvent
from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.store.contract import (
    Contents,
    Decide,
    EndedOrg,
    FlowRead,
    Needs,
    Page,
    StorageError,
)
from server.store.folder import DataFolder
from server.store.presence import Presence
from server.store.queries import EVERY_ACTION, ActionsQuery
from server.store.runs import LoggedRun, RunsPage, RunsQuery
from server.store.sqlite.connect import Access, storage
from server.store.sqlite.reader import Reader
from server.store.sqlite.rebuild import Progress
from server.store.sqlite.worker import Worker
from server.store.sqlite.writer import AS_USUAL, Opening, Writer

DATABASE_FILE: Final = "events.sqlite"

TRIGGER_AT_ONCE_MAX: Final = 16
"""Actions of a trigger that are read as a point is: 5 µs each, a millisecond at their largest."""

T = TypeVar("T")


class SqliteEventStore:
    """Implements `contract.EventStore` and `runs.RunStore`; made by `open`."""

    def __init__(self, folder: DataFolder, writer: Writer, path: Path, writing: Worker) -> None:
        self._folder = folder
        self._writer = writer
        self._turn = asyncio.Lock()
        self._writing = writing
        self._reading = Worker("event store reader")
        self._points = Reader(path, access=writer.access)
        self._lists = Reader(path, access=writer.access)
        # The last writes stand in the log alone.
        log = path.with_name(f"{path.name}-wal")
        with storage(path):
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
        """Claim the data folder, made when missing, and bring its database up to date.

        Whoever finds the folder in use is told `admin`, the path of this process's admin socket.

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
    def migrations(self) -> tuple[str, ...]:
        """The SQL files that were applied when this store was opened, in their order."""
        return self._writer.migrations

    async def close(self) -> None:
        """Let go of the folder; a commit that runs ends first."""
        closed = self._writing.submit(self._close)
        self._writing.close()
        self._reading.close()
        await asyncio.shield(closed)

    def _close(self) -> None:
        """Runs on the writer's thread, after all that was to be written."""
        self._reading.join()
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
            await self._write(lambda: self._writer.commit(writes))

    async def append_runs(self, runs: Sequence[LoggedRun], *, since: int, max_bytes: int) -> bool:
        async with self._turn:
            return await self._write(
                lambda: self._writer.append_runs(runs, since=since, max_bytes=max_bytes)
            )

    async def oldest_run_at(self) -> int | None:
        return await self._read(self._lists.oldest_run_at)

    async def runs(self, org_id: str, query: RunsQuery) -> RunsPage:
        return await self._read(lambda: self._lists.runs(org_id, query))

    async def claim_machine_id(self) -> int:
        async with self._turn:
            return await self._write(self._writer.claim_machine_id)

    async def spare_machine_id(self) -> int:
        return self._points.spare_machine_id()

    async def action(self, org_id: str, action_id: str) -> Action | None:
        return self._points.action(org_id, action_id)

    async def actions(self, org_id: str, query: ActionsQuery = EVERY_ACTION) -> Page:
        return await self._read(lambda: self._lists.actions(org_id, query))

    async def flow(self, org_id: str, type: int) -> FlowRead:
        return await self._read(lambda: self._lists.flow(org_id, type))

    async def active_actions(self, org_id: str, type: int, trigger: int) -> Sequence[Action]:
        few = self._points.active_actions(org_id, type, trigger, most=TRIGGER_AT_ONCE_MAX)
        if few is not None:
            return few
        return await self._read(lambda: self._lists.active_actions(org_id, type, trigger)) or ()

    async def org(self, org_id: str) -> Org | None:
        return self._points.org(org_id)

    async def org_id_by_name(self, name: str) -> str | None:
        return self._points.org_id_by_name(name)

    async def first_org(self) -> Org | None:
        return self._points.first_org()

    async def orgs(self) -> Sequence[Org]:
        return await self._read(self._lists.orgs)

    async def ended_orgs(self) -> Sequence[EndedOrg]:
        return await self._read(self._lists.ended_orgs)

    async def contents(self, org_id: str) -> Contents:
        return await self._read(lambda: self._lists.contents(org_id))

    async def some_contents(self, org_id: str, *, limit: int, chars_max: int) -> Sequence[Key]:
        return await self._read(lambda: self._lists.some_contents(org_id, limit, chars_max))

    async def user(self, user_id: str) -> User | None:
        return self._points.user(user_id)

    async def user_by_subject(self, subject: str) -> User | None:
        return self._points.user_by_subject(subject)

    async def users(self, org_id: str) -> Sequence[User]:
        return await self._read(lambda: self._lists.users(org_id))

    async def member(self, org_id: str, user_id: str) -> Member | None:
        return self._points.member(org_id, user_id)

    async def members(self, org_id: str) -> Sequence[Member]:
        return await self._read(lambda: self._lists.members(org_id))

    async def instance_owners(self) -> Sequence[Member]:
        return await self._read(self._lists.instance_owners)

    async def memberships(self, user_id: str) -> Sequence[Member]:
        return self._points.memberships(user_id)

    async def token(self, token_id: str) -> Token | None:
        return self._points.token(token_id)

    async def token_by_hash(self, secret_hash: bytes) -> Token | None:
        return self._points.token_by_hash(secret_hash)

    async def tokens(self, user_id: str) -> Sequence[Token]:
        return await self._read(lambda: self._lists.tokens(user_id))

    async def events(self, *, after: int = 0, limit: int = 1000) -> Sequence[RecordedEvent]:
        return await self._read(lambda: self._lists.events(after, limit))

    async def check(self) -> None:
        """Returns if the store can be read, and is where it was; keeps its last position.

        Raises:
            StorageError: it is not.
        """
        await self._read(self._lists.is_empty)
        # Not by `_write`, which does not end before the disk does.
        await self._writing.submit(self._writer.check)

    async def last_event_at(self) -> int:
        return self._points.last_event_at()

    async def is_empty(self) -> bool:
        return self._points.is_empty()

    async def _begin(self) -> sqlite3.Connection:
        """Begin to write once no other program does: nobody but who writes waits for it."""
        try:
            return await self._write(self._writer.begin_patiently)
        except asyncio.CancelledError:
            self._writer.close()  # and what it has begun
            raise

    async def _write(self, call: Callable[[], T]) -> T:
        """Run what waits for the disk; whoever leaves meanwhile leaves when it is done."""
        done = self._writing.submit(call)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise

    async def _read(self, call: Callable[[], T]) -> T:
        return await self._reading.submit(call)


def rebuild(folder: Path, progress: Progress, *, clock: Clock = wall_clock) -> int:
    """Makes the current states in a data folder anew from its events; returns how many there are.

    Raises:
        DataFolderInUse: another process has it.
        StorageError: there is no database, or it cannot be rebuilt; its states are as they were.
    """
    path = folder / DATABASE_FILE
    if not path.exists():
        raise StorageError(f"{folder} has no database yet; run `serve` or `org create` first")
    claimed = DataFolder.claim(folder)
    writer = Writer(path, clock)
    try:
        writer.open()
        return writer.rebuild(progress)
    finally:
        writer.close()
        claimed.release()
