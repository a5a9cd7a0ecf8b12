"""Decodes, encodes, compresses and inflates large bodies in a thread, not on the event loop.

Rule 1: one thread. Python runs one thread at a time: more threads would not finish earlier, but
delay the event loop and hold more memory (R18).
Rule 2: the queue is bounded. Requests beyond the bound are refused; answers never are, since their
calls have run.
Rule 3: each owner has a thread of its own; nothing of the whole process is changed.
"""

import functools
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from transcoder.errors import exhausted
from transcoder.threads import Threads

P = ParamSpec("P")
R = TypeVar("R")

OFFLOADED_MAX: Final = 256
"""Max requests that wait for the thread or are in it; more are refused."""


class Offload:
    """A thread for large bodies; it starts with the first one, and again after `close`."""

    def __init__(self, *, waiting_max: int = OFFLOADED_MAX) -> None:
        self._waiting_max = waiting_max
        self._waiting = 0
        self._threads = Threads("transcoder", threads_max=1)

    async def request(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a part of reading a request; cancelled before it begins, it does not run.

        Raises:
            TranscodeError: RESOURCE_EXHAUSTED, too many requests wait.
        """
        if self._waiting >= self._waiting_max:
            raise exhausted("too many large requests at once, try again later")
        return await self.answer(work, *args, **kwargs)

    async def answer(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a part of writing an answer; the limit of open calls bounds how many wait."""
        self._waiting += 1
        try:
            return await self._threads.run(functools.partial(work, *args, **kwargs))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Has the thread end after the queued work; does not wait for it."""
        self._threads.close()
