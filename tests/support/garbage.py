"""Finds objects of ours that a piece of work leaves to the garbage collector.

An object is ours if its type or its code is of the server or the transcoder, or if it is a message
or an exception: what a cycle through a call would hold.
"""

import asyncio
import gc
import types
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from google.protobuf.message import Message

ROUNDS: Final = 5
_OURS: Final = ("server.", "transcoder.", "tests.")
_FOLDERS: Final = ("/server/", "/transcoder/")


async def garbage_of(work: Callable[[], Awaitable[object]]) -> Counter[str]:
    """Does the work some times over; returns what it left, by name."""
    await work()  # what is made once, is made now
    await asyncio.sleep(0)
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(ROUNDS):
            await work()
        for _ in range(ROUNDS):  # callbacks of what has ended
            await asyncio.sleep(0)
        gc.collect()
        return Counter(name for name in map(_name_if_ours, gc.garbage) if name)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        if was_enabled:
            gc.enable()


def _name_if_ours(found: object) -> str:
    kind = type(found)
    if isinstance(found, types.FrameType):
        code = found.f_code
        is_ours = any(folder in code.co_filename for folder in _FOLDERS)
        return f"frame of {code.co_qualname}" if is_ours else ""
    if isinstance(found, types.FunctionType):
        return found.__qualname__ if (found.__module__ or "").startswith(_OURS) else ""
    if isinstance(found, BaseException | Message) or kind.__module__.startswith(_OURS):
        return kind.__name__
    return ""
