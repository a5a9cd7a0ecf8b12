"""Reads the time of the service: integer microseconds since the epoch, UTC.

The wall clock may be wrong, and be set while the service runs. So a time is a statement about an
event, and never its order: positions are. What has to pass whatever the clock is set to is measured
by `elapsed_clock`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Clock: TypeAlias = Callable[[], int]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Clock that also counts suspended time, on Linux, as the wall clock does."""


def wall_clock() -> int:
    return time.time_ns() // 1000


def elapsed_clock() -> int:
    """Returns microseconds since some moment; nobody can set it."""
    return time.clock_gettime_ns(_ELAPSED) // 1000


def text_of(time: int) -> str:
    """Returns the time for people; in microseconds if it is in no year that has four digits."""
    try:
        return (_EPOCH + timedelta(microseconds=time)).isoformat(timespec="seconds")
    except OverflowError:
        return f"{time} us"
