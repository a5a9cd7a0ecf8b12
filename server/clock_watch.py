"""Logs when the wall clock is set, or was wrong when the service last ran.

Compares it to the clock that cannot be set (`elapsed_clock`). After each step it calls `on_step`,
which drops what is cached until a time of the wall clock.

Rule: this changes no time. Events get the time of the wall clock.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from server import tasks
from server.clock import Clock, elapsed_clock, text_of, wall_clock

STEP_MIN_S: Final = 3.0
"""Min seconds of a reported step; time synchronisation makes smaller ones."""

LOOK_S: Final = 5.0
"""Seconds between two comparisons of the clocks."""

_US: Final = 10**6

log = structlog.get_logger()


class ClockWatch:
    """Compares the clocks from `start` to `close`."""

    def __init__(
        self,
        on_step: Callable[[], None],
        *,
        clock: Clock = wall_clock,
        elapsed: Clock = elapsed_clock,
    ) -> None:
        """Notes the time now; a later step is measured from it.

        Args:
            on_step: called after each step.
            clock: the wall clock.
            elapsed: the clock that cannot be set.
        """
        self._on_step = on_step
        self._clock = clock
        self._elapsed = elapsed
        self._ahead = clock() - elapsed()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._look_forever())

    async def close(self) -> None:
        await tasks.end(self._task)

    def compare(self, last_event_at: int) -> None:
        """Warns if the clock is before the time of the last event that is stored."""
        now = self._clock()
        if last_event_at - now >= STEP_MIN_S * _US:
            log.warning(
                "the clock is behind the last event: it is wrong now, or was then",
                now=text_of(now),
                last_event=text_of(last_event_at),
            )

    def look(self) -> None:
        """Logs a step since the last call."""
        now = self._clock()
        ahead = now - self._elapsed()
        step_s = (ahead - self._ahead) / _US
        self._ahead = ahead
        if abs(step_s) >= STEP_MIN_S:
            log.warning("the clock was set", step_s=round(step_s, 1), now=text_of(now))
            self._on_step()

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()
