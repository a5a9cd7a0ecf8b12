"""A store that is opened where nothing can be written."""

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.commands.queue import CommandQueue
from server.store.errors import StorageError
from server.store.folder import DataFolder
from server.store.read_model import ActionById
from server.store.sqlite.connect import Access, access_to
from server.store.sqlite.store import SqliteEventStore
from tests.support.action_commands import CreateOrglessAction, create_orgless_action
from tests.support.full_disk import full_disk


def an_action(action_id: str) -> CreateOrglessAction:
    return create_orgless_action("org", action_id, f"name {action_id}")


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A data folder with an action, as a server that was stopped leaves it."""
    store = await SqliteEventStore.open(tmp_path)
    async with CommandQueue(store) as queue:
        await queue.execute(an_action("1"))
    await store.close()
    return tmp_path


async def test_store_on_a_full_disk_is_read_and_written_once_there_is_room(folder: Path) -> None:
    with full_disk():
        store = await SqliteEventStore.open(folder)
        read = await store.read(ActionById("org", "1"))
        with pytest.raises(StorageError):
            await store.claim_machine_id()
        async with CommandQueue(store) as queue:
            with pytest.raises(StorageError):
                await queue.execute(an_action("2"))
    assert read is not None
    async with CommandQueue(store) as queue:
        await queue.execute(an_action("3"))
    assert [event.aggregate_id for event in await store.events()] == ["1", "3"]
    await store.close()


async def test_other_programs_are_locked_out_of_a_store_opened_on_a_full_disk(folder: Path) -> None:
    with full_disk():
        store = await SqliteEventStore.open(folder)
    assert store.is_exclusive
    # Another process, as locks of one process do not exclude each other.
    reads = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('SELECT * FROM events')"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", reads, folder / "events.sqlite", stderr=asyncio.subprocess.PIPE
    )
    _, said = await other.communicate()
    assert said.decode().splitlines()[-1] == "sqlite3.OperationalError: database is locked"
    await store.close()
    again = await SqliteEventStore.open(folder)
    assert not again.is_exclusive
    await again.close()


async def test_machine_id_without_a_claim_is_far_from_those_claimed_next(folder: Path) -> None:
    store = await SqliteEventStore.open(folder)
    claimed = await store.claim_machine_id()
    spares = [await store.spare_machine_id() for _ in range(100)]
    await store.close()
    distances = [(spare - claimed) % 2**16 for spare in spares]
    assert min(distances) >= 2**14
    assert max(distances) <= 2**16 - 2**14
    assert len(set(spares)) > 1


async def test_first_start_on_a_full_disk_is_refused(tmp_path: Path) -> None:
    with full_disk(), pytest.raises(StorageError):
        await SqliteEventStore.open(tmp_path)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param(None, Access.READ_ONLY, id="no log"),
        pytest.param(b"", Access.READ_ONLY, id="an empty log"),
        pytest.param(b"what is not in the database", None, id="a log that has to be read"),
    ],
)
async def test_database_on_a_read_only_file_system_is_read_if_it_has_all(
    log: bytes | None, expected: Access | None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "events.sqlite"
    if log is not None:
        path.with_name("events.sqlite-wal").write_bytes(log)
    opened = sqlite3.connect

    def on_read_only_file_system(database: str, **named: Any) -> sqlite3.Connection:
        # SQLite fails alike where it would have to make a file, and cannot.
        if not database.endswith("immutable=1"):
            database = f"file:{folder}/missing/events.sqlite"
        connection: sqlite3.Connection = opened(database, **named)
        return connection

    monkeypatch.setattr(sqlite3, "connect", on_read_only_file_system)
    if expected is None:
        with pytest.raises(sqlite3.OperationalError, match="unable to open database file"):
            access_to(path)
    else:
        assert access_to(path) is expected


def test_folder_is_claimed_on_a_full_disk_and_names_its_holder(tmp_path: Path) -> None:
    DataFolder.claim(tmp_path, admin="/run/admin.sock").release()
    before = (tmp_path / "lock").stat()
    folder = DataFolder.claim(tmp_path, admin="/run/a.sock")
    assert (tmp_path / "lock").stat().st_blocks == before.st_blocks > 0
    assert orjson.loads((tmp_path / "lock").read_bytes())["admin"] == "/run/a.sock"
    folder.release()
    with full_disk():
        DataFolder.claim(tmp_path).release()
