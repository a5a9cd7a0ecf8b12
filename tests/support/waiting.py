"""Waits until something holds that no event tells of, such as a line in a log."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

WITHIN_S: Final = 30.0
_LOOK_S: Final = 0.02


def until(holds: Callable[[], bool], *, within_s: float = WITHIN_S) -> None:
    """Looks again and again; raises TimeoutError."""
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within_s:g} s")
        time.sleep(_LOOK_S)


async def until_async(holds: Callable[[], bool], *, within_s: float = WITHIN_S) -> None:
    """Does the same on the event loop, which goes on meanwhile."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(_LOOK_S)
