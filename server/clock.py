"""The time, as the service counts it: integer microseconds since the epoch, UTC."""

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]


def wall_clock() -> int:
    return time.time_ns() // 1000
