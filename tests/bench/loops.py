"""Work without a server: a function called in a loop, in this process, by its CPU time a call.

Rule 1: a function is right before it is measured; `Loop.prepare` sees to that.
Rule 2: the collector rests meanwhile, as in timeit: a pause that falls on one side of a ratio is
not that side's cost. A function must not need it.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Final

from tests.bench.load import Measured

SHARE: Final = 0.25
"""The part of a load stretch's time that a loop takes: nothing has to settle."""
_BATCH_S: Final = 0.002
"""Between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One row.

    Attributes:
        prepare: makes what is called; raises WrongAnswer where that is not right.
        parts: what a call counts for.
    """

    name: str
    title: str
    prepare: Callable[[], Callable[[], object]]
    parts: int = 1


def measure_loop(call: Callable[[], object], *, parts: int, seconds: float) -> Measured:
    """Call it again and again.

    Args:
        call: what is measured.
        parts: what a call counts for.
        seconds: how long, at least.
    """
    gc.collect()
    gc.disable()
    try:
        batch = _batch(call)
        calls = 0
        wall, cpu = time.perf_counter(), time.thread_time()
        until = wall + seconds
        while time.perf_counter() < until:
            for _ in repeat(None, batch):
                call()
            calls += batch
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
    finally:
        gc.enable()
    return Measured(calls * parts, wall, server_cpu_s=cpu, client_cpu_s=0.0)


def _batch(call: Callable[[], object]) -> int:
    """Returns how many calls take `_BATCH_S`, a power of two; the calls are a warm-up too."""
    batch = 1
    while True:
        began = time.perf_counter()
        for _ in repeat(None, batch):
            call()
        if time.perf_counter() - began >= _BATCH_S:
            return batch
        batch *= 2
