"""Rebuilds of a SQLite database from its events."""

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from server.store.errors import DataFolderInUse, StorageError
from server.store.folder import DataFolder
from server.store.sqlite import rebuild as rebuild_module
from server.store.sqlite.store import rebuild
from tests.support import every_event
from tests.support.every_event import rows
from tests.support.tables import cases

STATE_TABLES = ("actions", "flows", "orgs", "members", "users", "tokens", "names", "removed")


def alter(folder: Path, *statements: str) -> None:
    """Changes the database behind the program's back."""
    with closing(sqlite3.connect(folder / "events.sqlite", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def no_progress(applied: int, total: int) -> None: ...


async def test_the_store_of_these_tests_has_every_kind_of_event(tmp_path: Path) -> None:
    await every_event.fill(tmp_path)
    assert {row[5] for row in rows(tmp_path)["events"]} == every_event.EVENT_TYPES
    before = rows(tmp_path)
    assert [table for table in before if not before[table]] == []


@pytest.mark.parametrize("events_at_once", [1, 2, 7, 256])
async def test_rows_are_the_same_however_events_are_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events_at_once: int
) -> None:
    await every_event.fill(tmp_path)
    before = rows(tmp_path)
    monkeypatch.setattr(rebuild_module, "EVENTS_AT_ONCE", events_at_once)
    assert rebuild(tmp_path, no_progress) == len(before["events"])
    assert rows(tmp_path) == before


async def test_long_scripts_are_written_before_more_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await every_event.fill(tmp_path)
    before = rows(tmp_path)
    monkeypatch.setattr(rebuild_module, "CHARS_AT_ONCE", 100)
    seen: list[int] = []
    rebuild(tmp_path, lambda applied, _: seen.append(applied))
    assert max(after - before for before, after in pairwise(seen)) < 11
    assert rows(tmp_path) == before


async def test_states_that_are_wrong_are_right_after_it(tmp_path: Path) -> None:
    await every_event.fill(tmp_path)
    before = rows(tmp_path)
    alter(
        tmp_path,
        "UPDATE actions SET name = 'wrong', state = 77",
        "UPDATE flows SET triggers = 'no JSON', created_at = 0",
        "UPDATE action_totals SET total = 1000",
        "INSERT INTO action_totals (org_id, total) VALUES ('nobody', 5)",
        "INSERT INTO names (scope, org_id, name, owner) VALUES ('org', '', 'acme inc', 'x')",
        "DELETE FROM members",
        "DELETE FROM removed",
        "INSERT INTO tokens SELECT position + 1, id || 'x', org_id, user_id, x'00', description, "
        "expires_at, sequence, created_at, changed_at FROM tokens LIMIT 1",
    )
    rebuild(tmp_path, no_progress)
    assert rows(tmp_path) == before


async def test_progress_begins_at_none_and_ends_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await every_event.fill(tmp_path)
    total = len(rows(tmp_path)["events"])
    monkeypatch.setattr(rebuild_module, "EVENTS_AT_ONCE", 10)
    seen: list[tuple[int, int]] = []
    rebuild(tmp_path, lambda applied, total: seen.append((applied, total)))
    assert seen == [*((applied, total) for applied in range(0, total, 10)), (total, total)]


@cases(
    "event, problem",
    {
        "unknown aggregate": (
            "'robot', 'r', 1, 'robot.added', '{}'",
            "(robot.added of robot r) cannot be applied: event 1000: unknown aggregate type",
        ),
        "payload of another form": (
            "'org', 'z', 1, 'org.added', '{\"name\": 7}'",
            "(org.added of org z) cannot be applied: event 1000 (org.added): name is not a string",
        ),
        "payload that is no JSON": (
            "'org', 'z', 1, 'org.added', 'no JSON'",
            "table events: the row 1000 cannot be read",
        ),
        "name that is taken": (
            "'action', '1', 99, 'action.changed', '{\"name\": \"greet\\u00004\"}'",
            r"(action.changed of action 1) cannot be applied: name 'greet\x004' belongs to 4",
        ),
    },
)
async def test_an_event_that_cannot_be_applied_leaves_all_as_it_was(
    tmp_path: Path, event: str, problem: str
) -> None:
    await every_event.fill(tmp_path)
    alter(
        tmp_path,
        "UPDATE actions SET name = 'wrong'",
        "INSERT INTO events (position, org_id, aggregate_type, aggregate_id, sequence, type, "  # noqa: S608
        f"payload, editor, created_at) VALUES (1000, 'o', {event}, '', 0)",
    )
    before = rows(tmp_path)
    with pytest.raises(StorageError) as refused:
        rebuild(tmp_path, no_progress)
    assert problem in str(refused.value)
    assert rows(tmp_path) == before


async def test_a_name_that_was_taken_long_before_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await every_event.fill(tmp_path)
    alter(
        tmp_path,
        "INSERT INTO events (position, org_id, aggregate_type, aggregate_id, sequence, type, "
        "payload, editor, created_at) "
        "VALUES (1000, '', 'org', 'z', 1, 'org.added', '{\"name\": \"acme\"}', '', 0)",
    )
    monkeypatch.setattr(rebuild_module, "EVENTS_AT_ONCE", 1)
    with pytest.raises(StorageError, match=r"UNIQUE constraint failed: names\.scope"):
        rebuild(tmp_path, no_progress)


async def test_a_folder_that_is_in_use_is_refused(tmp_path: Path) -> None:
    await every_event.fill(tmp_path)
    claimed = DataFolder.claim(tmp_path)
    try:
        with pytest.raises(DataFolderInUse):
            rebuild(tmp_path, no_progress)
    finally:
        claimed.release()
    rebuild(tmp_path, no_progress)


def test_a_folder_without_a_database_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="has no database yet"):
        rebuild(tmp_path / "data", no_progress)
    assert [*tmp_path.iterdir()] == []
