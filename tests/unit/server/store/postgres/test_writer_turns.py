"""Several stores on one database, as processes have it: no update is lost, no event is missed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from server.commands.actions import DeactivateAction, ReactivateAction
from server.commands.queue import CommandQueue
from server.domain.action import ActionState
from server.domain.refusals import Refusal
from server.store.engine import Store
from server.store.errors import StorageError
from server.store.opening import engine_of, open_store
from server.store.postgres.connect import READERS_MAX
from server.store.postgres.locks import Lock
from server.store.read_model import ActionById, ActionsOf
from tests.contract.stores import an_action, commit

PROCESSES: Final = 4
CHANGES: Final = 40
"""Changes of one action by each process."""


@pytest.fixture
async def stores(url: str, tmp_path: Path) -> AsyncIterator[Sequence[Store]]:
    opened = [await open_store(tmp_path / str(n), database=url) for n in range(PROCESSES)]
    yield opened
    for store in opened:
        await store.close()


@contextlib.asynccontextmanager
async def holding(url: str, statement: str) -> AsyncIterator[None]:
    """Keeps a transaction of another program open that has run the statement."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


async def positions(store: Store, last: int) -> list[int]:
    """Returns positions as one sees them who reads on, up to the last."""
    seen: list[int] = []
    while not seen or seen[-1] < last:
        events = await store.events(after=seen[-1] if seen else 0, limit=7)
        seen += [event.position for event in events]
    return seen


async def change(store: Store, action_id: str) -> None:
    """Changes the state of an action, whatever others do to it meanwhile."""
    async with CommandQueue(store) as queue:
        for number in range(CHANGES):
            kind = DeactivateAction if number % 2 else ReactivateAction
            with contextlib.suppress(Refusal):  # another was first
                await queue.execute(kind("org", action_id, ""))


async def test_who_reads_on_misses_no_event_and_no_change_is_lost(
    url: str, tmp_path: Path, stores: Sequence[Store]
) -> None:
    await commit(stores[0], an_action("shared"))

    async def one(store: Store, number: int) -> None:
        async with CommandQueue(store) as queue:
            added = (an_action(f"{number}-{each}") for each in range(CHANGES))
            await asyncio.gather(*map(queue.execute, added))
        await change(store, "shared")

    reading = asyncio.create_task(positions(stores[0], 1 + PROCESSES * CHANGES))
    await asyncio.gather(*(one(store, number) for number, store in enumerate(stores)))
    seen = await asyncio.wait_for(reading, 60)
    assert seen == [*range(1, len(seen) + 1)]
    events = await stores[1].events(limit=10_000)
    assert [event.position for event in events] == [*range(1, len(events) + 1)]
    of_shared = [event for event in events if event.aggregate_id == "shared"]
    assert [event.sequence for event in of_shared] == [*range(1, len(of_shared) + 1)]
    kinds = [event.type for event in of_shared[1:]]
    assert all(kind != after for kind, after in pairwise(kinds))
    action = await stores[2].read(ActionById("org", "shared"))
    is_active = kinds[-1:] != ["action.deactivated"]
    assert action is not None
    assert action.sequence == len(of_shared)
    assert (action.state is ActionState.ACTIVE) == is_active
    faults = await asyncio.to_thread(engine_of(url).compare, tmp_path, lambda *_: None)
    assert faults == []


async def test_of_those_who_take_a_name_at_once_one_has_it(stores: Sequence[Store]) -> None:
    async def take(store: Store, number: int) -> bool:
        async with CommandQueue(store) as queue:
            try:
                await queue.execute(an_action(str(number), name="wanted"))
            except Refusal:
                return False
        return True

    taken = await asyncio.gather(*(take(store, number) for number, store in enumerate(stores)))
    assert sum(taken) == 1
    assert (await stores[0].read(ActionsOf("org"))).total == 1


async def test_machine_ids_of_all_processes_differ(stores: Sequence[Store]) -> None:
    claimed = await asyncio.gather(
        *(store.claim_machine_id() for store in stores for _ in range(20))
    )
    assert len(set(claimed)) == len(claimed)


async def test_a_process_that_does_not_commit_holds_others_up_for_a_limited_time(
    url: str, stores: Sequence[Store]
) -> None:
    async with holding(url, Lock.COMMITS.statement):
        with pytest.raises(StorageError, match=r"another process commits for too long \(55P03\)"):
            await commit(stores[0], an_action("late"))
        assert (await stores[0].read(ActionsOf("org"))).total == 0
    await commit(stores[0], an_action("late"))
    assert (await stores[1].read(ActionsOf("org"))).total == 1


async def test_reads_that_their_callers_left_cost_no_connection(
    url: str, stores: Sequence[Store]
) -> None:
    store = stores[0]
    await commit(store, an_action("1"))
    async with holding(url, "LOCK TABLE actions IN ACCESS EXCLUSIVE MODE"):
        reads = [
            asyncio.create_task(store.read(ActionById("org", "1"))) for _ in range(3 * READERS_MAX)
        ]
        await asyncio.wait(reads, timeout=0.2)
        for read in reads:
            read.cancel()
        ended = await asyncio.gather(*reads, return_exceptions=True)
        assert {type(each) for each in ended} == {asyncio.CancelledError}
    found = await asyncio.gather(
        *(store.read(ActionById("org", "1")) for _ in range(3 * READERS_MAX))
    )
    assert {action.name for action in found if action is not None} == {"name of 1"}


async def test_a_read_that_a_lock_holds_up_ends_and_so_do_those_that_wait_for_its_connection(
    url: str, stores: Sequence[Store]
) -> None:
    store = stores[0]
    async with holding(url, "LOCK TABLE actions IN ACCESS EXCLUSIVE MODE"):
        reads = [store.read(ActionById("org", "1")) for _ in range(2 * READERS_MAX)]
        ended = await asyncio.wait_for(asyncio.gather(*reads, return_exceptions=True), 60)
    assert {type(each) for each in ended} == {StorageError}
    assert {str(each).rpartition(": ")[2] for each in ended} == {"did not answer in time"}
    assert await store.read(ActionById("org", "1")) is None
