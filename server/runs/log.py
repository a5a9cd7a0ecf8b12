"""Writes the log of runs and the counts of actions in the background: no run waits for them.

Waiting entries are bounded. Beyond the limit the oldest is dropped and counted: actions also run
while storage cannot be written. Counts are not dropped: there is one entry for each action.

Expired runs are deleted slowly, an hour of the log in ten minutes: if the clock is years ahead all
runs are expired, and the operator must have time to notice it.

Rule: once `close` returns, every added run is in the log or counted as dropped.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from server import tasks
from server.clock import Clock, text_of, wall_clock
from server.runs.pending_counts import PendingCounts
from server.scripts.contract import ActionResult
from server.store.errors import StorageError
from server.store.runs import (
    ActionCounts,
    CountedActions,
    LoggedRun,
    RunsPage,
    RunsQuery,
    RunStore,
)

RUNS_WAITING_MAX_BYTES: Final = 8 << 20
"""Max bytes of runs that wait, by `LoggedRun.size`; beyond it the oldest are dropped."""

RUNS_BATCH_MAX: Final = 256
RUNS_BATCH_MAX_BYTES: Final = 1 << 20
"""Max runs and bytes of one transaction, for which every other write waits some ms."""

RUNS_GATHER_S: Final = 0.2
"""Seconds from the first waiting run to its transaction, in which others join."""

RUNS_RETRY_S: Final = 5.0
"""Seconds between attempts to write while storage fails."""

PRUNE_S: Final = 600.0
"""Seconds between two passes that delete expired runs."""

PRUNED_MAX_S: Final = 3600.0
"""Max seconds of the log that one pass deletes, counted from the oldest run."""

FAR_TOO_OLD_S: Final = 86_400.0
"""Seconds since a run expired after which a warning reports it."""

_US: Final = 10**6

log = structlog.get_logger()


class RunLog:
    """Queues runs and counts, and writes them in the background."""

    def __init__(
        self,
        store: RunStore,
        *,
        keep_s: float,
        max_bytes: int,
        waiting_max_bytes: int = RUNS_WAITING_MAX_BYTES,
        clock: Clock = wall_clock,
    ) -> None:
        """Takes the store and the limits.

        Args:
            store: holds the runs.
            keep_s: seconds for which a run is kept.
            max_bytes: of all runs in the store; 0 disables the log, not the counts.
            waiting_max_bytes: of runs that wait to be written.
            clock: the clock of the runs' start times.
        """
        self._store = store
        self._keep_us = int(keep_s * _US)
        self._max_bytes = max_bytes
        self._waiting_max_bytes = waiting_max_bytes
        self._clock = clock
        self._waiting: deque[LoggedRun] = deque()
        self._waiting_bytes = 0
        self._counts = PendingCounts()
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
        """Writes what waits, if storage can be written."""
        await tasks.end(self._task)
        try:
            await self._flush()
        except StorageError as error:
            lost = len(self._waiting)
            self.dropped += lost
            log.error("runs were not logged", runs=lost, reason=str(error))

    def add(self, run: LoggedRun) -> None:
        """Queues a run; drops the oldest that waits if there is no room."""
        if not self._max_bytes:
            return
        self._waiting.append(run)
        self._waiting_bytes += run.size
        self._drop_excess()
        self._added.set()

    def count(self, org_id: str, result: ActionResult) -> None:
        """Counts a run of an action."""
        self._counts.count(org_id, result)
        self._added.set()

    async def page(self, org_id: str, query: RunsQuery) -> RunsPage:
        """Reads the log, with every run added before and without expired ones.

        Raises:
            StorageError: the log cannot be written, or read.
        """
        if self._writing is not None or any(run.org_id == org_id for run in self._waiting):
            await self._flush()
        return await self._store.runs(org_id, replace(query, since=self._since()))

    async def counted_actions(self, org_id: str) -> CountedActions:
        """Reads the counts of an organisation, with all that were counted here before.

        Raises:
            StorageError: they cannot be written, or read.
        """
        if self._writing is not None or self._counts.has(org_id):
            await self._flush()
        return await self._store.counted_actions(org_id)

    def _since(self) -> int:
        """Returns the earliest start of a run that has not expired."""
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
        """Deletes some expired runs if a pass is due; the first pass deletes none.

        So a service that restarts again and again does not delete all runs.
        """
        now = asyncio.get_running_loop().time()
        if now < self._pass_due_at:
            return
        oldest = await self._store.oldest_run_at()
        if oldest is not None:
            share_us = int(PRUNED_MAX_S * _US) if self._pass_due_at else 0
            self._horizon = min(self._since(), oldest + share_us)
            self._report(oldest)
        while await self._write((), ()):
            pass
        self._pass_due_at = now + PRUNE_S

    def _report(self, oldest: int) -> None:
        """Warns once while the log has runs that expired long ago."""
        is_far = self._since() - oldest > FAR_TOO_OLD_S * _US
        if is_far and not self._is_reported:
            log.warning(
                "runs are far too old and are deleted, a few at a time: is the clock right?",
                now=text_of(self._clock()),
                oldest_run=text_of(oldest),
            )
        self._is_reported = is_far

    async def _flush(self) -> None:
        """Writes what waits; goes on if the caller is cancelled."""
        if self._writing is None:
            if not self._waiting and not self._counts:
                return
            self._writing = asyncio.get_running_loop().create_task(self._write_waiting())
            self._writing.add_done_callback(self._written)
        writing = self._writing
        await asyncio.wait((writing,))
        error = writing.exception()
        if error is not None:  # an error for each caller: a shared one would grow its traceback
            raise StorageError(*error.args)

    async def _write_waiting(self) -> None:
        while self._waiting or self._counts:
            batch, size = self._batch()
            self._waiting_bytes -= size
            counts = self._counts.take()
            try:
                await self._write(batch, counts)
            except StorageError:
                self._counts.put_back(counts)
                self._waiting.extendleft(reversed(batch))
                self._waiting_bytes += size
                self._drop_excess()
                raise

    def _batch(self) -> tuple[Sequence[LoggedRun], int]:
        """Takes the oldest runs that wait; returns them and their size."""
        batch: list[LoggedRun] = []
        size = 0
        while self._waiting and len(batch) < RUNS_BATCH_MAX:
            if batch and size + self._waiting[0].size > RUNS_BATCH_MAX_BYTES:
                break
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        return batch, size

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing = None
        if not task.cancelled():
            task.exception()  # retrieved here: there may be no caller that raises it

    async def _write(self, runs: Sequence[LoggedRun], counts: Sequence[ActionCounts]) -> bool:
        since, max_bytes = self._horizon, self._max_bytes
        try:
            return await self._store.append_runs(runs, counts, since=since, max_bytes=max_bytes)
        except StorageError:
            raise
        except Exception:
            log.exception("runs cannot be logged")
            raise StorageError("logging runs failed") from None

    def _drop_excess(self) -> None:
        while self._waiting_bytes > self._waiting_max_bytes:
            self._waiting_bytes -= self._waiting.popleft().size
            self.dropped += 1
