"""The figures of worker processes add up, also of those that are silent or have ended."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from server.metrics import workers
from server.metrics.instruments import Registry
from server.metrics.snapshot import Snapshot
from server.metrics.workers import FiguresGiver, WorkersFigures


class Worker:
    """Has done some jobs, of which some are running."""

    def __init__(self, done: int, running: int) -> None:
        registry = Registry()
        self.done = registry.counter("done", "Done.").of()
        self.running = registry.gauge("running", "Running.").of()
        self.done.value, self.running.value = done, running
        self._registry = registry
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.failure: Exception | None = None
        self.giver = FiguresGiver(self.collect)

    async def collect(self) -> Snapshot:
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return self._registry.snapshot()


class Crowd:
    """Holds the figures of two workers, one with 1 job done, the other with 10."""

    def __init__(self) -> None:
        self.figures = WorkersFigures()
        self.one, self.other = Worker(1, 2), Worker(10, 20)

    async def numbers(self) -> dict[str, float]:
        """Returns the values of what is collected."""
        return {
            metric.name: number
            for metric in await self.figures.collect()
            for _, number in metric.numbers
        }


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    made = Crowd()
    async with AsyncExitStack() as stack:
        for number, worker in enumerate((made.one, made.other), 1):
            asking, giving = socket.socketpair()
            worker.giver.start(giving)
            stack.push_async_callback(worker.giver.close)
            await made.figures.add(number, asking)
            stack.callback(made.figures.remove, number)
        yield made


def numbers(done: float, running: float, *, workers: int = 2, silent: int = 0) -> dict[str, float]:
    return {
        "done": done,
        "running": running,
        "actions_workers": workers,
        "actions_workers_silent": silent,
    }


async def test_figures_of_all_workers_add_up(crowd: Crowd) -> None:
    assert await crowd.numbers() == numbers(11, 22)
    crowd.other.done.value += 5
    assert await crowd.numbers() == numbers(16, 22)


async def test_scrapes_at_once_have_the_same_figures(crowd: Crowd) -> None:
    found = await asyncio.gather(crowd.numbers(), crowd.numbers())
    assert [*found] == [numbers(11, 22)] * 2


async def test_counts_of_a_worker_that_ended_stay(crowd: Crowd) -> None:
    await crowd.figures.collect()
    crowd.figures.remove(2)
    assert await crowd.numbers() == numbers(11, 2, workers=1)
    crowd.figures.remove(2)
    assert await crowd.numbers() == numbers(11, 2, workers=1)


async def test_a_worker_that_takes_the_place_of_another_adds_to_its_counts(crowd: Crowd) -> None:
    await crowd.figures.collect()
    crowd.figures.remove(2)
    asking, giving = socket.socketpair()
    replacement = Worker(100, 7)
    replacement.giver.start(giving)
    await crowd.figures.add(2, asking)
    assert await crowd.numbers() == numbers(111, 9)
    await replacement.giver.close()


async def test_last_counts_of_a_silent_worker_stay_and_its_gauges_do_not(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowd.figures.collect()
    crowd.other.may_answer.clear()
    crowd.other.done.value += 5
    with monkeypatch.context() as patch:
        patch.setattr(workers, "ANSWER_MAX_S", 0.01)
        assert await crowd.numbers() == numbers(11, 2, silent=1)
        assert await crowd.numbers() == numbers(11, 2, silent=2)
    crowd.other.may_answer.set()
    assert await crowd.numbers() == numbers(16, 22, silent=2)
    assert await crowd.numbers() == numbers(16, 22, silent=2)


async def test_a_worker_that_has_not_answered_yet_adds_nothing(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd.other.may_answer.clear()
    monkeypatch.setattr(workers, "ANSWER_MAX_S", 0.01)
    found = await crowd.numbers()
    assert found["actions_workers_silent"] >= 1
    assert found.get("done", 0) <= 1
    crowd.figures.remove(2)
    assert (await crowd.numbers())["actions_workers"] == 1


async def test_a_worker_that_cannot_collect_is_silent_and_says_why(crowd: Crowd) -> None:
    await crowd.figures.collect()
    crowd.other.failure = ZeroDivisionError()
    with capture_logs() as lines:
        assert await crowd.numbers() == numbers(11, 2, silent=1)
    assert [line["event"] for line in lines] == ["the page of metrics cannot be made"]
    crowd.other.failure = None
    assert await crowd.numbers() == numbers(11, 22, silent=1)


async def test_a_worker_that_left_is_silent_until_it_is_removed(crowd: Crowd) -> None:
    await crowd.figures.collect()
    await crowd.other.giver.close()
    assert await crowd.numbers() == numbers(11, 2, silent=1)
    assert await crowd.numbers() == numbers(11, 2, silent=2)
    crowd.figures.remove(2)
    assert await crowd.numbers() == numbers(11, 2, workers=1, silent=2)
