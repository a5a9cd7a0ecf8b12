"""Work that would hold the event loop: large bodies, decoded, encoded, inflated and deflated.

Rule 1: few at a time. Python runs one thread at once, so that more of them end no earlier: they
only have the loop wait longer for its turn, and hold more memory (R18).
Rule 2: the collector pauses meanwhile. A large document is hundreds of thousands of objects without
a cycle, which it would go through again and again, and no thread runs while it does.
"""

import asyncio
import functools
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# One for the process, as what it shares out is the process's. It starts no thread until it is used.
_THREADS: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transcoder")


async def offload(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do the work in a thread; what has not begun when its caller is cancelled is not done."""
    run = functools.partial(_uncollected, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_THREADS, run)


def _uncollected(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    if not gc.isenabled():
        return work(*args, **kwargs)
    gc.disable()
    try:
        return work(*args, **kwargs)
    finally:
        gc.enable()
