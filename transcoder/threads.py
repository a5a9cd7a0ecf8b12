"""Runs work in threads, and frees it at once when its caller is cancelled.

Rule: an executor keeps a queued item until a thread takes it, even if it was cancelled. So it gets
a list that can be emptied, and not the work itself, which may hold a large request.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")


class Threads:
    """A thread pool of one owner; it starts with the first work, and again after `close`."""

    def __init__(self, name: str, *, threads_max: int) -> None:
        self._name = name
        self._threads_max = threads_max
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], R]) -> R:
        """Runs the work and returns its result; cancelled before it begins, it does not run."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._threads_max, thread_name_prefix=self._name)
        slot = [work]
        del work
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, _take, slot)
        finally:
            slot.clear()

    def close(self) -> None:
        """Has the threads end after the queued work; does not wait for them."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)


def _take(slot: list[Callable[[], R]]) -> R:
    return slot.pop()()
