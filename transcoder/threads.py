"""Runs work in threads, and keeps nothing of it once nobody waits for it.

Rule: an executor keeps what it was given until a thread takes it up, also when it was cancelled. So
it is given a place that can be emptied, and not the work itself, which may hold a large request.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")


class Threads:
    """Threads of one owner; they start with the first work, and again after `close`."""

    def __init__(self, name: str, *, threads_max: int) -> None:
        self._name = name
        self._threads_max = threads_max
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], R]) -> R:
        """Returns the result; work that has not begun when it is cancelled is not done."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._threads_max, thread_name_prefix=self._name)
        place = [work]
        del work
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, _take, place)
        finally:
            place.clear()

    def close(self) -> None:
        """Ends the threads once they have done what waits; does not wait for them."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)


def _take(place: list[Callable[[], R]]) -> R:
    return place.pop()()
