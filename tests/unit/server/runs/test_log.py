"""Writes the log of runs: in time, bounded, and also when a caller is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from server.runs import log as run_log
from server.runs.log import RunLog
from server.scripts.contract import ActionResult, Failure
from server.store.errors import StorageError
from server.store.runs import (
    RUN_BYTES,
    ActionCounts,
    CountedActions,
    LoggedRun,
    RunsPage,
    RunsQuery,
)
from tests.support.clocks import HOUR, SECOND, YEAR

SIZE = RUN_BYTES + 1
NOW, KEEP_S = 10**15, 60


class Store:
    """Keeps what it is given, once it may."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.counted: list[ActionCounts] = []
        self.calls: list[tuple[int, int, int]] = []
        self.asked: list[RunsQuery] = []
        self.failure: Exception | None = None
        self.oldest_at: int | None = None
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.is_writing = asyncio.Event()

    async def append_runs(
        self,
        runs: Sequence[LoggedRun],
        counts: Sequence[ActionCounts],
        *,
        since: int,
        max_bytes: int,
    ) -> bool:
        self.is_writing.set()
        await self.may_write.wait()
        if self.failure is not None:
            raise self.failure
        self.calls.append((len(runs), since, max_bytes))
        self.kept += [run.content for run in runs]
        self.counted += counts
        return False

    async def oldest_run_at(self) -> int | None:
        return self.oldest_at

    async def runs(self, org_id: str, query: RunsQuery) -> RunsPage:
        self.asked.append(query)
        return RunsPage(self.kept, 0)

    async def counted_actions(self, org_id: str) -> CountedActions:
        return CountedActions(NOW, [each for each in self.counted if each.org_id == org_id])


def a_result(action_id: str, failure: Failure | None = None) -> ActionResult:
    return ActionResult(action_id, f"name{action_id}", failure, 5, 3, ())


def a_run(content: bytes = b"r") -> LoggedRun:
    return LoggedRun("org", 2, 4, NOW, (("1", False),), content)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def log(store: Store) -> AsyncIterator[RunLog]:
    made = RunLog(
        store, keep_s=KEEP_S, max_bytes=1000, waiting_max_bytes=3 * SIZE, clock=lambda: NOW
    )
    yield made
    await made.close()


async def until_kept(store: Store, *contents: bytes) -> None:
    async with asyncio.timeout(5):
        while store.kept != [*contents]:
            await asyncio.sleep(0.005)


async def test_an_added_run_is_written_soon(
    log: RunLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "RUNS_GATHER_S", 0.01)
    log.start()
    log.add(a_run(b"1"))
    log.add(a_run(b"2"))
    await until_kept(store, b"1", b"2")
    log.add(a_run(b"3"))
    await until_kept(store, b"1", b"2", b"3")
    assert (2, 0, 1000) in store.calls


def let_passes_follow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "RUNS_GATHER_S", 0)
    monkeypatch.setattr(run_log, "PRUNE_S", 0.01)


async def horizons(store: Store, count: int) -> list[int]:
    """The first of those that runs were deleted before."""
    async with asyncio.timeout(5):
        while len(store.calls) < count:
            await asyncio.sleep(0.005)
    return [since for _, since, _ in store.calls[:count]]


