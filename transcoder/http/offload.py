"""Does work that would hold the event loop: decodes, encodes and (de)compresses large bodies.

Rule 1: one thread. Python runs one thread at once, so that more of them end no earlier: they only
have the loop wait longer for its turn, and hold more memory (R18).
Rule 2: what waits is bounded. The excess is refused while it is a request; an answer is never
refused, since its call has been made.
Rule 3: the thread is its owner's, and nothing here changes the process around it.
"""

import functools
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from transcoder.errors import exhausted
from transcoder.threads import Threads

P = ParamSpec("P")
R = TypeVar("R")

OFFLOADED_MAX: Final = 256
"""Requests that wait for the thread, or are in it; more are refused."""


class Offload:
    """A thread for large bodies; it starts with the first one, and again after `close`."""

    def __init__(self, *, waiting_max: int = OFFLOADED_MAX) -> None:
        self._waiting_max = waiting_max
        self._waiting = 0
        self._threads = Threads("transcoder", threads_max=1)

    async def request(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Does a part of reading a request.

        What has not begun when its caller is cancelled is not done.

        Raises:
            TranscodeError: RESOURCE_EXHAUSTED, too many wait.
        """
        if self._waiting >= self._waiting_max:
            raise exhausted("too many large requests at once, try again later")
        return await self.answer(work, *args, **kwargs)

    async def answer(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Does a part of writing an answer; the calls in flight bound how many wait."""
        self._waiting += 1
        try:
            return await self._threads.run(functools.partial(work, *args, **kwargs))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Ends the thread once it has done what waits; does not wait for it."""
        self._threads.close()
