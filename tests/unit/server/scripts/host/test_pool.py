"""Starts, lends, replaces and ends worker processes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import structlog

from server.scripts.contract import Options, Overloaded, RunRequest, RunResult, Script, Unavailable
from server.scripts.host.executor import Executor
from server.scripts.host.process import EndedAtStart, Process
from server.scripts.host.watching import ActionWatch
from server.triggers import Trigger
from tests.support.processes import children_of
from tests.unit.server.scripts.runner import Runner, action, executor_of, run_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOW = "function f() { for (;;); }"
FAST = "function f(ctx, api) { api.v1.claims.setClaim('k', 1) }"
FAST_RUN = run_of("org", action(FAST))
GREEDY = run_of("greedy", replace(action(SLOW), timeout_ns=2_000_000_000))


class Beginnings:
    """Notes the ids of actions in the order in which they get their slots."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def action_begins(self, trigger: Trigger, script: Script) -> ActionWatch:
        self.ids.append(script.action_id)
        return Mock(spec=ActionWatch)


@asynccontextmanager
async def _running(
    executor: Executor, *requests: RunRequest
) -> AsyncIterator[list[asyncio.Task[RunResult]]]:
    """Begins runs, which it cancels with the block."""
    running = [asyncio.create_task(executor.run(request)) for request in requests]
    await asyncio.sleep(0)
    try:
        yield running
    finally:
        for run in running:
            run.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_process_that_is_killed_costs_one_action(runner: Runner) -> None:
    before = runner.executor.pids()
    running = asyncio.ensure_future(
        runner.run(replace(action(SLOW), allowed_to_fail=True), FAST, FAST)
    )
    await _one_is_busy(before)
    # Whichever has it: all are killed while the first action runs.
    for pid in before:
        _kill(pid)
    result = await running
    assert [a.failure.text if a.failure else "" for a in result.actions] == [
        "the process that ran the action ended",
        "",
        "",
    ]
    assert result.failed is None


async def test_a_caller_that_goes_away_ends_its_script(runner: Runner) -> None:
    before = runner.executor.pids()
    running = asyncio.ensure_future(runner.run(SLOW))
    await _one_is_busy(before)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert runner.executor.pids() != before
    assert (await runner.one(FAST)).failure is None


async def test_a_process_that_died_while_idle_costs_nothing(runner: Runner) -> None:
    for pid in runner.executor.pids():
        _kill(pid)
    assert (await runner.one(FAST)).failure is None


async def test_a_process_that_died_while_idle_is_replaced_before_it_is_needed() -> None:
    async with executor_of(workers=2) as executor:
        before = executor.pids()
        for pid in before:
            _kill(pid)
        async with asyncio.timeout(20):
            while len(executor.pids() - before) < 2:
                await asyncio.sleep(0.01)
    assert executor.kills == 2


async def test_surplus_processes_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.scripts.host.pool.IDLE_MAX_S", 0.05)
    seen: set[int] = set()
    async with executor_of(workers=8, warm=1) as executor, asyncio.timeout(20):
        running = asyncio.gather(*(executor.run(FAST_RUN) for _ in range(4)))
        while not running.done() or len(executor.pids()) > 1:
            seen |= executor.pids()
            await asyncio.sleep(0.01)
    assert len(seen) > 1  # how many of the four runs one process takes is a matter of time


async def test_a_process_that_is_killed_at_its_start_costs_nothing() -> None:
    slow = replace(action(SLOW), timeout_ns=3_000_000_000, allowed_to_fail=True)
    async with executor_of(workers=2, warm=1) as executor, _running(executor, run_of("a", slow)):
        await _one_is_busy(executor.pids())
        before = set(children_of(os.getpid()))
        other = asyncio.ensure_future(executor.run(FAST_RUN))
        async with asyncio.timeout(20):
            while not (starting := set(children_of(os.getpid())) - before):
                await asyncio.sleep(0)
        for pid in starting:
            _kill(pid)
        assert (await other).failed is None


async def test_a_cancelled_start_leaves_nothing() -> None:
    slow = run_of("a", action(SLOW))
    async with executor_of(workers=2, warm=1) as executor, _running(executor, slow):
        await _one_is_busy(executor.pids())
        before = set(children_of(os.getpid()))
        descriptors = _descriptors()
        other = asyncio.ensure_future(executor.run(FAST_RUN))
        async with asyncio.timeout(20):
            while set(children_of(os.getpid())) == before:
                await asyncio.sleep(0)
            other.cancel()
            await asyncio.wait([other])
            while set(children_of(os.getpid())) != before:
                await asyncio.sleep(0.01)
        assert _descriptors() == descriptors


async def test_a_full_queue_refuses_at_once() -> None:
    request = run_of("org", replace(action(SLOW), timeout_ns=500_000_000))
    async with executor_of(workers=1, queue_max=1) as executor:
        running = (executor.run(request) for _ in range(3))
        results = await asyncio.gather(*running, return_exceptions=True)
    refused = [result for result in results if isinstance(result, Overloaded)]
    assert [str(result) for result in refused] == ["1 runs wait already, which is the limit"]


async def test_a_run_that_waits_too_long_for_a_process_is_refused() -> None:
    request = run_of("org", replace(action(SLOW), timeout_ns=500_000_000))
    async with executor_of(workers=1, queue_timeout_s=0.05) as executor:
        running = asyncio.ensure_future(executor.run(request))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match=r"waited 0\.05 s for a process"):
            await executor.run(request)
        await running


