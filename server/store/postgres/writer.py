"""Writes by one connection, one transaction at a time over all processes: load, decide, write.

A lock is taken before facts are loaded and held until they are committed (docs/decisions/0033): so
no decision is made on facts that another process changes meanwhile, positions are in the order of
commits without a gap, and no command is decided twice.
Rule: a failure leaves nothing written and its connection thrown away; the next batch opens another,
so writing works again as soon as the database does, also on another host.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from server.clock import Clock
from server.store.errors import StorageError
from server.store.log import Decide, Needs, Writes
from server.store.postgres import action_counts, state_tables
from server.store.postgres import runs as run_log
from server.store.postgres.connect import LOCK_MAX_S, STATEMENT_MAX_S, Connection, Server
from server.store.postgres.locks import Lock
from server.store.runs import ActionCounts, LoggedRun
from server.store.signing_keys import SigningKey

_BEGIN: Final = (
    f"BEGIN; SET LOCAL lock_timeout = '{LOCK_MAX_S}s'; "
    # A process that stops in the middle would keep all others waiting.
    f"SET LOCAL idle_in_transaction_session_timeout = '{STATEMENT_MAX_S}s'; "
)
_CLAIM_MACHINE_ID: Final = "UPDATE machine_ids SET last = (last + 1) % $1 RETURNING last"

MACHINE_IDS: Final = 2**16
"""Number of machine ids; they are claimed in turn."""


class Writer:
    """Holds the connection that writes; it is opened when it is first needed."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._connection: Connection | None = None

    async def commit(self, needs: Needs, decide: Decide) -> Writes:
        """Returns what it wrote."""
        async with self._transaction(Lock.COMMITS) as connection:
            with self._server.errors:
                loaded = await state_tables.load(connection, needs, now=self._clock())
            writes = decide(loaded)
            if writes.events:
                with self._server.errors:
                    await state_tables.write(connection, loaded.states, writes, has_new_events=True)
        return writes

    async def append_runs(
        self,
        runs: Sequence[LoggedRun],
        counts: Sequence[ActionCounts],
        *,
        since: int,
        max_bytes: int,
    ) -> bool:
        rows_max = run_log.PRUNED_MIN + 2 * len(runs)
        async with self._transaction(Lock.RUNS) as connection:
            with self._server.errors:
                await run_log.append(connection, runs)
                await action_counts.add(connection, counts)
                return await run_log.prune(
                    connection,
                    since=since,
                    now=self._clock(),
                    max_bytes=max_bytes,
                    rows_max=rows_max,
                )

    async def claim_machine_id(self) -> int:
        async with self._transaction(Lock.COMMITS) as connection:
            with self._server.errors:
                claimed: int = await connection.fetchval(_CLAIM_MACHINE_ID, MACHINE_IDS)
                return claimed

    async def publish_signing_key(self, key: SigningKey, now: int) -> None:
        async with self._transaction(Lock.COMMITS) as connection:
            with self._server.errors:
                await connection.execute("DELETE FROM signing_keys WHERE expires_at < $1", now)
                row = (key.id, key.public_key, key.expires_at)
                await connection.execute("INSERT INTO signing_keys VALUES ($1, $2, $3)", *row)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    @contextlib.asynccontextmanager
    async def _transaction(self, lock: Lock) -> AsyncIterator[Connection]:
        """Commits what is done inside; after an exception nothing of it is written."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._server.connect()
        connection = self._connection
        try:
            with self._server.errors:
                await connection.execute(_BEGIN + lock.statement)
            yield connection
            with self._server.errors:
                await connection.execute("COMMIT")
        except StorageError:
            self.close()
            raise
        except Exception:  # of `decide`, or a fault of ours: the connection is sound
            await self._roll_back(connection)
            raise
        except BaseException:
            self.close()
            raise

    async def _roll_back(self, connection: Connection) -> None:
        try:
            with self._server.errors:
                await connection.execute("ROLLBACK")
        except StorageError:
            self.close()
