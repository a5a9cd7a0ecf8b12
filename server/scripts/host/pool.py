"""Manages the worker processes: starts them, lends them to actions, replaces and ends them.

A run has a slot from its first action to its last, and one process at a time: each action gets the
process that can run it soonest. There are more slots than cores: workers have a lower priority than
the service, and many only wait for the network. `turns` decides which run gets a slot.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog

from server.scripts.contract import Options, Unavailable
from server.scripts.host.process import EndedAtStart, Process
from server.scripts.host.turns import Turns
from server.scripts.protocol import CPU_MAX_S
from server.triggers import Trigger

RESIDENT_MAX_BYTES: Final = 40 << 20
"""Max bytes of resident memory; a process with more is replaced after its action. Three times
that of a new one."""

IDLE_MAX_S: Final = 10.0
"""Seconds after which an idle process beyond the warm ones is ended."""

_WORKERS_PER_CORE: Final = 4
_STARTS_MAX: Final = 4
"""Max processes started for one run. A system short of memory kills several in a row."""

log = structlog.get_logger()


def default_workers() -> int:
    """Returns the max number of processes if the options do not set it."""
    return _WORKERS_PER_CORE * _cores()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool:
    """Lends processes from `start` to `close`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._slots_max = options.workers_max or default_workers()
        self._warm = min(options.workers_warm or _cores(), self._slots_max)
        self.turns: Final = Turns(
            self._slots_max,
            queue_max=options.queue_max,
            timeout_s=options.queue_timeout_s,
            waiting_max_bytes=options.waiting_max_bytes,
        )
        self._idle: list[Process] = []
        self._processes: set[Process] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = 0
        self._trimming: asyncio.TimerHandle | None = None
        self._is_closed = False
        self.kills = 0

    async def start(self) -> None:
        """Starts the warm processes; keeps those that start, also if others fail.

        Raises:
            Unavailable: a process cannot start. Later runs try again.
        """
        started = await asyncio.gather(
            *(self._new() for _ in range(self._warm)), return_exceptions=True
        )
        self._idle += [outcome for outcome in started if isinstance(outcome, Process)]
        for outcome in started:
            if isinstance(outcome, BaseException):
                raise outcome
        log.info(
            "script workers are ready",
            warm=self._warm,
            at_most=self._slots_max,
            protections=",".join(self._idle[0].protections),
        )

    async def close(self) -> None:
        """Ends every process, every run and every wait."""
        self._is_closed = True
        if self._trimming is not None:
            self._trimming.cancel()
        self.turns.close()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        # They stay in the set while they end: `_give_back` must not use them.
        await asyncio.gather(*(process.stop() for process in self._processes))
        self._processes.clear()

    def pids(self) -> set[int]:
        """Returns the ids of the processes."""
        return {process.pid for process in self._processes}

    @asynccontextmanager
    async def process(self, trigger: Trigger) -> AsyncIterator[Process]:
        """Yields a process for one action of the trigger.

        Raises:
            Unavailable: none can be started.
        """
        process = await self._take(trigger)
        process.trigger = trigger
        try:
            yield process
        finally:
            self._give_back(process)

    async def _take(self, trigger: Trigger) -> Process:
        while self._idle:
            process = self._best(trigger)
            self._idle.remove(process)
            if process.is_alive:
                return process
            self._retire(process)
        return await self._new()

    def _best(self, trigger: Trigger) -> Process:
        """Returns the idle process that can run an action of the trigger soonest.

        Of equal ones, the last used: so unneeded processes stay idle, and are ended.
        """
        fresh = [process for process in reversed(self._idle) if process.is_fresh]
        if not fresh:
            return self._idle[0]
        return next((process for process in fresh if process.trigger == trigger), fresh[0])

    def _give_back(self, process: Process) -> None:
        if self._is_closed:
            return
        if process.has_ended or self._is_worn(process):
            self._retire(process)
            return
        self._idle.append(process)
        if len(self._processes) > self._warm and self._trimming is None:
            self._trim()

    def _trim(self) -> None:
        """Ends processes beyond the warm ones after `IDLE_MAX_S`; repeats while there are some."""
        loop = asyncio.get_running_loop()
        self._trimming = None
        while (
            len(self._processes) > self._warm
            and self._idle
            and loop.time() - self._idle[0].used_at > IDLE_MAX_S
        ):
            self._retire(self._idle.pop(0))
        if len(self._processes) > self._warm and not self._is_closed:
            self._trimming = loop.call_later(IDLE_MAX_S / 2, self._trim)

    def _is_worn(self, process: Process) -> bool:
        return (
            process.runs >= self._options.runs_max
            or process.busy_s > CPU_MAX_S / 2
            or process.resident_bytes() > RESIDENT_MAX_BYTES
        )

    # --- processes

    async def _new(self) -> Process:
        self._refuse_when_closed()
        self._starting += 1
        try:
            process = await self._started()
        except Unavailable:
            raise
        except Exception as error:
            log.exception("script worker failed to start; the next run tries again")
            raise Unavailable(f"script worker cannot start: {type(error).__name__}") from None
        finally:
            self._starting -= 1
        try:
            self._refuse_when_closed()
        except Unavailable:
            await process.stop()
            raise
        self._processes.add(process)
        return process

    async def _started(self) -> Process:
        """Starts a process; again if it exits at its start, as no action has run yet."""
        for _ in range(_STARTS_MAX - 1):
            with suppress(EndedAtStart):
                return await Process.start(self._options, self._lost)
        return await Process.start(self._options, self._lost)

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise Unavailable("the service is stopping")

    def _lost(self, process: Process) -> None:
        """Replaces an idle process that exited, before a run needs it."""
        if process in self._idle and not self._is_closed:
            self._idle.remove(process)
            self._retire(process)

    def _retire(self, process: Process) -> None:
        """Ends a process; starts another if fewer than the warm ones are left."""
        self._processes.discard(process)
        self._background(self._end(process))
        if len(self._processes) + self._starting < self._warm and not self._is_closed:
            self._starting += 1
            self._background(self._replace())

    async def _end(self, process: Process) -> None:
        was_alive = process.is_alive
        code = await process.stop()
        if not was_alive:
            self.kills += 1
            log.warning("script worker exited", pid=process.pid, code=code)

    async def _replace(self) -> None:
        self._starting -= 1
        try:
            process = await self._new()
        except Unavailable as error:
            # The next run starts one itself, or fails.
            if not self._is_closed:
                log.error("script worker was not replaced", reason=str(error))
            return
        if len(self._idle) < self._warm:
            self._idle.append(process)
        else:
            self._retire(process)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
