"""Tasks of calls: each is cancelled once, and waited for at the end.

A client leaves, a deadline passes, the server stops: a call may meet all three, in any order. The
first cancels it. A second cancellation would cut the cleanup that the handler does after the first.
So only the owner of a task cancels it, once.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


class Tasks:
    """Tasks that may outlive their callers."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Waits for the task at the end, if it has not ended by then."""
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
        """Runs the work in a task of its own.

        The task is cancelled when the time is over or the caller is cancelled, whichever is first,
        and is not waited for then: it ends by itself.

        Args:
            work: what is done.
            timeout_s: None for as long as it takes.
            on_timeout: called before the task is cancelled because the time is over.
            on_cancel: called before the task is cancelled because the caller is.

        Raises:
            TimeoutError: the time is over.
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
        """Waits until all have ended, or the time is over."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it; the caller has it
