"""Implements a store on PostgreSQL; several processes and machines share one database."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from server.clock import Clock, wall_clock
from server.domain.events import RecordedEvent
from server.store.engine import Forgetful
from server.store.errors import StorageError
from server.store.folder import DataFolder
from server.store.log import Decide, EventsOf, LastEvent, Needs
from server.store.postgres import action_counts, schema
from server.store.postgres import runs as run_log
from server.store.postgres.connect import READERS_MAX, Connection, Server, acquired
from server.store.postgres.event_reads import events_after, events_of, last_event
from server.store.postgres.follower import Follower
from server.store.postgres.locks import Lock, take
from server.store.postgres.read_model import ANSWERS
from server.store.postgres.rows import NUL, findable, is_id
from server.store.postgres.writer import MACHINE_IDS, Writer
from server.store.read_model import Query
from server.store.runs import ActionCounts, CountedActions, LoggedRun, RunsPage, RunsQuery
from server.store.signing_keys import SigningKey

T = TypeVar("T")
Q = TypeVar("Q")

_LAST_MACHINE_ID: Final = "SELECT last FROM machine_ids"
_TAKES_WRITES: Final = "SELECT NOT pg_is_in_recovery()"


class PostgresEventStore:
    """Implements `engine.Store`; made by `open`."""

    def __init__(
        self,
        server: Server,
        clock: Clock,
        folder: DataFolder,
        *,
        migrations: Sequence[str],
        position: int,
    ) -> None:
        self._server = server
        self._folder = folder
        self._turn = asyncio.Lock()
        self._writer = Writer(server, clock)
        self._pool = server.pool(connections_max=READERS_MAX)
        self._migrations = tuple(migrations)
        self._follower = Follower(server, position)
        self._reads = 0  # that run, or wait for a connection

    @classmethod
    async def open(
        cls, server: Server, folder: Path, *, admin: str = "", clock: Clock = wall_clock
    ) -> Self:
        """Claims the data folder, made if it is missing, and makes an empty database ready.

        Raises:
            DataFolderInUse: another process has the folder.
            StorageError: the database cannot be used; the text is for the operator.
        """
        claimed = DataFolder.claim(folder, admin=admin)
        try:
            async with server.connection() as connection:
                with server.errors:
                    applied = await schema.open_schema(connection, server.shown, clock())
                    position = (await last_event(connection)).position
            self = cls(server, clock, claimed, migrations=applied, position=position)
            with server.errors:
                await self._pool
            return self
        except BaseException:
            claimed.release()
            raise

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    @property
    def migrations(self) -> tuple[str, ...]:
        return self._migrations

    def following(self, kept: Sequence[Forgetful]) -> AbstractAsyncContextManager[None]:
        return self._follower.telling(kept)

    @property
    def reads_waiting(self) -> int:
        return max(self._reads - READERS_MAX, 0)

    @contextlib.asynccontextmanager
    async def starting(self) -> AsyncIterator[None]:
        async with self._server.connection() as connection:
            with self._server.errors:
                await connection.execute("BEGIN")
                await take(connection, Lock.START)
            yield

    async def close(self) -> None:
        """Releases the folder; a commit that runs ends first."""
        async with self._turn:
            self._writer.close()
        self._pool.terminate()
        self._folder.release()

    async def commit(self, needs: Needs, decide: Decide) -> None:
        async with self._turn:
            self._follower.note(await self._writer.commit(needs, decide))

    async def append_runs(
        self,
        runs: Sequence[LoggedRun],
        counts: Sequence[ActionCounts],
        *,
        since: int,
        max_bytes: int,
    ) -> bool:
        async with self._turn:
            return await self._writer.append_runs(runs, counts, since=since, max_bytes=max_bytes)

    async def claim_machine_id(self) -> int:
        async with self._turn:
            return await self._writer.claim_machine_id()

    async def publish_signing_key(self, key: SigningKey, *, now: int) -> None:
        async with self._turn:
            await self._writer.publish_signing_key(key, now)

    async def spare_machine_id(self) -> int:
        async with self._reader() as connection:
            last: int = await connection.fetchval(_LAST_MACHINE_ID)
        return (last + MACHINE_IDS // 4 + secrets.randbelow(MACHINE_IDS // 2)) % MACHINE_IDS

    async def oldest_run_at(self) -> int | None:
        async with self._reader() as connection:
            return await run_log.oldest_at(connection)

    async def runs(self, org_id: str, query: RunsQuery) -> RunsPage:
        async with self._reader() as connection:
            return await run_log.read_page(connection, org_id, _askable(query))

    async def counted_actions(self, org_id: str) -> CountedActions:
        async with self._reader() as connection:
            return await action_counts.read(connection, findable(org_id))

    async def read(self, query: Query[T]) -> T:
        async with self._reader() as connection:
            answer: T = await ANSWERS[type(query)](connection, _askable(query))
            return answer

    async def events(self, *, after: int = 0, limit: int = 1000) -> Sequence[RecordedEvent]:
        async with self._reader() as connection:
            return await events_after(connection, after, limit)

    async def events_of(self, asked: EventsOf) -> Sequence[RecordedEvent]:
        async with self._reader() as connection:
            return await events_of(connection, asked)

    async def last_event(self) -> LastEvent:
        async with self._reader() as connection:
            return await last_event(connection)

    async def check(self) -> None:
        """Returns if the store can be read and written.

        Raises:
            StorageError: it cannot.
        """
        async with self._reader() as connection:
            if await connection.fetchval(_TAKES_WRITES):
                return
            # After a fail-over: what is idle is connected to a host that is a standby now.
            await self._pool.expire_connections()
        raise StorageError(f"event store {self._server.shown}: read-only, as a standby is")

    @contextlib.asynccontextmanager
    async def _reader(self) -> AsyncIterator[Connection]:
        self._reads += 1
        try:
            with self._server.errors:
                connection = await acquired(self._pool)
                try:
                    yield connection
                finally:
                    await self._pool.release(connection)
        finally:
            self._reads -= 1


def _askable(query: Q) -> Q:
    """Returns the query with ids that can be looked up."""
    asked: Any = query  # a dataclass, as all queries are
    changed = {
        field.name: findable(value)
        for field in fields(asked)
        if is_id(field.name) and NUL in (value := getattr(asked, field.name))
    }
    return query if not changed else replace(asked, **changed)
