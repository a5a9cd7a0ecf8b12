"""Every event store keeps and deletes runs alike, and counts those of each action."""

from server.commands.actions import DeleteAction
from server.store.engine import Store
from server.store.runs import (
    RUN_BYTES,
    ActionCounts,
    CountedActions,
    LoggedRun,
    RunsPage,
    RunsQuery,
    RunStore,
)
from tests.contract.stores import an_action, commit
from tests.support.clocks import NOON, SECOND, YEAR
from tests.support.tables import cases

ALL = 1 << 30
SIZE = RUN_BYTES + 100
"""Bytes of a run of these tests."""


def a_run(
    name: str,
    *actions: str,
    org_id: str = "org",
    flow: int = 2,
    trigger: int = 4,
    at: int = NOON,
    failed: str = "",
    size: int = 100,
) -> LoggedRun:
    ran = tuple((id, id == failed) for id in actions or ("1",))
    return LoggedRun(org_id, flow, trigger, at, ran, name.encode().ljust(size, b"."))


async def append(store: RunStore, *runs: LoggedRun, since: int = 0, max_bytes: int = ALL) -> bool:
    return await store.append_runs(runs, (), since=since, max_bytes=max_bytes)


async def count(store: RunStore, *counts: ActionCounts) -> None:
    await store.append_runs((), counts, since=0, max_bytes=ALL)


def counts_of(action_id: str, *, org_id: str = "org", runs: int = 1) -> ActionCounts:
    return ActionCounts(org_id, action_id, f"name{action_id}", runs=runs)


def names(page: RunsPage) -> list[str]:
    return [content.decode().strip(".") for content in page.contents]


async def all_runs(store: RunStore, org_id: str = "org") -> list[str]:
    return names(await store.runs(org_id, RunsQuery(limit=1000)))


class TestRuns:
    async def test_runs_are_read_newest_first_as_they_were_written(self, store: RunStore) -> None:
        await append(store, a_run("a"), a_run("b"))
        await append(store, a_run("c", size=0))
        page = await store.runs("org", RunsQuery())
        assert page.contents == [b"c", b"b".ljust(100, b"."), b"a".ljust(100, b".")]
        assert page.next == 0

    async def test_an_organisation_sees_its_own_runs_alone(self, store: RunStore) -> None:
        await append(store, a_run("mine"), a_run("theirs", org_id="other"))
        assert await all_runs(store) == ["mine"]
        assert await all_runs(store, "other") == ["theirs"]
        assert names(await store.runs("other", RunsQuery(action_id="1"))) == ["theirs"]

    async def test_pages_neither_repeat_nor_miss_a_run_while_others_are_added(
        self, store: RunStore
    ) -> None:
        await append(store, *(a_run(str(number)) for number in range(5)))
        pages: list[list[str]] = []
        before = 0
        while not pages or before:
            page = await store.runs("org", RunsQuery(limit=2, before=before))
            pages.append(names(page))
            before = page.next
            await append(store, a_run("new"))
        assert pages == [["4", "3"], ["2", "1"], ["0"]]

    async def test_a_page_ends_where_it_has_enough_bytes(self, store: RunStore) -> None:
        await append(store, *(a_run(str(number)) for number in range(5)))
        page = await store.runs("org", RunsQuery(max_bytes=250))
        assert names(page) == ["4", "3"]
        rest = await store.runs("org", RunsQuery(max_bytes=1, before=page.next))
        assert names(rest) == ["2"]
        assert rest.next

    @cases(
        "query, expected",
        {
            "an action": (RunsQuery(action_id="2"), ["d", "b"]),
            "an action that never ran": (RunsQuery(action_id="9"), []),
            "a flow": (RunsQuery(flow_type=2), ["d", "b", "a"]),
            "a trigger": (RunsQuery(trigger_type=4), ["b", "a"]),
            "flow and trigger": (RunsQuery(flow_type=3, trigger_type=4), []),
            "failed": (RunsQuery(only_failed=True), ["d", "b"]),
            "it failed": (RunsQuery(only_failed=True, action_id="2"), ["b"]),
            "since": (RunsQuery(since=NOON + 1), ["d", "c"]),
            "all of that": (RunsQuery(action_id="1", since=NOON + 1, trigger_type=5), ["d"]),
        },
    )
    async def test_runs_are_found_by_their_attributes(
        self, store: RunStore, query: RunsQuery, expected: list[str]
    ) -> None:
        await append(
            store,
            a_run("a", "1"),
            a_run("b", "1", "2", failed="2"),
            a_run("c", "1", flow=3, trigger=1, at=NOON + SECOND),
            a_run("d", "1", "2", trigger=5, failed="1", at=NOON + SECOND),
            a_run("elsewhere", "1", "2", failed="2", org_id="other"),
        )
        assert names(await store.runs("org", query)) == expected

    async def test_runs_that_are_too_old_go_a_few_at_a_time(self, store: RunStore) -> None:
        await append(store, *(a_run(str(number), at=NOON + number) for number in range(250)))
        since = NOON + 240
        assert await append(store, since=since)
        assert len(await all_runs(store)) == 150
        while await append(store, since=since):
            pass
        assert await all_runs(store) == [str(number) for number in range(249, 239, -1)]
        assert names(await store.runs("org", RunsQuery(action_id="1", limit=1000)))[-1] == "240"

    async def test_oldest_run_is_the_one_that_started_first(self, store: RunStore) -> None:
        assert await store.oldest_run_at() is None
        await append(store, a_run("a", at=NOON), a_run("b", at=NOON - 1), a_run("c", at=NOON + 1))
        assert await store.oldest_run_at() == NOON - 1

    async def test_runs_of_a_clock_that_was_ahead_go_with_later_ones(self, store: RunStore) -> None:
        ahead = (a_run(f"ahead {number}", at=NOON + YEAR + number) for number in range(150))
        await append(store, a_run("a", at=NOON - 9), *ahead, a_run("b", at=NOON - 8))
        await append(store, a_run("later ahead", at=NOON + YEAR), a_run("c", at=NOON))
        while await append(store, since=NOON - 8):
            pass
        assert len(await all_runs(store)) == 153
        while await append(store, since=NOON - 7):
            pass
        assert await all_runs(store) == ["c", "later ahead"]

    async def test_no_more_is_kept_than_there_is_room_for(self, store: RunStore) -> None:
        for number in range(30):
            assert not await append(store, a_run(str(number)), max_bytes=10 * SIZE)
        assert await all_runs(store) == [str(number) for number in range(29, 19, -1)]

    async def test_the_organisation_with_most_runs_gives_way(self, store: RunStore) -> None:
        await append(store, *(a_run(str(number), org_id="small") for number in range(3)))
        await append(store, *(a_run(str(number)) for number in range(50)), max_bytes=10 * SIZE)
        assert await all_runs(store, "small") == ["2", "1", "0"]
        assert len(await all_runs(store)) == 7

    async def test_a_log_of_no_size_is_emptied(self, store: RunStore) -> None:
        await append(store, *(a_run(str(number)) for number in range(5)))
        await append(store, max_bytes=0)
        assert await all_runs(store) == []


