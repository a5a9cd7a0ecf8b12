"""A database that is damaged, or lacks what was written to it, is refused before it is used."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.commands.queue import CommandQueue
from server.domain.action import ActionState
from server.store.action_lists import EVERY_ACTION
from server.store.engine import AS_USUAL, Opening
from server.store.errors import StorageError
from server.store.read_model import ActionsOf, MembersOf
from server.store.sqlite import connect as connect_module
from server.store.sqlite.store import SqliteEventStore
from tests.support.action_commands import CreateOrglessAction, create_orgless_action

EVENTS = 300
PAGE_BYTES = 4096


def an_action(number: int, script: str = "x" * 500) -> CreateOrglessAction:
    return create_orgless_action("org", f"{number}", f"a{number}", script)


async def write(folder: Path, first: int, last: int) -> None:
    store = await SqliteEventStore.open(folder)
    async with CommandQueue(store) as queue:
        for number in range(first, last):
            await queue.execute(an_action(number))
    await store.close()


async def opened(folder: Path, opening: Opening = AS_USUAL) -> int:
    """Returns how many actions a start finds."""
    store = await SqliteEventStore.open(folder, opening=opening)
    try:
        return (await store.read(ActionsOf("org"))).total
    finally:
        await store.close()


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A database as a killed process leaves it: the last hundred events are in its log alone."""
    running = tmp_path / "running"
    await write(running, 0, EVENTS - 100)
    store = await SqliteEventStore.open(running)
    try:
        async with CommandQueue(store) as queue:
            for number in range(EVENTS - 100, EVENTS):
                await queue.execute(an_action(number))
        await store.check()
        return Path(shutil.copytree(running, tmp_path / "killed"))
    finally:
        await store.close()


def truncated(folder: Path) -> None:
    database = folder / "events.sqlite"
    checkpointed(folder)
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // PAGE_BYTES // 2 * PAGE_BYTES)


def emptied(folder: Path) -> None:
    (folder / "events.sqlite").write_bytes(b"")
    log_removed(folder)


def log_removed(folder: Path) -> None:
    (folder / "events.sqlite-wal").unlink()
    (folder / "events.sqlite-shm").unlink()


def log_garbled(folder: Path) -> None:
    log = folder / "events.sqlite-wal"
    octets = bytearray(log.read_bytes())
    octets[100:164] = b"\xff" * 64  # of the first frame: what follows it counts no more
    log.write_bytes(octets)


def page_garbled(folder: Path) -> None:
    checkpointed(folder)
    database = folder / "events.sqlite"
    octets = bytearray(database.read_bytes())
    middle = len(octets) // PAGE_BYTES // 2 * PAGE_BYTES
    octets[middle : middle + PAGE_BYTES] = b"\xff" * PAGE_BYTES
    database.write_bytes(octets)


def no_database(folder: Path) -> None:
    (folder / "events.sqlite").write_bytes(
        b"not a database, and long enough to be read as one" * 99
    )


def moved_away(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def executed(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "events.sqlite", isolation_level=None)) as connection:
        connection.execute(statement)


def checkpointed(folder: Path) -> None:
    executed(folder, "PRAGMA wal_checkpoint(TRUNCATE)")


async def test_a_database_of_a_killed_process_is_whole(folder: Path) -> None:
    assert await opened(folder) == EVENTS
    assert await opened(folder, Opening(checks_whole=True)) == EVENTS


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        pytest.param(truncated, "damaged", id="truncated"),
        pytest.param(page_garbled, "is damaged: ", id="a garbled page"),
        pytest.param(no_database, " (SQLITE_", id="another file"),
        pytest.param(emptied, "ends at position 0, 300 events too early", id="emptied"),
        pytest.param(log_removed, "ends at position 2", id="without its log"),
        pytest.param(log_garbled, "ends at position 2", id="with a garbled log"),
    ],
)
async def test_damage_is_reported_at_the_start(
    damage: Callable[[Path], None], text: str, folder: Path
) -> None:
    damage(folder)
    with pytest.raises(StorageError) as refused:
        await SqliteEventStore.open(folder)
    assert text in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("damage", [log_removed, log_garbled])
