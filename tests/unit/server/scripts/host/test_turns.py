"""Gives slots to runs, queues and refuses them, without any process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from server.scripts.contract import Overloaded, Unavailable
from server.scripts.host.turns import Slot, Turns


class Runs:
    """Runs that do nothing but hold a slot until they are told to end, and note their order."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list[str] = []
        self.running: list[tuple[str, asyncio.Event]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def add(self, *names: str, size: int = 0) -> None:
        """Begin runs; the first letter of a name is its organisation."""
        for name in names:
            self._tasks.append(asyncio.create_task(self._run(name, size)))
        await _settle()

    async def end(self, name: str = "") -> None:
        """End the run, or the one that runs longest."""
        found = next(item for item in self.running if item[0] == (name or item[0]))
        self.running.remove(found)
        found[1].set()
        await _settle()

    async def end_all(self) -> None:
        while self.running:
            await self.end()

    async def leave(self, name: str) -> None:
        """Cancel the run."""
        next(task for task in self._tasks if task.get_name() == name).cancel()
        await _settle()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, name: str, size: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(name)
        async with self.turns.slot(name[0], size):
            self.order.append(name)
            may_end = asyncio.Event()
            self.running.append((name, may_end))
            await may_end.wait()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def runs_of(
    slots: int, *, queue_max: int = 512, timeout_s: float = 30, waiting_max_bytes: int = 1 << 20
) -> AsyncIterator[Runs]:
    turns = Turns(
        slots, queue_max=queue_max, timeout_s=timeout_s, waiting_max_bytes=waiting_max_bytes
    )
    runs = Runs(turns)
    yield runs
    await runs.close()


def named(org: str, count: int) -> list[str]:
    return [f"{org}{number}" for number in range(count)]


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 8])
async def test_an_organisation_that_has_only_just_come_has_the_next_turn(slots: int) -> None:
    async with runs_of(slots) as runs:
        await runs.add(*named("a", 100), *named("b", 100), *named("c", 100))
        await runs.end()
        await runs.end()
        begun = len(runs.order)
        await runs.add("z0")
        while "z0" not in runs.order:
            await runs.end()
        # Those before it are at most the turns that the others still had in this round.
        assert len(runs.order) - begun <= 3


async def test_one_slot_is_given_to_the_other_organisation_next() -> None:
    async with runs_of(1) as runs:
        await runs.add(*named("a", 100))
        await runs.add("b0")
        await runs.end()
        assert runs.order == ["a0", "b0"]
        await runs.end_all()
        assert runs.order == ["a0", "b0", *named("a", 100)[1:]]


async def test_organisations_take_turns_in_order() -> None:
    async with runs_of(1) as runs:
        await runs.add("a0", "a1", "a2", "b0", "b1", "c0")
        await runs.end_all()
        assert runs.order == ["a0", "b0", "c0", "a1", "b1", "a2"]


async def test_an_organisation_that_asks_again_and_again_gets_no_more_turns_than_others() -> None:
    async with runs_of(1) as runs:
        await runs.add(*named("a", 20), *named("b", 20))
        for number in range(10):
            await runs.add(f"c{number}")
            while f"c{number}" not in runs.order:
                await runs.end()
        counts = {org: sum(name[0] == org for name in runs.order) for org in "abc"}
        assert max(counts.values()) - min(counts.values()) <= 1


async def test_one_organisation_has_half_of_the_slots() -> None:
    async with runs_of(4) as runs:
        await runs.add(*named("a", 10))
        assert runs.order == ["a0", "a1"]
        await runs.add(*named("b", 10))
        assert runs.order == ["a0", "a1", "b0", "b1"]


async def test_a_run_whose_caller_leaves_while_it_waits_leaves_its_place() -> None:
    async with runs_of(1) as runs:
        await runs.add("a0", "a1", "a2", "b0")
        await runs.leave("b0")
        await runs.leave("a1")
        await runs.end()
        assert runs.order == ["a0", "a2"]


async def test_a_turn_that_comes_as_its_caller_leaves_goes_to_the_next() -> None:
    async with runs_of(1) as runs:
        await runs.add("a0", "b0", "c0")
        runs.running[0][1].set()
        await asyncio.sleep(0)  # now the turn has come, and its run has yet to see it
        await runs.leave("b0")
        assert runs.order == ["a0", "c0"]


