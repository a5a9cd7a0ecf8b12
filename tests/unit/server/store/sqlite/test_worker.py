"""The thread that runs what takes the store long."""

import asyncio
import gc
import threading
import time
import weakref
from functools import partial

import pytest

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


async def test_a_call_to_finish_runs_though_its_caller_left_before_it_began() -> None:
    worker = Worker("test")
    may_go, ran = threading.Event(), list[str]()
    running = worker.submit(lambda: may_go.wait(timeout=10))
    left = asyncio.create_task(worker.finish(partial(ran.append, "left")))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.sleep(0)
    assert not left.done()
    may_go.set()
    assert await running
    with pytest.raises(asyncio.CancelledError):
        await left
    assert ran == ["left"]
    worker.close()
    worker.join()


async def test_a_caller_who_leaves_in_the_moment_of_the_end_leaves_at_once() -> None:
    worker = Worker("test")
    left = asyncio.create_task(worker.finish(lambda: None))
    await asyncio.sleep(0)
    worker.close()
    worker.join()
    await asyncio.sleep(0)  # the answer is there, and its caller has not been called yet
    left.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await left


async def test_a_call_to_finish_that_fails_leaves_no_cycle() -> None:
    class Failure(Exception): ...

    def fail() -> None:
        raise Failure

    async def failed() -> weakref.ref[Failure]:
        try:
            await worker.finish(fail)
        except Failure as failure:
            return weakref.ref(failure)
        raise AssertionError

    worker = Worker("test")
    gc.disable()
    try:
        failure = await failed()
        worker.close()
        worker.join()
        await asyncio.sleep(0)  # what called this task holds its answer
        assert failure() is None
    finally:
        gc.enable()
