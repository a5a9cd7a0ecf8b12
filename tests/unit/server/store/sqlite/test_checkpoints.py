"""The write-ahead log is copied into the database beside the commits."""

import asyncio
import time
from pathlib import Path

from server.domain.aggregates import action_key
from server.domain.events import RecordedEvent
from server.store.log import LoadedFacts, Needs, Writes
from server.store.sqlite.checkpoints import ROWS, Checkpoints
from server.store.sqlite.connect import Access
from server.store.sqlite.store import DATABASE_FILE, SqliteEventStore

DEADLINE_S = 10


async def commit(store: SqliteEventStore, *, events: int = 1) -> None:
    def appended(loaded: LoadedFacts) -> Writes:
        positions = range(loaded.position + 1, loaded.position + 1 + events)
        recorded = [
            RecordedEvent(at, *("org", *action_key(str(at))), 1, "action.removed", {}, "", 0)
            for at in positions
        ]
        return Writes(recorded, {}, [], {})

    await store.commit(Needs([], []), appended)


def salts(folder: Path) -> bytes:
    """Returns what SQLite changes when it starts the log anew (sqlite.org/fileformat2.html)."""
    with (folder / f"{DATABASE_FILE}-wal").open("rb") as log:
        return log.read(24)[16:]


async def test_the_log_starts_anew_though_no_commit_made_a_checkpoint(tmp_path: Path) -> None:
    store = await SqliteEventStore.open(tmp_path)
    await commit(store)
    before = salts(tmp_path)
    await commit(store, events=ROWS)
    until = time.monotonic() + DEADLINE_S
    while salts(tmp_path) == before:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
        await commit(store, events=ROWS // 10)  # enough for other attempts, on a slow disk
    await store.close()


async def test_few_rows_make_no_checkpoint(tmp_path: Path) -> None:
    store = await SqliteEventStore.open(tmp_path)
    await commit(store)
    before = salts(tmp_path)
    for _ in range(20):
        await commit(store)
    assert salts(tmp_path) == before
    await store.close()


async def test_a_commit_that_ends_after_the_store_began_to_close_is_answered(
    tmp_path: Path,
) -> None:
    store = await SqliteEventStore.open(tmp_path)
    committing = asyncio.create_task(commit(store, events=ROWS))
    await asyncio.sleep(0)
    await asyncio.gather(store.close(), committing)


async def test_a_checkpoint_that_fails_is_tried_again_after_as_many_rows(tmp_path: Path) -> None:
    store = await SqliteEventStore.open(tmp_path)
    checkpoints = Checkpoints(tmp_path / DATABASE_FILE, access=Access.SHARED)
    checkpoints._connection.close()  # noqa: SLF001  as if the disk failed
    for _ in range(2):
        checkpoints.note(ROWS)
        until = time.monotonic() + DEADLINE_S
        while checkpoints._is_running:  # noqa: SLF001  nothing else shows it
            assert time.monotonic() < until
            await asyncio.sleep(0)
    checkpoints.close()
    checkpoints.join()
    await store.close()