class TestActionCounts:
    async def test_counts_of_an_action_are_added_up(self, store: Store) -> None:
        await commit(store, an_action("1"), an_action("2"))
        await count(store, ActionCounts("org", "2", "old", 3, 2, 1, 0, 10, 100), counts_of("1"))
        await count(store, ActionCounts("org", "2", "neu\x00ß", 1, 1, 1, 1, 2, 2**40))
        assert (await store.counted_actions("org")).actions == [
            counts_of("1"),
            ActionCounts("org", "2", "neu\x00ß", 4, 3, 2, 1, 12, 100 + 2**40),
        ]

    async def test_an_organisation_sees_counts_of_its_own_actions_alone(self, store: Store) -> None:
        await commit(store, an_action("1"), an_action("2", org_id="other"))
        await count(store, counts_of("1"), counts_of("2", org_id="other"))
        assert (await store.counted_actions("org")).actions == [counts_of("1")]
        assert (await store.counted_actions("other")).actions == [counts_of("2", org_id="other")]
        assert (await store.counted_actions("o\x00")).actions == []

    async def test_counting_began_when_the_store_was_made(self, store: Store) -> None:
        assert await store.counted_actions("org") == CountedActions(NOON, [])

    async def test_runs_and_counts_of_one_call_are_both_stored(self, store: Store) -> None:
        await commit(store, an_action("1"))
        await store.append_runs([a_run("a")], [counts_of("1")], since=0, max_bytes=ALL)
        assert await all_runs(store) == ["a"]
        assert (await store.counted_actions("org")).actions == [counts_of("1")]

    async def test_counts_stay_when_their_runs_are_deleted(self, store: Store) -> None:
        await commit(store, an_action("1"))
        await store.append_runs([a_run("a")], [counts_of("1")], since=0, max_bytes=ALL)
        await append(store, max_bytes=0)
        assert await all_runs(store) == []
        assert (await store.counted_actions("org")).actions == [counts_of("1")]

    async def test_counts_go_with_their_action(self, store: Store) -> None:
        await commit(store, an_action("1"), an_action("2"))
        await count(store, counts_of("1"), counts_of("2"))
        await commit(store, DeleteAction("org", "1", "editor"))
        assert (await store.counted_actions("org")).actions == [counts_of("2")]
        await count(store, counts_of("1"), counts_of("2"))
        assert (await store.counted_actions("org")).actions == [counts_of("2", runs=2)]

    async def test_an_action_that_is_made_again_is_counted_from_zero(self, store: Store) -> None:
        await commit(store, an_action("1"))
        await count(store, counts_of("1", runs=7))
        await commit(store, DeleteAction("org", "1", "editor"))
        await commit(store, an_action("1"))
        assert (await store.counted_actions("org")).actions == []
        await count(store, counts_of("1"))
        assert (await store.counted_actions("org")).actions == [counts_of("1")]
