"""Events that one process commits are told to another, which drops what they change."""

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from server.commands.actions import DeactivateAction
from server.domain.events import RecordedEvent
from server.store.opening import open_store
from server.store.postgres import follower
from server.store.postgres.store import PostgresEventStore
from tests.contract.stores import an_action, commit
from tests.support.postgresql import PostgresServer
from tests.support.waiting import WITHIN_S, until_async


class Kept:
    """Notes what it is told to forget."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []
        self.everything = 0

    def forget(self, events: Iterable[RecordedEvent]) -> None:
        self.events += events

    def forget_all(self) -> None:
        self.everything += 1

    @property
    def positions(self) -> list[int]:
        return [event.position for event in self.events]


@pytest.fixture
def is_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has no read end before its answer on a busy machine, as then all would be forgotten."""
    monkeypatch.setattr(follower, "ANSWER_MAX_S", WITHIN_S)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(is_durable=True) as server:
        yield server


@pytest.fixture
async def stores(
    server: PostgresServer, tmp_path: Path
) -> AsyncIterator[tuple[PostgresEventStore, PostgresEventStore]]:
    url = await server.new_database()
    opened = [await open_store(tmp_path / name, database=url) for name in ("mine", "other")]
    mine, other = opened
    assert isinstance(mine, PostgresEventStore)
    assert isinstance(other, PostgresEventStore)
    yield mine, other
    for store in opened:
        await store.close()


Stores = tuple[PostgresEventStore, PostgresEventStore]


@pytest.mark.usefixtures("is_patient")
async def test_events_of_another_process_are_told_without_their_payloads(stores: Stores) -> None:
    mine, other = stores
    kept = Kept()
    async with mine.following([kept]):
        await commit(other, an_action("1"), an_action("2"))
        await commit(other, DeactivateAction("org", "1", "editor"))
        await until_async(lambda: len(kept.events) == 3)
    assert [(event.aggregate_id, event.type) for event in kept.events] == [
        ("1", "action.added"),
        ("2", "action.added"),
        ("1", "action.deactivated"),
    ]
    assert [event.payload for event in kept.events] == [{}, {}, {}]
    assert kept.everything == 0


async def test_own_events_are_not_told_again(stores: Stores) -> None:
    mine, other = stores
    kept = Kept()
    # Between a commit and its answer they may be read, and told, which costs no more than a read.
    await commit(mine, an_action("1"))
    await commit(mine, an_action("2"))
    async with mine.following([kept]):
        await commit(other, an_action("3"))
        await until_async(lambda: 3 in kept.positions)
    assert kept.positions == [3]


async def test_own_events_behind_those_of_another_hide_none(stores: Stores) -> None:
    mine, other = stores
    kept = Kept()
    async with mine.following([kept]):
        await commit(other, an_action("1"))
        await commit(mine, an_action("2"))
        await commit(other, an_action("3"))
        await until_async(lambda: {1, 3} <= {*kept.positions})


@pytest.mark.usefixtures("is_patient")
async def test_beyond_so_many_events_all_is_forgotten(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "EVENTS_MAX", 2)
    mine, other = stores
    kept = Kept()
    async with mine.following([kept]):
        await commit(other, *(an_action(str(number)) for number in range(3)))
        await until_async(lambda: kept.everything == 1)
        await commit(other, an_action("after"))
        await until_async(lambda: kept.positions == [4])


async def test_while_events_cannot_be_read_all_is_forgotten_again_and_again(
    stores: Stores, server: PostgresServer
) -> None:
    mine, other = stores
    kept = Kept()
    async with mine.following([kept]):
        await commit(other, an_action("1"))
        await until_async(lambda: kept.positions == [1])
        server.kill()
        await until_async(lambda: kept.everything >= 2)
        server.start()
        await commit(other, an_action("2"))
        await until_async(lambda: kept.positions == [1, 2])