async def test_an_operator_may_go_on_without_the_last_events(
    damage: Callable[[Path], None], folder: Path
) -> None:
    damage(folder)
    with pytest.raises(StorageError, match="`serve --accept-loss`"):
        await opened(folder)
    with capture_logs() as lines:
        found = await opened(folder, Opening(accepts_loss=True))
    assert EVENTS - 100 <= found < EVENTS
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert line["event"] == "going on without events that were written"
    assert await opened(folder) == found  # and is not asked again


async def test_a_copy_of_the_database_alone_is_served_in_a_new_folder(
    folder: Path, tmp_path: Path
) -> None:
    checkpointed(folder)
    new = tmp_path / "new"
    new.mkdir(mode=0o700)
    shutil.copy(folder / "events.sqlite", new / "events.sqlite")
    assert await opened(new) == EVENTS


async def test_a_position_that_cannot_be_read_is_logged_and_written_anew(folder: Path) -> None:
    position = folder / "last-position"
    position.write_text("soon", encoding="ascii")
    with capture_logs() as lines:
        assert await opened(folder) == EVENTS
    assert [line["event"] for line in lines] == ["the file of the last position is malformed"]
    assert position.read_text(encoding="ascii") == f"{EVENTS}\n"


async def test_a_whole_check_finds_a_state_without_its_event(folder: Path) -> None:
    executed(folder, "UPDATE actions SET sequence = 7 WHERE id = '5'")
    assert await opened(folder) == EVENTS
    with pytest.raises(StorageError, match="action 5 is at sequence 7, without its event"):
        await opened(folder, Opening(checks_whole=True))


async def test_an_action_of_an_unknown_state_is_listed(folder: Path) -> None:
    executed(folder, "UPDATE actions SET state = 99 WHERE id = '5'")
    with capture_logs() as lines:
        store = await SqliteEventStore.open(folder, opening=Opening(checks_whole=True))
    page = await store.read(ActionsOf("org", EVERY_ACTION))
    await store.close()
    assert [action.id for action in page.items if action.state is ActionState.UNSPECIFIED] == ["5"]
    warnings = [line for line in lines if line["log_level"] == "warning"]
    assert [(line["id"], line["state"]) for line in warnings] == [("5", 99)]


async def test_a_store_whose_folder_was_moved_notes_no_position_in_the_next_one(
    folder: Path,
) -> None:
    store = await SqliteEventStore.open(folder)
    moved_away(folder)
    assert await opened(folder) == 0
    await store.close()
    assert await opened(folder) == 0
    assert await opened(folder.with_name("moved")) == EVENTS


async def test_a_row_that_cannot_be_read_is_named(folder: Path) -> None:
    executed(
        folder,
        "INSERT INTO members (position, id, org_id, user_id, roles, sequence, created_at, "
        "changed_at) VALUES (9999, 'm', 'org', 'u', 'no JSON', 1, 1, 1)",
    )
    store = await SqliteEventStore.open(folder)
    with pytest.raises(StorageError, match="table members: the row 'm' cannot be read"):
        await store.read(MembersOf("org"))
    await store.close()


async def test_the_log_is_shortened_after_a_long_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 1 << 20
    monkeypatch.setattr(connect_module, "WAL_MAX_BYTES", limit)
    log = tmp_path / "events.sqlite-wal"
    store = await SqliteEventStore.open(tmp_path)
    async with CommandQueue(store) as queue:
        with closing(sqlite3.connect(tmp_path / "events.sqlite")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            for number in range(30):
                await queue.execute(
                    create_orgless_action("org", f"{number}", f"{number}", "x" * 100_000)
                )
            assert log.stat().st_size > 2 * limit
        for number in range(30, 33):
            await queue.execute(an_action(number))
        assert log.stat().st_size <= limit
    await store.close()
