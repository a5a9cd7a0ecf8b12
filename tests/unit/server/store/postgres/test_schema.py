"""Versions of the schema: who applies them, and what a program refuses that does not know them."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from server.store.errors import StorageError
from server.store.opening import engine_of, open_store
from server.store.postgres import schema
from server.store.postgres.connect import Server
from server.store.versions import Version, versions_of
from tests.support.postgresql import execute, rows

FIRST = versions_of("server.store.postgres")
NEXT = len(FIRST) + 1
ADDS_A_COLUMN = Version(NEXT, "orgs_note", "ALTER TABLE orgs ADD note text NOT NULL DEFAULT ''")
FAILS_HALFWAY = Version(NEXT, "broken", "CREATE TABLE half (); ALTER TABLE nowhere ADD note text")


@pytest.fixture
def newer_program() -> Iterator[None]:
    """Inside, this program has one version more."""
    with pytest.MonkeyPatch.context() as patch:
        knows(patch, [*FIRST, ADDS_A_COLUMN])
        yield


def knows(patch: pytest.MonkeyPatch, versions: Sequence[Version]) -> None:
    patch.setattr(schema, "versions_of", lambda _: versions)


async def start(url: str, folder: Path) -> tuple[str, ...]:
    """Returns the versions that a start applies."""
    store = await open_store(folder, database=url)
    try:
        return store.migrations
    finally:
        await store.close()


async def refusal_of_start(url: str, folder: Path) -> str:
    with pytest.raises(StorageError) as refused:
        await start(url, folder)
    return str(refused.value)


async def migrate(url: str) -> list[str]:
    server = Server(url)
    async with server.connection() as connection:
        with server.errors:
            return await schema.migrate(connection, server.shown, 0)


async def test_the_first_start_makes_the_tables_and_the_next_changes_nothing(
    url: str, tmp_path: Path
) -> None:
    assert await start(url, tmp_path) == tuple(str(version) for version in FIRST)
    assert await start(url, tmp_path) == ()


async def test_of_several_first_starts_at_once_one_makes_the_tables(
    url: str, tmp_path: Path
) -> None:
    folders = [tmp_path / str(number) for number in range(4)]
    for folder in folders:
        folder.mkdir()
    applied = await asyncio.gather(*(start(url, folder) for folder in folders))
    assert sorted(applied, key=len) == [(), (), (), tuple(str(version) for version in FIRST)]


async def test_a_first_start_that_fails_leaves_no_tables(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, [*FIRST, FAILS_HALFWAY])
    await refusal_of_start(url, tmp_path)
    assert await rows(url) == {}


async def test_an_older_schema_is_refused_until_it_is_migrated(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Server(url).shown
    await start(url, tmp_path)
    knows(monkeypatch, [*FIRST, ADDS_A_COLUMN])
    assert await refusal_of_start(url, tmp_path) == (
        f"{shown} has schema version {NEXT - 1}, this program needs {NEXT}: "
        "run `python -m server migrate`"
    )
    engine = engine_of(url)
    missing = await asyncio.to_thread(engine.missing_versions, tmp_path)
    assert missing == [str(ADDS_A_COLUMN)]
    assert await asyncio.to_thread(engine.migrate, tmp_path) == [str(ADDS_A_COLUMN)]
    assert await asyncio.to_thread(engine.missing_versions, tmp_path) == []
    assert await start(url, tmp_path) == ()


async def test_a_newer_schema_is_refused_by_the_server_and_by_migrate(
    url: str, tmp_path: Path
) -> None:
    await start(url, tmp_path)
    await execute(url, "INSERT INTO schema_versions VALUES (7, 'newer', 0)")
    due = (
        f"{Server(url).shown} has schema version 7, this program knows {FIRST[-1].number}: "
        "start the newer version that wrote it"
    )
    assert await refusal_of_start(url, tmp_path) == due
    with pytest.raises(StorageError) as refused:
        await migrate(url)
    assert str(refused.value) == due


async def test_a_server_that_is_too_old_is_refused_and_gets_no_tables(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "SERVER_MIN", 99)
    async with Server(url).connection() as connection:
        version = connection.get_server_version().major
    due = (
        f"{Server(url).shown} is on PostgreSQL {version}, this program needs 99 or newer: "
        "upgrade the server, or use another one"
    )
    assert await refusal_of_start(url, tmp_path) == due
    with pytest.raises(StorageError) as refused:
        await migrate(url)
    assert str(refused.value) == due
    assert await rows(url) == {}


async def test_tables_of_another_program_are_refused_and_left_alone(
    url: str, tmp_path: Path
) -> None:
    await execute(url, "CREATE TABLE events (id int)", "INSERT INTO events VALUES (5)")
    due = f"{Server(url).shown} has tables of another program"
    assert await refusal_of_start(url, tmp_path) == due
    assert await rows(url) == {"events": [(5,)]}


@pytest.mark.usefixtures("newer_program")
async def test_of_several_migrations_at_once_one_applies_each_version(url: str) -> None:
    applied = await asyncio.gather(*(migrate(url) for _ in range(4)))
    names = [str(version) for version in (*FIRST, ADDS_A_COLUMN)]
    assert sorted(name for each in applied for name in each) == names
    assert len((await rows(url))["schema_versions"]) == len(names)


async def test_a_version_that_fails_leaves_nothing_of_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(url, tmp_path)
    before = await rows(url)
    knows(monkeypatch, [*FIRST, FAILS_HALFWAY])
    with pytest.raises(StorageError) as refused:
        await migrate(url)
    assert str(refused.value) == (
        f"event store {Server(url).shown}: its tables are not as expected (42P01)"
    )
    assert await rows(url) == before
