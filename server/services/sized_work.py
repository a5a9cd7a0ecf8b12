"""Runs work on payloads: on the event loop if the payload is small, else in a thread."""

from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from server.threads import ThreadPool

INLINE_MAX_BYTES: Final = 32 << 10
"""Bytes of a payload that is hashed and parsed on the loop; a larger one takes a thread (R18)."""

P = ParamSpec("P")
T = TypeVar("T")


class SizedWork:
    """Runs functions where their size allows."""

    def __init__(self, threads: ThreadPool) -> None:
        self._threads = threads

    async def run(
        self, owner: str, size: int, function: Callable[P, T], *args: P.args, **named: P.kwargs
    ) -> T:
        """Calls the function.

        Args:
            owner: whose work it is, among the threads' owners.
            size: bytes that it works on.
            function: does not touch the event loop.
            *args: of the function.
            **named: of the function.

        Raises:
            TooManyWaiting: a thread was needed, and there is none.
        """
        if size > INLINE_MAX_BYTES:
            return await self._threads.run(owner, function, *args, **named)
        return function(*args, **named)
