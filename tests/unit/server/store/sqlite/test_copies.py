"""Copies of a database, what is refused as one, and what is wrong with a database."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from server.store.errors import DataFolderInUse, StorageError
from server.store.opening import engine_of, open_store
from tests.support import every_event
from tests.support.every_event import rows
from tests.support.tables import cases

PAGE_BYTES = 4096


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    await every_event.fill(data)
    return data


def ignored(_done: int, _total: int) -> None: ...


def back_up(folder: Path) -> Path:
    copy = folder.with_name("copy.sqlite")
    engine_of("").back_up(folder, copy, ignored)
    return copy


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


async def test_a_copy_has_all_rows_in_one_file_of_its_owner(folder: Path) -> None:
    done: list[tuple[int, int]] = []
    copy = folder.with_name("copy.sqlite")
    position = engine_of("").back_up(folder, copy, lambda *pages: done.append(pages))
    before = rows(folder)
    assert position == max(row[0] for row in before["events"])
    assert done[-1][0] == done[-1][1] == copy.stat().st_size // PAGE_BYTES
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert names(folder.parent) == ["copy.sqlite", "data"]
    other = folder.with_name("other")
    assert engine_of("").restore(copy, other, ignored, replaces=False) == position
    assert rows(other) == before
    assert stat.S_IMODE(other.stat().st_mode) == 0o700
    store = await open_store(other)
    assert (await store.last_event()).position == position
    await store.close()


async def test_a_copy_is_as_of_one_moment_while_others_are_written(folder: Path) -> None:
    """Each report of progress writes: a copy that took in a part of it would differ."""
    before = rows(folder)

    def write(_done: int, _total: int) -> None:
        changed(folder / "events.sqlite", "UPDATE actions SET script = script || 'x'")

    copy = folder.with_name("copy.sqlite")
    engine_of("").back_up(folder, copy, write)
    other = folder.with_name("other")
    engine_of("").restore(copy, other, ignored, replaces=False)
    assert rows(other) == before != rows(folder)


async def test_a_copy_replaces_a_database_which_stays_beside_it(folder: Path) -> None:
    copy = back_up(folder)
    changed(folder / "events.sqlite", "DELETE FROM actions")
    later = rows(folder)
    engine_of("").restore(copy, folder, ignored, replaces=True)
    assert rows(folder) != later
    (folder / "events.sqlite.replaced").replace(folder / "events.sqlite")
    assert rows(folder) == later


async def test_an_older_copy_is_opened_without_asking_for_its_later_events(folder: Path) -> None:
    copy = back_up(folder)
    with (folder / "last-position").open("w") as file:
        file.write("9999\n")
    engine_of("").restore(copy, folder, ignored, replaces=True)
    await (await open_store(folder)).close()


async def test_a_folder_with_a_database_or_a_service_is_left_alone(folder: Path) -> None:
    copy = back_up(folder)
    before = rows(folder)
    with pytest.raises(StorageError, match=r"data has a database; --replace moves it aside$"):
        engine_of("").restore(copy, folder, ignored, replaces=False)
    store = await open_store(folder)
    with pytest.raises(DataFolderInUse):
        engine_of("").restore(copy, folder, ignored, replaces=True)
    await store.close()
    assert rows(folder) == before
    assert "events.sqlite.replaced" not in names(folder)


async def test_a_file_that_is_there_is_not_written_over(folder: Path) -> None:
    copy = folder.with_name("copy.sqlite")
    for place in (lambda: copy.write_text("mine"), lambda: copy.symlink_to("nowhere")):
        place()
        with pytest.raises(StorageError, match=r"copy.sqlite exists; name another file, or"):
            engine_of("").back_up(folder, copy, ignored)
        copy.unlink()


async def test_a_copy_that_fails_leaves_no_file(folder: Path) -> None:
    copy = folder.with_name("copy.sqlite")

    def fail(_done: int, _total: int) -> None:
        raise OSError("no room")

    with pytest.raises(StorageError, match="no room"):
        engine_of("").back_up(folder, copy, fail)
    assert names(folder.parent) == ["data"]
    copy.with_name("copy.sqlite.part").write_text("left by a process that was killed")
    back_up(folder)
    assert names(folder.parent) == ["copy.sqlite", "data"]


def garbled(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'actions'"
        ).fetchone()
    octets = bytearray(copy.read_bytes())
    octets[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    copy.write_bytes(octets)


def cut(copy: Path) -> None:
    os.truncate(copy, copy.stat().st_size // PAGE_BYTES // 2 * PAGE_BYTES)


@cases(
    "damage, text",
    {
        "no file": (Path.unlink, "expected a file that `backup` made, got none"),
        "an empty file": (lambda copy: copy.write_bytes(b""), "is empty; expected a file that"),
        "a garbled page": (garbled, "is damaged: "),
        "cut off": (cut, "damaged"),
        "another file": (lambda copy: copy.write_bytes(b"other" * 999), "SQLITE_NOTADB"),
        "another program's": (
            lambda copy: changed(copy, "PRAGMA application_id = 5"),
            "is a database of another program",
        ),
        "a newer version": (
            lambda copy: changed(copy, "INSERT INTO schema_versions VALUES (99, 'x', 0)"),
            "has schema version 99, this program knows",
        ),
    },
)
async def test_an_invalid_copy_is_refused_before_any_change(
    damage: Callable[[Path], object], text: str, folder: Path
) -> None:
    copy = back_up(folder)
    before = rows(folder)
    damage(copy)
    with pytest.raises(StorageError) as refused:
        engine_of("").restore(copy, folder, ignored, replaces=True)
    assert str(copy) in str(refused.value)
    assert text in str(refused.value)
    assert rows(folder) == before
    with pytest.raises(StorageError):
        engine_of("").restore(copy, folder.with_name("new"), ignored, replaces=False)
    assert "new" not in names(folder.parent)


MAY_CHANGE = "DROP TRIGGER events_are_never_changed"
MAY_DELETE = "DROP TRIGGER events_are_never_deleted"


@cases(
    "statements, faults",
    {
        "nothing": ([], []),
        "a state that was changed": (
            ["UPDATE orgs SET name = 'x' WHERE id = 'o'"],
            ["orgs: o differs from its events"],
        ),
        "a state that is gone": (
            ["DELETE FROM orgs WHERE id = 'o'"],
            ["orgs: o is missing, its events make it"],
        ),
        "a state without events": (
            ["INSERT INTO orgs SELECT 99, 'p', name, sequence, 0, 0 FROM orgs WHERE id = 'o'"],
            ["orgs: p exists, its events do not make it"],
        ),
        "a name without events": (
            ["INSERT INTO names VALUES ('org', '', 'free', 'o')"],
            ["names: org  free exists, its events do not make it"],
        ),
        "a sealed content without a value": (
            ["INSERT INTO sealed_contents VALUES ('o:secret:X', 'a key', x'00')"],
            ["sealed_contents: o:secret:X is not among the values"],
        ),
        "an event that is gone": (
            [MAY_DELETE, "DELETE FROM events WHERE position = 1"],
            [
                "events: expected positions 1 to 55, got 55 from 2 to 56",
                "events: org o has 9 events, the last has sequence 10",
            ],
        ),
        "an event that cannot be applied": (
            [MAY_CHANGE, "UPDATE events SET payload = '{\"name\": 7}' WHERE position = 1"],
            [
                "event 1 (org.added of org o) cannot be applied: "
                "event 1 (org.added): name is not a string"
            ],
        ),
    },
)
async def test_faults_of_a_database_are_told(
    statements: list[str], faults: list[str], folder: Path
) -> None:
    changed(folder / "events.sqlite", *statements)
    before = rows(folder)
    assert engine_of("").compare(folder, ignored) == faults
    assert rows(folder) == before


async def test_damaged_pages_are_told(folder: Path) -> None:
    garbled(folder / "events.sqlite")
    faults = engine_of("").compare(folder, ignored)
    assert faults
    assert all("\n" not in fault for fault in faults)


async def test_a_database_is_compared_while_it_is_in_use(folder: Path) -> None:
    store = await open_store(folder)
    assert engine_of("").compare(folder, ignored) == []
    await store.close()
