"""Spaces out refusals of callers without a good token, so that they cost the others little.

Follows the generic cell rate algorithm (ITU-T I.371, annex A): one time is kept, at
which the next turn comes.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

RATE: Final = 200
"""Turns per second; more wait."""

BURST: Final = 200
"""Max turns at once, after a pause."""

WAIT_MAX_S: Final = 1.0
"""Max seconds of a wait."""

CALLERS_WAITING_MAX: Final = 1_000
"""Max callers that wait at a time; others take their turn at once, as each that waits is held."""


class Pace:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_at = clock()
        self._waiting = 0

    async def turn(self) -> None:
        """Returns when it is the caller's turn."""
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
