"""Reads the time of the service: integer microseconds since the epoch, UTC.

The wall clock may be wrong, and may be set while the service runs. So times never order events:
positions do. A duration that must not depend on the wall clock is measured by `elapsed_clock`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Clock: TypeAlias = Callable[[], int]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux a clock that counts suspended time, as the wall clock does."""


def wall_clock() -> int:
    return time.time_ns() // 1000


def elapsed_clock() -> int:
    """Returns microseconds since an unknown moment; this clock cannot be set."""
    return time.clock_gettime_ns(_ELAPSED) // 1000


def exact_text_of(time: int) -> str:
    """Returns a time in ISO 8601 with microseconds: "2026-01-02T03:04:05.678901Z"."""
    moment = _EPOCH + timedelta(microseconds=time)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def time_of(text: str) -> int:
    """Returns the time of a text that `exact_text_of` makes.

    Raises:
        ValueError: it has another form.
    """
    moment = datetime.fromisoformat(text)
    time = 0 if moment.tzinfo is None else (moment - _EPOCH) // timedelta(microseconds=1)
    if exact_text_of(time) != text:
        raise ValueError(f"expected a time as {exact_text_of(0)}, got {text[:40]!r}")
    return time


def text_of(time: int) -> str:
    """Returns a time in ISO 8601; in microseconds if its year has not four digits."""
    try:
        return (_EPOCH + timedelta(microseconds=time)).isoformat(timespec="seconds")
    except OverflowError:
        return f"{time} us"
