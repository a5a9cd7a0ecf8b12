import asyncio
import gc
import threading

import pytest

from transcoder.offload import offload


def where_and_how(*, fails: bool = False) -> tuple[bool, bool]:
    if fails:
        raise LookupError
    return threading.current_thread() is threading.main_thread(), gc.isenabled()


async def test_the_work_is_done_in_a_thread_while_the_collector_pauses() -> None:
    assert await offload(where_and_how) == (False, False)
    assert gc.isenabled()


async def test_a_failure_is_the_callers_and_the_collector_goes_on() -> None:
    with pytest.raises(LookupError):
        await offload(where_and_how, fails=True)
    assert gc.isenabled()


async def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        assert await offload(where_and_how) == (False, False)
        assert not gc.isenabled()
    finally:
        gc.enable()


async def test_work_that_nobody_waits_for_is_not_begun() -> None:
    begun = threading.Event()
    go_on = threading.Event()
    first = asyncio.create_task(offload(go_on.wait, 10))
    second = asyncio.create_task(offload(begun.set))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go_on.set()
    await first
    await offload(where_and_how)
    assert not begun.is_set()
