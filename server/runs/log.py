"""Writes the log of runs, some time after they were: a run waits for nothing.

What waits to be written is bounded. When there is too much of it, the oldest is dropped and
counted: the service runs actions also while storage cannot be written.

Runs that are too old are deleted at a bounded pace, an hour's worth of the log in ten minutes: with
a clock that is years ahead all runs are too old, and an operator has to see that before they go.

Rule: once `close` returns, all that was added is in the log, or is counted as dropped.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from server.clock import Clock, text_of, wall_clock
from server.store.errors import StorageError
from server.store.runs import LoggedRun, RunsPage, RunsQuery, RunStore

RUNS_WAITING_MAX_BYTES: Final = 8 << 20
"""Runs in memory, as `LoggedRun.size` counts them."""

RUNS_BATCH_MAX: Final = 256
RUNS_BATCH_MAX_BYTES: Final = 1 << 20
"""Runs in one transaction, which every write of the service waits for: some milliseconds."""

RUNS_GATHER_S: Final = 0.2
RUNS_RETRY_S: Final = 5.0
PRUNE_S: Final = 600.0
"""Seconds between two passes that delete runs that are too old."""

SHARE_S: Final = 3600.0
"""Max seconds of the log, from its oldest run on, that one pass deletes."""

FAR_TOO_OLD_S: Final = 86_400.0
"""A run that should have gone so much earlier is reported."""

_US: Final = 10**6

log = structlog.get_logger()


class RunLog:
    def __init__(
        self,
        store: RunStore,
        *,
        keep_s: float,
        max_bytes: int,
        waiting_max_bytes: int = RUNS_WAITING_MAX_BYTES,
        clock: Clock = wall_clock,
    ) -> None:
        """Logs nothing yet.

        Args:
            store: where runs are kept.
            keep_s: how long a run is kept.
            max_bytes: how much is kept of all; 0 for nothing at all.
            waiting_max_bytes: how much may wait to be written.
            clock: of the same time as that of the runs.
        """
        self._store = store
        self._keep_us = int(keep_s * _US)
        self._max_bytes = max_bytes
        self._waiting_max_bytes = waiting_max_bytes
        self._clock = clock
        self._waiting: deque[LoggedRun] = deque()
        self._waiting_bytes = 0
        self._horizon = 0  # runs that started earlier are deleted
        self._pass_due_at = 0.0
        self._is_reported = False
        self._is_failing = False
        self._added = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._write_forever())

    async def close(self) -> None:
        """Writes what waits, as far as storage lets."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        try:
            await self._flush()
        except StorageError as error:
            lost = len(self._waiting)
            self.dropped += lost
            log.error("runs were not logged", runs=lost, reason=str(error))

    def add(self, run: LoggedRun) -> None:
        """Logs a run later; drops the oldest that waits if there is no room."""
        if not self._max_bytes:
            return
        self._waiting.append(run)
        self._waiting_bytes += run.size
        self._drop_what_is_too_much()
        self._added.set()

    async def page(self, org_id: str, query: RunsQuery) -> RunsPage:
        """Reads the log; what was added before is in it, and what is too old is not.

        Raises:
            StorageError: the log cannot be written, or read.
        """
        if self._writing is not None or any(run.org_id == org_id for run in self._waiting):
            await self._flush()
        return await self._store.runs(org_id, replace(query, since=self._since()))

    def _since(self) -> int:
        """Returns when the oldest run that is not too old started."""
        return self._clock() - self._keep_us

    async def _write_forever(self) -> None:
        while True:
            try:
                await self._delete_old()
                await self._flush()
            except StorageError as error:
                if not self._is_failing:
                    log.warning("runs cannot be logged now", reason=str(error))
                self._is_failing = True
                await asyncio.sleep(RUNS_RETRY_S)
                continue
            self._is_failing = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PRUNE_S):
                    await self._added.wait()
            await asyncio.sleep(RUNS_GATHER_S)
            self._added.clear()

    async def _delete_old(self) -> None:
        """Deletes a share of the runs that are too old, if a pass is due; the first deletes none.

        A service that is restarted over and over would delete all at once otherwise.
        """
        now = asyncio.get_running_loop().time()
        if now < self._pass_due_at:
            return
        oldest = await self._store.oldest_run_at()
        if oldest is not None:
            share_us = int(SHARE_S * _US) if self._pass_due_at else 0
            self._horizon = min(self._since(), oldest + share_us)
            self._report(oldest)
        while await self._write(()):
            pass
        self._pass_due_at = now + PRUNE_S

    def _report(self, oldest: int) -> None:
        """Warns once, for as long as runs are kept that are far too old."""
        is_far = self._since() - oldest > FAR_TOO_OLD_S * _US
        if is_far and not self._is_reported:
            log.warning(
                "runs are far too old and are deleted, a few at a time: is the clock right?",
                now=text_of(self._clock()),
                oldest_run=text_of(oldest),
            )
        self._is_reported = is_far

    async def _flush(self) -> None:
        """Writes what waits. A caller that leaves does not stop it."""
        if self._writing is None:
            if not self._waiting:
                return
            self._writing = asyncio.get_running_loop().create_task(self._write_waiting())
            self._writing.add_done_callback(self._written)
        writing = self._writing
        await asyncio.wait((writing,))
        error = writing.exception()
        if error is not None:  # an error for each who waits: one for all would grow a traceback
            raise StorageError(*error.args)

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, size = self._batch()
            self._waiting_bytes -= size
            try:
                await self._write(batch)
            except StorageError:
                self._waiting.extendleft(reversed(batch))
                self._waiting_bytes += size
                self._drop_what_is_too_much()
                raise

    def _batch(self) -> tuple[Sequence[LoggedRun], int]:
        """Takes the oldest that wait; and their size."""
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and len(batch) < RUNS_BATCH_MAX:
            size += self._waiting[0].size
            if size > RUNS_BATCH_MAX_BYTES:
                return batch, size - self._waiting[0].size
            batch.append(self._waiting.popleft())
        return batch, size

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing = None
        if not task.cancelled():
            task.exception()  # those who wait are told; there may be nobody

    async def _write(self, batch: Sequence[LoggedRun]) -> bool:
        since, max_bytes = self._horizon, self._max_bytes
        try:
            return await self._store.append_runs(batch, since=since, max_bytes=max_bytes)
        except StorageError:
            raise
        except Exception:
            log.exception("runs cannot be logged")
            raise StorageError("a fault while runs were logged") from None

    def _drop_what_is_too_much(self) -> None:
        while self._waiting_bytes > self._waiting_max_bytes:
            self._waiting_bytes -= self._waiting.popleft().size
            self.dropped += 1
