"""Turns that are spaced out, by a clock of the test's."""

import asyncio

import pytest

from server.rpc import pacing
from server.rpc.pacing import BURST, CALLERS_WAITING_MAX, RATE, WAIT_MAX_S, Pace


class Clock:
    """Stands still but for what is slept."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    return clock


async def test_a_burst_waits_for_nothing(clock: Clock) -> None:
    pace = Pace(clock=clock)
    clock.now += 10
    for _ in range(BURST):
        await pace.turn()
    assert clock.slept == []


async def test_calls_above_the_rate_are_spaced_out(clock: Clock) -> None:
    pace = Pace(clock=clock)
    clock.now += 10
    for _ in range(BURST + 3):
        await pace.turn()
    assert clock.slept == pytest.approx([1 / RATE, 2 / RATE, 3 / RATE])


async def test_calls_at_the_rate_never_wait(clock: Clock) -> None:
    pace = Pace(clock=clock)
    clock.now += 10
    for _ in range(10 * BURST):
        await pace.turn()
        clock.now += 1.01 / RATE
    assert clock.slept == []


async def test_no_call_waits_for_longer_than_the_limit(clock: Clock) -> None:
    pace = Pace(clock=clock)
    for _ in range(20 * RATE):
        await pace.turn()
    assert max(clock.slept) == WAIT_MAX_S


async def test_one_too_many_takes_its_turn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "CALLERS_WAITING_MAX", 2)
    assert CALLERS_WAITING_MAX > 2
    pace = Pace(clock=lambda: 0.0)
    async with asyncio.timeout(10):
        tasks = [asyncio.create_task(pace.turn()) for _ in range(BURST + 3)]
        await asyncio.sleep(0)
        assert sum(not task.done() for task in tasks) == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