@pytest.mark.parametrize(
    ("others", "size", "text"),
    [
        pytest.param(("a1", "a2", "b1", "b2"), 0, "4 runs wait already", id="runs"),
        pytest.param(("z1", "z2"), 0, "2 runs of the organisation wait already", id="its runs"),
        pytest.param(("a1", "b1"), 300, r"wait keep 800 bytes, with 300 more than", id="bytes"),
        pytest.param(("z1",), 300, r"runs that wait keep 400 bytes, with 300 more", id="its bytes"),
    ],
)
async def test_a_run_beyond_a_limit_is_refused_at_once(
    others: tuple[str, ...], size: int, text: str
) -> None:
    async with runs_of(1, queue_max=4, waiting_max_bytes=1000) as runs:
        await runs.add("a0")
        for name in others:
            await runs.add(name, size=400 if size else 0)
        with pytest.raises(Overloaded, match=text):
            async with runs.turns.slot("z", size):
                pass


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param(lambda runs: runs.end_all(), id="served"),
        pytest.param(lambda runs: runs.leave("z1"), id="left"),
    ],
)
async def test_bytes_of_runs_that_stopped_waiting_are_free(
    ends: Callable[[Runs], Awaitable[None]],
) -> None:
    async with runs_of(1, waiting_max_bytes=1000) as runs:
        await runs.add("a0")
        await runs.add("z1", size=500)
        await ends(runs)
        await runs.add("a2")
        await runs.add("z2", size=500)
        await runs.end_all()
        assert "z2" in runs.order


async def test_a_run_that_waits_too_long_is_refused() -> None:
    async with runs_of(1, timeout_s=0.01, waiting_max_bytes=10) as runs:
        await runs.add("a0")
        for _ in range(2):  # the bytes of the first are free again
            with pytest.raises(Overloaded, match=r"waited 0\.01 s for a process"):
                async with runs.turns.slot("b", 5):
                    pass


async def test_a_slot_goes_on_between_actions_and_comes_back_first() -> None:
    async with runs_of(1) as runs, runs.turns.slot("a", 0) as slot:
        await runs.add("a1", "b0")
        passing = asyncio.create_task(runs.turns.pass_on(slot))
        await _settle()
        assert (runs.order, slot.is_held) == (["b0"], False)
        await runs.end("b0")
        await passing
        assert (runs.order, slot.is_held) == (["b0"], True)


@pytest.mark.parametrize(
    ("slots", "others"),
    [
        pytest.param(1, (), id="nobody waits"),
        pytest.param(1, ("a1",), id="only its own organisation waits"),
        pytest.param(4, ("b0", "b1", "b2"), id="the other has its share"),
    ],
)
async def test_a_slot_that_no_other_organisation_could_use_is_kept(
    slots: int, others: tuple[str, ...]
) -> None:
    async with runs_of(slots) as runs, runs.turns.slot("a", 0) as slot:
        await runs.add(*others)
        before = list(runs.order)
        await runs.turns.pass_on(slot)
        assert (runs.order, slot.is_held) == (before, True)


async def test_bytes_of_a_run_that_waits_between_actions_count_until_its_turn() -> None:
    async with runs_of(1, waiting_max_bytes=1000) as runs:
        async with runs.turns.slot("a", 500) as slot:
            await runs.add("b0")
            passing = asyncio.create_task(runs.turns.pass_on(slot))
            await _settle()
            with pytest.raises(Overloaded, match=r"wait keep 500 bytes, with 501 more"):
                await _enter(runs.turns, size=501)
            await runs.end("b0")
            await passing
            await runs.add("y0", "z0", size=500)
        await _settle()
        await runs.end_all()
        assert runs.order == ["b0", "y0", "z0"]


async def test_a_run_that_is_left_between_actions_leaves_no_slot_taken() -> None:
    async with runs_of(1) as runs:

        async def two_actions() -> None:
            async with runs.turns.slot("a", 0) as slot:
                await runs.add("b0")
                await runs.turns.pass_on(slot)

        running = asyncio.create_task(two_actions())
        await _settle()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runs.add("a1")
        await runs.end_all()
        assert runs.order == ["b0", "a1"]


async def test_the_end_refuses_all_that_wait_and_come() -> None:
    async with runs_of(1) as runs:
        await runs.add("a0")
        waiting = asyncio.create_task(_enter(runs.turns))
        await _settle()
        runs.turns.close()
        with pytest.raises(Unavailable):
            await waiting
        with pytest.raises(Unavailable):
            await _enter(runs.turns)


async def _enter(turns: Turns, *, size: int = 0) -> Slot:
    async with turns.slot("z", size) as slot:
        return slot
