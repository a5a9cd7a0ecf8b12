"""Rebuilds and checks of a PostgreSQL database: rows against the events that made them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from server.store.errors import StorageError
from server.store.opening import engine_of
from server.store.postgres import rebuild as rebuild_module
from tests.support import every_event
from tests.support.postgresql import execute, rows
from tests.support.tables import cases

WRONG = (
    "UPDATE actions SET name = 'wrong', state = 77",
    "UPDATE flows SET triggers = '[]', created_at = 0",
    "UPDATE action_totals SET total = 1000",
    "INSERT INTO names (scope, org_id, name, owner) VALUES ('org', '', 'acme inc', 'x')",
    "DELETE FROM members",
    "DELETE FROM removed",
)


def no_progress(done: int, total: int) -> None: ...


def interrupted(done: int, total: int) -> None:
    if done:
        raise InterruptedError


async def rebuild(url: str, folder: Path) -> int:
    return await asyncio.to_thread(engine_of(url).rebuild, folder, no_progress)


async def faults(url: str, folder: Path) -> list[str]:
    return await asyncio.to_thread(engine_of(url).compare, folder, no_progress)


@pytest.fixture
async def filled(url: str, tmp_path: Path) -> Mapping[str, list[Any]]:
    """Returns the rows of a database that has every kind of event."""
    await every_event.fill(tmp_path, database=url)
    return await rows(url)


@pytest.mark.parametrize("events_at_once", [1, 2, 7, 256])
async def test_rows_are_the_same_however_events_are_divided(
    url: str,
    tmp_path: Path,
    filled: Mapping[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    events_at_once: int,
) -> None:
    assert {row[5] for row in filled["events"]} == every_event.EVENT_TYPES
    monkeypatch.setattr(rebuild_module, "EVENTS_AT_ONCE", events_at_once)
    assert await rebuild(url, tmp_path) == len(filled["events"])
    assert await rows(url) == filled


async def test_states_that_are_wrong_are_right_after_it(
    url: str, tmp_path: Path, filled: Mapping[str, list[Any]]
) -> None:
    await execute(url, *WRONG)
    assert await faults(url, tmp_path) != []
    await rebuild(url, tmp_path)
    assert await rows(url) == filled
    assert await faults(url, tmp_path) == []


async def test_rebuild_that_stops_in_the_middle_leaves_all_as_it_was(
    url: str, tmp_path: Path, filled: Mapping[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "EVENTS_AT_ONCE", 5)
    with pytest.raises((StorageError, InterruptedError)):
        await asyncio.to_thread(engine_of(url).rebuild, tmp_path, interrupted)
    assert await rows(url) == filled


@cases(
    "statement, found",
    {
        "state changed": (
            "UPDATE actions SET state = 77 WHERE id = '4'",
            ["actions: 4 differs from its events"],
        ),
        "state missing": (
            "DELETE FROM members WHERE user_id = 'ada'",
            ["members: o:ada is missing, its events make it"],
        ),
        "state of nothing": (
            "INSERT INTO removed VALUES ('action', 'never', 3)",
            ["removed: action never exists, its events do not make it"],
        ),
        "name of nobody": (
            "INSERT INTO names VALUES ('org', '', 'acme inc', 'x')",
            ["names: org  acme inc exists, its events do not make it"],
        ),
        "total": (
            "UPDATE action_totals SET total = 1000 WHERE org_id = 'o'",
            ["action_totals: o differs from its actions"],
        ),
    },
)
@pytest.mark.usefixtures("filled")
async def test_check_names_each_row_that_does_not_follow_from_events(
    url: str, tmp_path: Path, statement: str, found: list[str]
) -> None:
    assert await faults(url, tmp_path) == []
    await execute(url, statement)
    assert await faults(url, tmp_path) == found


async def test_check_names_gaps_of_events(
    url: str, tmp_path: Path, filled: Mapping[str, list[Any]]
) -> None:
    last = len(filled["events"])
    await execute(
        url,
        "ALTER TABLE events DISABLE TRIGGER USER",
        "DELETE FROM events WHERE type = 'action.deactivated' AND aggregate_id = '1'",
        "INSERT INTO events "
        "SELECT max(position) + 1, 'o', 'action', 'x', 2, 'action.added', '', '', 0 FROM events",
    )
    assert sorted(await faults(url, tmp_path)) == [
        "events: action 1 has 2 events, the last has sequence 3",
        "events: action x has 1 events, the last has sequence 2",
        f"events: expected positions 1 to {last}, got {last} from 1 to {last + 1}",
    ]


async def test_events_cannot_be_changed_by_a_slip(
    url: str, filled: Mapping[str, list[Any]]
) -> None:
    for statement in ("DELETE FROM events", "UPDATE events SET editor = 'x'", "TRUNCATE events"):
        with pytest.raises(Exception, match="events are append-only"):
            await execute(url, statement)
    assert await rows(url) == filled


async def test_backup_and_restore_name_what_to_use_instead(url: str, tmp_path: Path) -> None:
    engine = engine_of(url)
    due = "backup and restore are for SQLite; use pg_dump, or export and import"
    with pytest.raises(StorageError) as refused:
        engine.back_up(tmp_path, tmp_path / "copy", no_progress)
    assert str(refused.value) == due
    with pytest.raises(StorageError) as refused:
        engine.restore(tmp_path / "copy", tmp_path, no_progress, replaces=True)
    assert str(refused.value) == due
