"""The pools of threads: turns, bounds, and what happens to work whose caller leaves."""

import asyncio
import contextlib
import contextvars
import gc
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.threads import ThreadPool, TooManyWaiting

WAIT_S = 10


class Gate:
    """Work that lasts until it may end, and notes who did it in which order."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.done: list[str] = []

    def hold(self, name: str = "held") -> str:
        self.begun.set()
        assert self.may_end.wait(WAIT_S)
        self.done.append(name)
        return name


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest_asyncio.fixture
async def pool(gate: Gate) -> AsyncIterator[ThreadPool]:
    pool = ThreadPool("test", threads_max=1, waiting_max=8)
    yield pool
    gate.may_end.set()
    pool.close()


async def begun(gate: Gate) -> None:
    async with asyncio.timeout(WAIT_S):
        while not gate.begun.is_set():
            await asyncio.sleep(0.001)


async def held(pool: ThreadPool, gate: Gate, owner: str = "a") -> asyncio.Task[str]:
    task = asyncio.ensure_future(pool.run(owner, gate.hold))
    await begun(gate)
    return task


async def queue(pool: ThreadPool, gate: Gate, *names: str) -> list[asyncio.Task[None]]:
    """Have work wait, named by its owner and a number."""
    tasks = [asyncio.ensure_future(pool.run(name[0], gate.done.append, name)) for name in names]
    await asyncio.sleep(0)
    return tasks


async def test_work_runs_in_a_thread_of_the_purpose_with_the_callers_context(
    pool: ThreadPool,
) -> None:
    variable = contextvars.ContextVar("variable", default="")
    variable.set("the caller's")

    def work(add: str, *, more: str) -> tuple[str, str]:
        return threading.current_thread().name, variable.get() + add + more

    name, text = await pool.run("a", work, " and", more=" more")
    assert name.startswith("test")
    assert text == "the caller's and more"


async def test_owners_take_turns(pool: ThreadPool, gate: Gate) -> None:
    first = await held(pool, gate)
    waiting = await queue(pool, gate, "a1", "a2", "a3", "b1", "c1", "b2")
    gate.may_end.set()
    await asyncio.gather(first, *waiting)
    assert gate.done == ["held", "a1", "b1", "c1", "a2", "b2", "a3"]


async def test_one_owner_fills_half_of_the_places_and_all_owners_all_of_them(
    pool: ThreadPool, gate: Gate
) -> None:
    first = await held(pool, gate)
    waiting = await queue(pool, gate, *[f"a{i}" for i in range(4)])
    with pytest.raises(TooManyWaiting):
        await pool.run("a", gate.hold)
    waiting += await queue(pool, gate, *[f"b{i}" for i in range(4)])
    with pytest.raises(TooManyWaiting):
        await pool.run("c", gate.hold)
    gate.may_end.set()
    await asyncio.gather(first, *waiting)
    assert len(gate.done) == 9


async def test_work_whose_caller_left_before_its_turn_is_not_done(
    pool: ThreadPool, gate: Gate
) -> None:
    first = await held(pool, gate)
    left, stays, other = await queue(pool, gate, "a1", "a2", "b1")
    left.cancel()
    other.cancel()
    gate.may_end.set()
    await asyncio.gather(first, stays)
    assert gate.done == ["held", "a2"]
    assert await pool.run("b", lambda: "free") == "free"


async def test_work_whose_caller_leaves_keeps_its_thread_until_it_ends(
    pool: ThreadPool, gate: Gate
) -> None:
    first = await held(pool, gate)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    (waiting,) = await queue(pool, gate, "b1")
    await asyncio.sleep(0.01)
    assert gate.done == []
    gate.may_end.set()
    await waiting
    assert gate.done == ["held", "b1"]


async def test_a_caller_that_leaves_as_its_turn_comes_passes_it_on(
    pool: ThreadPool, gate: Gate
) -> None:
    await held(pool, gate)
    left, stays = await queue(pool, gate, "a1", "b1")
    pool._release()  # noqa: SLF001  as when the running work ends in this very turn of the loop
    left.cancel()
    gate.may_end.set()
    await stays
    with contextlib.suppress(asyncio.CancelledError):
        await left
    assert "a1" not in gate.done


async def test_close_refuses_what_waits_and_what_comes(pool: ThreadPool, gate: Gate) -> None:
    first = await held(pool, gate)
    (waiting,) = await queue(pool, gate, "b1")
    pool.close()
    with pytest.raises(TooManyWaiting):
        await waiting
    with pytest.raises(TooManyWaiting):
        await pool.run("a", gate.hold)
    gate.may_end.set()
    assert await first == "held"


async def test_a_failure_reaches_the_caller_and_leaves_no_garbage(pool: ThreadPool) -> None:
    def fail() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await pool.run("a", fail)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            try:
                await pool.run("a", fail)
            except LookupError as error:
                error.__traceback__ = None
        assert gc.collect() == 0
    finally:
        gc.enable()


async def test_work_that_the_system_has_no_thread_for_leaves_its_place(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as system:
        system.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await pool.run("a", str)
    async with asyncio.timeout(WAIT_S):
        assert await pool.run("a", str) == ""
