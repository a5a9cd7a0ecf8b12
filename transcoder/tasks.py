"""Runs calls in tasks, cancels each at most once, and waits for all of them when serving stops.

A call ends early if its client leaves, its deadline passes or the server stops; all three may
happen to one call. A second cancellation would interrupt the cleanup of its handler, so only the
first one cancels the task.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


class Tasks:
    """The tasks that have not ended; they may outlive the code that started them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Remembers the task for `ended`, until it ends."""
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._done)

    async def run(
        self,
        work: Coroutine[Any, Any, R],
        *,
        timeout_s: float | None = None,
        on_timeout: Callable[[], None] = lambda: None,
        on_cancel: Callable[[], None] = lambda: None,
    ) -> R:
        """Runs the work in a task of its own, and returns its result.

        The task is cancelled at the timeout, or when the caller is cancelled. Then this does not
        wait for it: it does its cleanup alone.

        Args:
            work: the coroutine to run.
            timeout_s: max seconds; None for no limit.
            on_timeout: called before the task is cancelled at the timeout.
            on_cancel: called before the task is cancelled because the caller is.

        Raises:
            TimeoutError: the work takes longer than `timeout_s`.
        """
        task = asyncio.get_running_loop().create_task(work)
        self.keep(task)
        try:
            await asyncio.wait((task,), timeout=timeout_s)
        except asyncio.CancelledError:
            on_cancel()
            task.cancel()
            raise
        if task.done():
            return task.result()
        on_timeout()
        task.cancel()
        raise TimeoutError

    async def ended(self, within_s: float) -> None:
        """Waits until all tasks have ended, `within_s` seconds at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it; the caller gets it
