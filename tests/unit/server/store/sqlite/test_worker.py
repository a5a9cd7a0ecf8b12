"""The thread that runs what takes the store long."""

import asyncio
import threading
import time
import weakref
from functools import partial

from server.store.sqlite.worker import Worker


async def test_a_call_whose_caller_left_is_passed_over() -> None:
    worker = Worker("test")
    may_go, ran = threading.Event(), list[str]()
    running = worker.submit(lambda: may_go.wait(timeout=10))
    left, last = (worker.submit(partial(ran.append, name)) for name in ("left", "last"))
    left.cancel()
    may_go.set()
    assert await running
    await last
    assert ran == ["last"]
    worker.close()
    worker.join()


async def test_an_idle_worker_keeps_no_result() -> None:
    class Result: ...

    worker = Worker("test")
    result = weakref.ref(await worker.submit(Result))
    until = time.monotonic() + 10
    while result() is not None:
        assert time.monotonic() < until
        await asyncio.sleep(0)
    worker.close()
    worker.join()
