"""Targets over a store: found until they change, and refused where they do not open."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from server.bridge import targets
from server.bridge.targets import Target
from server.commands.queue import CommandQueue
from server.commands.sealed import DeleteSealed, SetSealed
from server.domain.events import RecordedEvent
from server.sealing.key_ring import KeyRing
from server.sealing.keys import SecretKey
from server.services.kept_targets import TARGETS_MAX, KeptTargets, place_of
from server.store.engine import Store
from server.store.errors import StorageError
from server.store.opening import open_store
from server.store.read_model import Query
from tests.support.threads import THREADS

KEYS = KeyRing([SecretKey.of(b"\x01" * 32)], threads=THREADS)
OTHER_KEYS = KeyRing([SecretKey.of(b"\x02" * 32)], threads=THREADS)


def a_target(id: str, name: str = "production") -> Target:
    return Target(
        id=id, name=name, signing_key="k", timeout_ms=1000, ignores_failures=False, orgs={"1": "2"}
    )


class Instance:
    """A store with targets, and what is kept of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kept = KeptTargets(store, KEYS)
        self.queue = CommandQueue(store, on_commit=self.kept.forget)

    async def put(self, target: Target, keys: KeyRing = KEYS) -> None:
        place = place_of(target.id)
        sealed = await keys.seal(place, targets.write(target))
        await self.queue.execute(SetSealed(place, sealed, TARGETS_MAX, ""))

    async def delete(self, target_id: str) -> None:
        await self.queue.execute(DeleteSealed(place_of(target_id), ""))


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[Instance]:
    store = await open_store(tmp_path)
    made = Instance(store)
    await made.queue.start()
    yield made
    await made.queue.close()
    await store.close()


async def test_a_target_is_found_until_it_is_deleted(instance: Instance) -> None:
    assert await instance.kept.find("7") is None
    await instance.put(a_target("7"))
    assert await instance.kept.find("7") == a_target("7")
    await instance.put(a_target("7", "renamed"))
    assert await instance.kept.find("7") == a_target("7", "renamed")
    await instance.delete("7")
    assert await instance.kept.find("7") is None


async def test_targets_are_listed_in_order_of_creation(instance: Instance) -> None:
    for id in ("9", "7", "8"):
        await instance.put(a_target(id))
    assert [value.name for value, _ in await instance.kept.all()] == ["9", "7", "8"]


async def test_what_is_kept_needs_no_storage(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    await instance.put(a_target("7"))
    await instance.kept.find("7")

    async def fails(query: Query[object]) -> object:
        raise StorageError("disk gone")

    monkeypatch.setattr(instance.store, "read", fails)
    assert await instance.kept.find("7") == a_target("7")
    assert await instance.kept.find("8") is None
    instance.kept.forget_all()
    with pytest.raises(StorageError):
        await instance.kept.find("7")


async def test_other_events_leave_what_is_kept(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    await instance.put(a_target("7"))
    found = await instance.kept.find("7")
    instance.kept.forget([RecordedEvent(1, "1", "action", "1", 1, "action.removed", {}, "", 1)])
    assert await instance.kept.find("7") is found


async def test_a_target_that_does_not_open_is_as_missing_and_logged(instance: Instance) -> None:
    await instance.put(a_target("7"), OTHER_KEYS)
    await instance.put(a_target("8"))
    with structlog.testing.capture_logs() as lines:
        assert await instance.kept.find("7") is None
    assert await instance.kept.find("8") == a_target("8")
    assert [line["event"] for line in lines] == ["a target cannot be used"]
    assert [target for _, target in await instance.kept.all()] == [None, a_target("8")]
