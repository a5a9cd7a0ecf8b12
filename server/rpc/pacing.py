"""Spaces out refusals of callers without a valid token, so that they take little CPU from others.

Follows the generic cell rate algorithm (ITU-T I.371, annex A), which keeps one time: that of the
next turn.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

RATE: Final = 200
"""Turns per second; callers beyond it wait."""

BURST: Final = 200
"""Max turns at once, after a pause."""

WAIT_MAX_S: Final = 1.0
"""Max seconds of a wait."""

CALLERS_WAITING_MAX: Final = 1_000
"""Max callers that wait; beyond it turns come at once, as each waiting call takes memory."""


class Pace:
    """Gives turns at `RATE`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_at = clock()
        self._waiting = 0

    async def turn(self) -> None:
        """Waits for the caller's turn, at most `WAIT_MAX_S`."""
        delay_s = self._delay_s()
        if delay_s <= 0 or self._waiting >= CALLERS_WAITING_MAX:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(delay_s)
        finally:
            self._waiting -= 1

    def _delay_s(self) -> float:
        now = self._clock()
        self._next_at = max(self._next_at, now - BURST / RATE) + 1 / RATE
        delay_s = min(self._next_at - now, WAIT_MAX_S)
        self._next_at = min(self._next_at, now + WAIT_MAX_S)
        return delay_s
