"""Work beside the loop: where it is done, what is refused, what the process around it sees."""

import ast
import asyncio
import gc
import threading
from pathlib import Path

import grpc
import pytest

from tests.support.waiting import until_async
from transcoder.errors import TranscodeError
from transcoder.http.offload import Offload

ROOT = Path(__file__).parents[4]


def others(known: set[threading.Thread]) -> int:
    """Returns how many new threads there are; one of another test may end meanwhile."""
    return len(set(threading.enumerate()) - known)


async def test_the_work_is_done_in_a_thread() -> None:
    offload = Offload()
    assert await offload.request(threading.current_thread) is not threading.main_thread()
    offload.close()


async def test_a_failure_is_the_callers() -> None:
    def fail() -> None:
        raise LookupError

    offload = Offload()
    with pytest.raises(LookupError):
        await offload.request(fail)
    offload.close()


async def test_work_without_a_waiting_caller_is_not_begun() -> None:
    offload = Offload()
    begun = threading.Event()
    go_on = threading.Event()
    first = asyncio.create_task(offload.request(go_on.wait, 10))
    second = asyncio.create_task(offload.request(begun.set))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go_on.set()
    await first
    await offload.request(len, "")
    assert not begun.is_set()
    offload.close()


async def test_a_request_too_many_is_refused_and_an_answer_is_not() -> None:
    offload = Offload(waiting_max=2)
    go_on = threading.Event()
    waiting = [asyncio.create_task(offload.request(go_on.wait, 10)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TranscodeError) as caught:
        await offload.request(len, "")
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    answer = asyncio.create_task(offload.answer(len, "four"))
    await asyncio.sleep(0)
    go_on.set()
    assert await answer == 4
    assert await asyncio.gather(*waiting) == [True, True]
    assert await offload.request(len, "four") == 4
    offload.close()


async def test_the_thread_ends_when_it_is_closed_and_starts_again_when_it_is_needed() -> None:
    known = set(threading.enumerate())
    offload = Offload()
    assert others(known) == 0
    await offload.request(len, "")
    assert others(known) == 1
    offload.close()
    await until_async(lambda: others(known) == 0)
    assert await offload.request(len, "four") == 4
    offload.close()
    await until_async(lambda: others(known) == 0)


# The process around the library is its host's.

_SETTERS = {"disable", "enable", "freeze", "set_threshold", "setrlimit", "set_int_max_str_digits"}
SOURCES = sorted((ROOT / "transcoder").rglob("*.py"))


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in SOURCES])
def test_the_library_sets_nothing_of_its_process(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert called & _SETTERS == set()
    for node in tree.body:
        value = getattr(node, "value", None)
        assert "Executor" not in (ast.dump(value) if value is not None else "")


async def test_a_collector_that_its_host_disables_meanwhile_stays_so() -> None:
    offload = Offload()
    go_on = threading.Event()
    work = asyncio.create_task(offload.request(go_on.wait, 10))
    await asyncio.sleep(0)
    gc.disable()
    try:
        go_on.set()
        await work
        assert not gc.isenabled()
    finally:
        gc.enable()
        offload.close()