async def test_one_organisation_leaves_room_for_others() -> None:
    async with executor_of(workers=2) as executor, _running(executor, *[GREEDY] * 4) as running:
        other = await executor.run(FAST_RUN)
        assert not any(run.done() for run in running)
    assert other.failed is None


async def test_an_organisation_that_fills_its_half_of_the_queue_blocks_no_other() -> None:
    async with (
        executor_of(workers=2, queue_max=4) as executor,
        _running(executor, *[GREEDY] * 3) as running,
    ):
        with pytest.raises(Overloaded, match="2 runs of the organisation wait already"):
            await executor.run(GREEDY)
        others = await asyncio.gather(*(executor.run(FAST_RUN) for _ in range(3)))
        assert not any(run.done() for run in running)
    assert [other.failed for other in others] == [None] * 3


async def test_a_process_is_replaced_after_enough_runs() -> None:
    async with executor_of(workers=1, runs_max=2) as executor:
        first = executor.pids()
        for _ in range(3):
            await executor.run(FAST_RUN)
        assert first.isdisjoint(executor.pids())


async def test_a_run_under_way_ends_with_the_executor() -> None:
    script = replace(action(SLOW), allowed_to_fail=True)
    async with executor_of(workers=2, warm=1) as executor:
        running = asyncio.ensure_future(executor.run(run_of("org", script, script)))
        await _one_is_busy(executor.pids())
    with pytest.raises(Unavailable):
        await running
    assert executor.pids() == set()


async def test_nothing_is_left_after_the_end() -> None:
    executor = Executor()
    await executor.start()
    pids = executor.pids()
    await executor.close()
    assert executor.pids() == set()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(Unavailable):
        await executor.run(FAST_RUN)


@pytest.mark.parametrize(
    ("program", "text"),
    [
        pytest.param("/bin/false", "script worker did not start: it exited", id="ends"),
        pytest.param("/none", "script worker cannot start: No such file or directory", id="absent"),
    ],
)
async def test_a_process_that_cannot_start_is_reported(
    monkeypatch: pytest.MonkeyPatch, program: str, text: str
) -> None:
    executor = Executor()
    monkeypatch.setattr("sys.executable", program)
    with pytest.raises(Unavailable, match=text):
        await executor.start()
    await executor.close()


async def test_processes_that_are_killed_at_their_start_in_a_row_cost_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, kills = Process.start, iter(range(3))

    async def killed(options: Options, lost: Callable[[Process], None]) -> Process:
        if next(kills, None) is not None:
            raise EndedAtStart("killed")
        return await start(options, lost)

    async with executor_of(workers=1, warm=1) as executor:
        monkeypatch.setattr(Process, "start", killed)
        for pid in executor.pids():
            _kill(pid)
        assert (await executor.run(FAST_RUN)).failed is None
    assert next(kills, None) is None


async def test_any_failure_to_start_a_process_is_unavailable_until_one_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> Process:
        raise ValueError("secret")

    executor = Executor(Options(workers_max=2, workers_warm=2))
    with monkeypatch.context() as patched, structlog.testing.capture_logs() as logs:
        patched.setattr(Process, "start", fail)
        with pytest.raises(Unavailable, match=r"^script worker cannot start: ValueError$"):
            await executor.start()
        with pytest.raises(Unavailable):
            await executor.run(FAST_RUN)
    try:
        assert (await executor.run(FAST_RUN)).failed is None
    finally:
        await executor.close()
    assert [line["log_level"] for line in logs] == ["error"] * 3
    assert all(line["exc_info"] for line in logs)


async def test_a_process_that_starts_beside_one_that_does_not_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, outcomes = Process.start, iter([False, True])

    async def start_or_fail(options: Options, lost: Callable[[Process], None]) -> Process:
        if next(outcomes):
            return await start(options, lost)
        raise Unavailable("no")

    executor = Executor(Options(workers_max=2, workers_warm=2))
    monkeypatch.setattr(Process, "start", start_or_fail)
    with pytest.raises(Unavailable):
        await executor.start()
    try:
        assert (await executor.run(FAST_RUN)).failed is None
    finally:
        await executor.close()


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_run_waits_for_one_run_of_another_organisation_at_most(workers: int) -> None:
    watch = Beginnings()
    async with (
        executor_of(workers=workers, watch=watch) as executor,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(100):
            group.create_task(executor.run(run_of("a", Script("of a", "f", FAST))))
        await asyncio.sleep(0)
        group.create_task(executor.run(run_of("b", Script("of b", "f", FAST))))
    assert watch.ids.index("of b") <= workers


async def test_a_long_run_gives_its_slot_to_another_organisation_between_actions() -> None:
    slow = replace(action(SLOW), timeout_ns=300_000_000, allowed_to_fail=True)
    async with executor_of(workers=1) as executor:
        long = asyncio.ensure_future(executor.run(run_of("a", slow, slow, slow)))
        await asyncio.sleep(0)
        assert (await executor.run(FAST_RUN)).failed is None
        assert not long.done()
        assert [result.failure is not None for result in (await long).actions] == [True] * 3


def _kill(pid: int) -> None:
    """Kill it, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def _one_is_busy(pids: set[int]) -> None:
    """Wait until one of the processes has been on a core for a while."""
    before = {pid: _cpu_ticks(pid) for pid in pids}
    async with asyncio.timeout(20):
        while all(_cpu_ticks(pid) < before[pid] + 10 for pid in pids):
            await asyncio.sleep(0.01)


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
