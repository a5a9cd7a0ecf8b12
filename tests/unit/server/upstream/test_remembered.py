"""Values are remembered: one read for all who wait, for seconds, within bounds."""

import asyncio

import pytest

from server.upstream.remembered import Remembered


class Reads:
    """Reads that end when they may, each with a number."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 5.0
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> tuple[str, float]:
        self.count += 1
        mine = self.count
        await self.may_end.wait()
        return f"value {mine}", self.seconds


class Clock:
    def __init__(self) -> None:
        self.us = 0

    def __call__(self) -> int:
        return self.us


def remembered(clock: Clock, *, size_max: int = 1000) -> Remembered[str, str]:
    return Remembered(size_max=size_max, size_of=len, clock=clock)


async def test_a_value_is_read_again_when_its_seconds_are_over() -> None:
    clock, read = Clock(), Reads()
    values = remembered(clock)
    seen = []
    for us in (0, 4_999_999, 5_000_000):
        clock.us = us
        seen.append(await values.get("a", read))
    assert seen == ["value 1", "value 1", "value 2"]


async def test_all_who_wait_have_one_read_and_one_that_leaves_does_not_end_it() -> None:
    read = Reads()
    read.may_end.clear()
    values = remembered(Clock())
    waiting = [asyncio.create_task(values.get("a", read)) for _ in range(3)]
    while not read.count:
        await asyncio.sleep(0)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    read.may_end.set()
    assert await asyncio.gather(*waiting[1:]) == ["value 1", "value 1"]
    assert read.count == 1


async def test_a_read_that_began_before_a_change_is_not_remembered() -> None:
    read = Reads()
    read.may_end.clear()
    values = remembered(Clock())
    waiting = asyncio.create_task(values.get("a", read))
    while not read.count:
        await asyncio.sleep(0)
    values.forget("a")
    read.may_end.set()
    assert await waiting == "value 1"
    assert await values.get("a", read) == "value 2"


async def test_only_the_value_that_was_refused_is_discarded() -> None:
    read = Reads()
    values = remembered(Clock())
    await values.get("a", read)
    values.discard("a", "another")
    assert await values.get("a", read) == "value 1"
    values.discard("a", "value 1")
    assert await values.get("a", read) == "value 2"


async def test_what_was_read_longest_ago_is_dropped_at_the_bound() -> None:
    read = Reads()
    values = remembered(Clock(), size_max=2 * len("value 1"))
    for key in ("a", "b", "c"):
        await values.get(key, read)
    assert await values.get("c", read) == "value 3"
    assert await values.get("b", read) == "value 2"
    assert await values.get("a", read) == "value 4"


async def test_close_ends_reads() -> None:
    read = Reads()
    read.may_end.clear()
    values = remembered(Clock())
    waiting = asyncio.create_task(values.get("a", read))
    while not read.count:
        await asyncio.sleep(0)
    await values.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
