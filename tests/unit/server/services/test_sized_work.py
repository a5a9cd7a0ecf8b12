"""Where work on payloads runs."""

import threading

from server.services.sized_work import INLINE_MAX_BYTES, SizedWork
from tests.support.tables import cases
from tests.support.threads import THREADS


@cases(
    "size, is_on_the_loop",
    {"small": (INLINE_MAX_BYTES, True), "large": (INLINE_MAX_BYTES + 1, False)},
)
async def test_large_work_is_done_in_a_thread(size: int, is_on_the_loop: bool) -> None:
    ran_in = await SizedWork(THREADS).run("1", size, threading.current_thread)
    assert (ran_in is threading.current_thread()) == is_on_the_loop
