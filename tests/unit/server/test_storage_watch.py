"""The watch over the store: what it tells, and when."""

import asyncio
import threading
from pathlib import Path

import pytest

from server import storage_watch
from server.storage_watch import StorageWatch
from server.store.log import Needs, Writes
from server.store.sqlite import writer as writer_module
from server.store.sqlite.store import SqliteEventStore

WAIT_S = 10


async def test_a_disk_that_hangs_in_a_write_makes_storage_unavailable_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def hang(_writer: writer_module.Writer, _writes: Writes) -> None:
        begun.set()
        assert may_end.wait(WAIT_S)

    monkeypatch.setattr(writer_module.Writer, "commit", hang)
    monkeypatch.setattr(storage_watch, "CHECK_MAX_S", 0.05)
    told: asyncio.Queue[bool] = asyncio.Queue()
    store = await SqliteEventStore.open(tmp_path)
    writing = asyncio.create_task(store.commit(Needs([], []), lambda _: Writes([], {}, [], {})))
    watch = StorageWatch(store.check, told.put, interval_s=0)
    try:
        async with asyncio.timeout(WAIT_S):
            while not begun.is_set():
                await asyncio.sleep(0.001)
            watch.start()
            assert await told.get() is False
            may_end.set()
            assert await told.get() is True
    finally:
        may_end.set()
        await watch.close()
        await writing
        await store.close()