async def test_old_runs_go_after_the_start_while_nothing_runs(
    log: RunLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_passes_follow_at_once(monkeypatch)
    store.oldest_at = NOW - KEEP_S * 10**6 - SECOND
    log.start()
    too_old = NOW - KEEP_S * 10**6
    assert await horizons(store, 3) == [too_old - SECOND, too_old, too_old]


async def test_a_pass_deletes_an_hours_worth_when_the_clock_is_years_ahead(
    log: RunLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_passes_follow_at_once(monkeypatch)
    store.oldest_at = NOW - YEAR
    with capture_logs() as lines:
        log.start()
        assert await horizons(store, 3) == [NOW - YEAR, NOW - YEAR + HOUR, NOW - YEAR + HOUR]
    assert [line["event"] for line in lines] == [
        "runs are far too old and are deleted, a few at a time: is the clock right?"
    ]


async def test_nothing_goes_while_the_clock_is_years_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_passes_follow_at_once(monkeypatch)
    store.oldest_at = NOW
    log = RunLog(store, keep_s=KEEP_S, max_bytes=1000, clock=lambda: NOW - YEAR)
    log.start()
    assert await horizons(store, 2) == [NOW - YEAR - KEEP_S * 10**6] * 2
    await log.close()


async def test_nothing_is_looked_for_while_nothing_runs(
    log: RunLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "RUNS_GATHER_S", 0)
    log.start()
    log.add(a_run(b"1"))
    await until_kept(store, b"1")
    for _ in range(100):
        await asyncio.sleep(0)
    looked = len(store.calls)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(store.calls) == looked


async def test_a_page_has_runs_added_before_and_no_expired_ones(log: RunLog, store: Store) -> None:
    log.add(a_run(b"1"))
    page = await log.page("org", RunsQuery(limit=7))
    assert page.contents == [b"1"]
    assert store.asked == [RunsQuery(limit=7, since=NOW - KEEP_S * 10**6)]


async def test_the_oldest_is_dropped_when_too_much_waits(log: RunLog, store: Store) -> None:
    for number in range(5):
        log.add(a_run(b"%d" % number))
    assert log.dropped == 2
    await log.page("org", RunsQuery())
    assert store.kept == [b"2", b"3", b"4"]


async def test_runs_wait_while_storage_fails(log: RunLog, store: Store) -> None:
    store.failure = StorageError("disk full")
    log.add(a_run(b"1"))
    log.add(a_run(b"2"))
    with pytest.raises(StorageError):
        await log.page("org", RunsQuery())
    for number in (3, 4):
        log.add(a_run(b"%d" % number))
    store.failure = None
    await log.page("org", RunsQuery())
    assert (store.kept, log.dropped) == ([b"2", b"3", b"4"], 1)


@pytest.mark.parametrize("failure", [StorageError("disk full"), ZeroDivisionError()])
async def test_a_failure_is_an_error_for_each_waiting_caller(
    log: RunLog, store: Store, failure: Exception
) -> None:
    store.failure = failure
    store.may_write.clear()
    log.add(a_run(b"1"))
    pages = [asyncio.ensure_future(log.page("org", RunsQuery())) for _ in range(2)]
    await store.is_writing.wait()
    await asyncio.sleep(0)
    store.may_write.set()
    await asyncio.wait(pages)
    errors = [page.exception() for page in pages]
    assert [type(error) for error in errors] == [StorageError] * 2
    assert errors[0] is not errors[1]
    store.failure = None
    assert (await log.page("org", RunsQuery())).contents == [b"1"]


async def test_storage_that_fails_is_tried_again(
    log: RunLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "RUNS_GATHER_S", 0)
    monkeypatch.setattr(run_log, "RUNS_RETRY_S", 0.01)
    store.failure = StorageError("disk full")
    log.add(a_run(b"1"))
    log.start()
    async with asyncio.timeout(5):
        await store.is_writing.wait()
    store.failure = None
    await until_kept(store, b"1")


async def test_a_cancelled_reader_causes_no_second_write(log: RunLog, store: Store) -> None:
    store.may_write.clear()
    log.add(a_run(b"1"))
    reading = asyncio.ensure_future(log.page("org", RunsQuery()))
    await store.is_writing.wait()
    reading.cancel()
    await asyncio.wait([reading])
    log.add(a_run(b"2"))
    store.may_write.set()
    await log.page("org", RunsQuery())
    assert store.kept == [b"1", b"2"]


async def test_closing_writes_runs_that_wait(log: RunLog, store: Store) -> None:
    log.start()
    log.add(a_run(b"1"))
    await log.close()
    assert store.kept == [b"1"]


async def test_closing_ends_also_when_storage_fails(log: RunLog, store: Store) -> None:
    store.failure = StorageError("disk full")
    log.add(a_run(b"1"))
    await log.close()
    assert (store.kept, log.dropped) == ([], 1)


async def test_a_page_waits_for_no_run_of_others(log: RunLog, store: Store) -> None:
    store.failure = StorageError("disk full")
    log.add(a_run(b"1"))
    assert (await log.page("other", RunsQuery())).contents == []
    store.failure = None


async def test_a_page_waits_for_a_write_in_progress(log: RunLog, store: Store) -> None:
    store.may_write.clear()
    log.add(a_run(b"1"))
    first = asyncio.ensure_future(log.page("org", RunsQuery()))
    await store.is_writing.wait()
    second = asyncio.ensure_future(log.page("org", RunsQuery()))
    await asyncio.sleep(0)
    assert not second.done()
    store.may_write.set()
    assert (await first).contents == (await second).contents == [b"1"]


async def test_batches_of_many_bytes_are_parted(store: Store) -> None:
    log = RunLog(store, keep_s=KEEP_S, max_bytes=1000, clock=lambda: NOW)
    for _ in range(5):
        log.add(a_run(b"x" * (run_log.RUNS_BATCH_MAX_BYTES // 3)))
    await log.close()
    assert [count for count, _, _ in store.calls] == [2, 2, 1]


async def test_large_batches_are_parted(store: Store) -> None:
    log = RunLog(store, keep_s=KEEP_S, max_bytes=1000, clock=lambda: NOW)
    for _ in range(run_log.RUNS_BATCH_MAX + 1):
        log.add(a_run())
    await log.close()
    assert [count for count, _, _ in store.calls] == [run_log.RUNS_BATCH_MAX, 1]


async def test_a_log_of_no_size_takes_no_runs_and_counts_them(store: Store) -> None:
    log = RunLog(store, keep_s=KEEP_S, max_bytes=0, clock=lambda: NOW)
    log.add(a_run())
    log.count("org", a_result("1"))
    await log.close()
    assert store.kept == []
    assert store.counted == [ActionCounts("org", "1", "name1", 1, 0, 0, 0, 3, 5)]


async def test_counts_are_read_with_all_that_was_counted_before(log: RunLog, store: Store) -> None:
    log.count("org", a_result("1"))
    log.count("org", a_result("2", Failure("late", timed_out=True)))
    log.count("org", a_result("1", Failure("gone", killed=True)))
    log.count("other", a_result("3"))
    assert (await log.counted_actions("org")).actions == [
        ActionCounts("org", "1", "name1", 2, 1, 0, 1, 6, 10),
        ActionCounts("org", "2", "name2", 1, 1, 1, 0, 3, 5),
    ]


async def test_counts_are_written_soon_and_once(
    log: RunLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "RUNS_GATHER_S", 0.01)
    log.start()
    log.count("org", a_result("1"))
    log.add(a_run(b"1"))
    await until_kept(store, b"1")
    log.add(a_run(b"2"))
    await until_kept(store, b"1", b"2")
    assert store.counted == [ActionCounts("org", "1", "name1", 1, 0, 0, 0, 3, 5)]


async def test_counts_wait_while_storage_fails(log: RunLog, store: Store) -> None:
    store.failure = StorageError("disk full")
    log.count("org", a_result("1"))
    for _ in range(5):
        log.add(a_run(b"1"))
    with pytest.raises(StorageError):
        await log.counted_actions("org")
    assert (await log.counted_actions("other")).actions == []
    log.count("org", a_result("1"))
    store.failure = None
    (counted,) = (await log.counted_actions("org")).actions
    assert counted.runs == 2
