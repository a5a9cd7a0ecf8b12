"""Measures how busy this process is: CPU time over wall time, smoothed.

Of the whole process: grpc.aio works in threads of its own, which the loop's CPU time does not show.
"""

import time
from collections.abc import Callable
from typing import Final

SMOOTHED_S: Final = 0.010
"""Seconds that a change takes to show: about as long as a batch may be gathered for."""


class ProcessLoad:
    """The share of a core that the process used lately; above 1 with more than one core."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._wall = wall
        self._cpu = cpu
        self._at = wall()
        self._used = cpu()
        self._share = 0.0

    def share(self) -> float:
        """Returns the share until now, in which the last `SMOOTHED_S` count for the most."""
        at, used = self._wall(), self._cpu()
        passed = at - self._at
        if passed > 0:
            lately = (used - self._used) / passed
            self._share += (lately - self._share) * min(passed / SMOOTHED_S, 1)
            self._at, self._used = at, used
        return self._share
