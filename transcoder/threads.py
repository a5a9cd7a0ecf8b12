"""Runs work in a thread, and keeps nothing of it once nobody waits for it.

Rule: an executor keeps what it was given until a thread takes it up, also when it was cancelled. So
it is given a place that can be emptied, and not the work itself, which may hold a large request.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

R = TypeVar("R")


async def run_in(executor: Executor, work: Callable[[], R]) -> R:
    """Returns the result of the work; work that has not begun when it is cancelled is not done."""
    place = [work]
    del work
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, _take, place)
    finally:
        place.clear()


def _take(place: list[Callable[[], R]]) -> R:
    return place.pop()()
