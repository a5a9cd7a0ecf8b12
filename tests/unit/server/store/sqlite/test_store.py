"""The SQLite store alone: its file, its schema, and failing storage."""

import asyncio
import resource
import sqlite3
import stat
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from server.commands.actions import DeactivateAction, DeleteAction
from server.commands.queue import CommandQueue
from server.domain.action import ActionState
from server.domain.events import RecordedEvent
from server.store.action_lists import ActionsQuery
from server.store.errors import DataFolderInUse, StorageError
from server.store.log import Decide, LoadedFacts, Needs, Writes
from server.store.read_model import ActionById, ActionsOf, AllOrgs
from server.store.sqlite import schema
from server.store.sqlite import writer as writer_module
from server.store.sqlite.connect import Access, connect
from server.store.sqlite.store import SqliteEventStore
from server.store.versions import Version, versions_of
from tests.support.action_commands import CreateOrglessAction, create_orgless_action, update_action


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    store = await SqliteEventStore.open(tmp_path)
    yield store
    await store.close()


def an_action(action_id: str, script: str = "") -> CreateOrglessAction:
    return create_orgless_action("org", action_id, f"name {action_id}", script, editor="editor")


def test_database_is_for_its_owner_alone(store: SqliteEventStore, tmp_path: Path) -> None:
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("events*")}
    assert files == {"events.sqlite": 0o600, "events.sqlite-wal": 0o600, "events.sqlite-shm": 0o600}


async def test_commit_waits_for_the_disk(store: SqliteEventStore, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with closing(connect(tmp_path / "events.sqlite", writes=True)) as writing:
        assert writing.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_long_scripts_that_were_written_do_not_stay_in_memory(
    store: SqliteEventStore,
) -> None:
    async with CommandQueue(store) as queue:
        tracemalloc.start()
        try:
            for number in range(40):
                await queue.execute(an_action(str(number), "x" * (512 << 10)))
            left_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert left_bytes < 4 << 20


async def test_second_store_on_the_folder_is_refused(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    with pytest.raises(DataFolderInUse):
        await SqliteEventStore.open(tmp_path)


async def test_closed_store_opens_again_with_what_it_had(tmp_path: Path) -> None:
    store = await SqliteEventStore.open(tmp_path, clock=lambda: 5)
    async with CommandQueue(store) as queue:
        await queue.execute(an_action("1"))
    await store.close()
    again = await SqliteEventStore.open(tmp_path, clock=lambda: 4)
    async with CommandQueue(again) as queue:
        action = await queue.execute(DeactivateAction("org", "1", ""))
    assert (action.state, action.sequence, action.changed_at) == (ActionState.INACTIVE, 2, 4)
    await again.close()


async def test_closed_store_says_so(tmp_path: Path) -> None:
    store = await SqliteEventStore.open(tmp_path)
    await store.close()
    with pytest.raises(StorageError, match="event store is closed"):
        await store.read(ActionsOf("org"))
    with pytest.raises(StorageError, match="Cannot operate on a closed database"):
        await store.read(ActionById("org", "1"))


async def test_commit_that_its_caller_left_ends_before_the_next_and_before_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteEventStore.open(tmp_path)
    entered, leave = threading.Event(), threading.Event()
    commit = writer_module.Writer.commit

    def slow_commit(self: writer_module.Writer, writes: Writes) -> None:
        entered.set()
        leave.wait(timeout=10)
        commit(self, writes)

    def removed(action_id: str) -> Decide:
        def decide(loaded: LoadedFacts) -> Writes:
            key = ("org", "action", action_id)
            position = loaded.position + 1
            event = RecordedEvent(position, *key, 1, "action.removed", {}, "", loaded.now)
            return Writes([event], {}, [], {})

        return decide

    monkeypatch.setattr(writer_module.Writer, "commit", slow_commit)
    left = asyncio.create_task(store.commit(Needs([], []), removed("1")))
    await asyncio.to_thread(entered.wait)
    left.cancel()
    following = asyncio.create_task(store.commit(Needs([], []), removed("2")))
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await left
    await following
    await store.close()
    again = await SqliteEventStore.open(tmp_path)
    assert [event.aggregate_id for event in await again.events()] == ["1", "2"]
    await again.close()


@pytest.mark.parametrize("statement", ["UPDATE events SET type = ''", "DELETE FROM events"])
async def test_events_are_append_only(
    store: SqliteEventStore, tmp_path: Path, statement: str
) -> None:
    async with CommandQueue(store) as queue:
        await queue.execute(an_action("1"))
    with (
        closing(sqlite3.connect(tmp_path / "events.sqlite")) as other,
        pytest.raises(sqlite3.IntegrityError, match="events are append-only"),
    ):
        other.execute(statement)


@pytest.mark.parametrize("name", ["a b", "what?mode=ro", "100%41", "a#b", "file:", "\udcff"])
@pytest.mark.parametrize("root", ["", "/"])
async def test_folder_may_have_any_name(name: str, root: str, tmp_path: Path) -> None:
    folder = Path(f"{root}{tmp_path}/{name}")
    await (await SqliteEventStore.open(folder)).close()
    assert (tmp_path / name / "events.sqlite").exists()


async def test_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError) as refused:
        await SqliteEventStore.open(tmp_path)
    assert str(refused.value) == (f"event store {path}: not a SQLite database (SQLITE_NOTADB)")
    assert path.read_bytes() == b"not a database" * 100


async def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE events (x)")
    with pytest.raises(StorageError) as refused:
        await SqliteEventStore.open(tmp_path)
    assert str(refused.value) == f"{path} is a database of another program"


async def test_database_newer_than_the_program_is_refused(tmp_path: Path) -> None:
    await (await SqliteEventStore.open(tmp_path)).close()
    path = tmp_path / "events.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("INSERT INTO schema_versions VALUES (999, 'to_come', 0)")
    with pytest.raises(StorageError) as refused:
        await SqliteEventStore.open(tmp_path)
    known = versions_of("server.store.sqlite")[-1].number
    assert str(refused.value) == (
        f"{path} has schema version 999, this program knows {known}: "
        "start the newer version that wrote it"
    )


async def test_folder_is_free_after_a_refused_start(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError):
        await SqliteEventStore.open(tmp_path)
    path.unlink()
    await (await SqliteEventStore.open(tmp_path)).close()


def test_sql_files_are_numbered_without_gaps() -> None:
    numbers = [version.number for version in versions_of("server.store.sqlite")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_version_that_fails_half_way_leaves_the_schema_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await SqliteEventStore.open(tmp_path)).close()
    known = versions_of("server.store.sqlite")
    broken = Version(len(known) + 1, "broken", "CREATE TABLE half (x); SELECT * FROM nowhere;")
    monkeypatch.setattr(schema, "versions_of", lambda _: [*known, broken])
    with pytest.raises(StorageError, match="no such table: nowhere"):
        await SqliteEventStore.open(tmp_path)
    monkeypatch.undo()
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as other:
        tables = other.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall()
        assert tables == []
    await (await SqliteEventStore.open(tmp_path)).close()


async def test_full_disk_fails_writes_not_reads_until_there_is_room(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    async with CommandQueue(store) as queue:
        await queue.execute(an_action("1"))
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        written = (tmp_path / "events.sqlite-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (written, unlimited[1]))
        try:
            outcomes = await asyncio.gather(
                *(queue.execute(an_action(number)) for number in "234"), return_exceptions=True
            )
            read = await store.read(ActionById("org", "1"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert [type(outcome) for outcome in outcomes] == [StorageError] * 3
        assert read is not None
        await queue.execute(an_action("2"))
    assert [event.aggregate_id for event in await store.events()] == ["1", "2"]


@pytest.fixture
def shell(tmp_path: Path, store: SqliteEventStore) -> Iterator[sqlite3.Connection]:
    """Another program, which begins to write to the same file and does not end."""
    with closing(sqlite3.connect(tmp_path / "events.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


async def test_a_program_that_writes_holds_up_writes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[bool, int]] = []

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                (timeout_ms,) = super().execute("PRAGMA busy_timeout").fetchone()
                begun.append((threading.current_thread() is threading.main_thread(), timeout_ms))
            return super().execute(sql, parameters)  # type: ignore[arg-type]

    def watched(path: Path, *, writes: bool, access: Access) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Watched)

    store = await SqliteEventStore.open(tmp_path)
    await store.close()
    monkeypatch.setattr(writer_module, "connect", watched)
    store = await SqliteEventStore.open(tmp_path)
    path = tmp_path / "events.sqlite"
    async with CommandQueue(store) as queue:
        for attempts, action_id in ((2, "1"), (4, "2")):
            with closing(sqlite3.connect(path, isolation_level=None)) as shell:
                shell.execute("BEGIN IMMEDIATE")
                write = asyncio.create_task(queue.execute(an_action(action_id)))
                async with asyncio.timeout(10):
                    while len(begun) < attempts:
                        await asyncio.sleep(0.001)
                assert [
                    await store.read(AllOrgs()),
                    await store.read(ActionById("org", action_id)),
                ] == [[], None]
                shell.execute("ROLLBACK")
                assert (await write).id == action_id
    await store.close()
    # The loop asks, and does not wait; the thread does.
    assert begun == [(True, 0), (False, 5000)] * 2


async def test_a_write_does_not_wait_forever_for_another_program(
    store: SqliteEventStore, shell: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "BUSY_TIMEOUT_S", 0.01)
    async with CommandQueue(store) as queue:
        for write in (queue.execute(an_action("1")), store.claim_machine_id()):
            with pytest.raises(StorageError, match="locked by another program"):
                await write
        shell.execute("ROLLBACK")
        await queue.execute(an_action("1"))


async def test_a_caller_that_leaves_while_another_program_writes_leaves_nothing_begun(
    store: SqliteEventStore, shell: sqlite3.Connection
) -> None:
    left = asyncio.create_task(store.commit(Needs([], []), lambda _: Writes([], {}, [], {})))
    await store.read(AllOrgs())
    left.cancel()
    shell.execute("ROLLBACK")
    with pytest.raises(asyncio.CancelledError):
        await left
    shell.execute("BEGIN IMMEDIATE")
    shell.execute("ROLLBACK")
    async with CommandQueue(store) as queue:
        await queue.execute(an_action("1"))


class FailingConnection(sqlite3.Connection):
    """Fails once, at the call that `fails_at` counts down to."""

    fails_at = 0

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        self._count(sql)
        return super().execute(sql, parameters)  # type: ignore[arg-type]

    def executemany(self, sql: str, parameters: object, /) -> sqlite3.Cursor:
        self._count(sql)
        return super().executemany(sql, parameters)  # type: ignore[arg-type]

    def _count(self, sql: str) -> None:
        FailingConnection.fails_at -= 1
        if FailingConnection.fails_at == 0:
            error = sqlite3.OperationalError(f"disk I/O error at {sql}")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error


async def test_a_batch_is_whole_or_absent_if_any_storage_call_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call fails, then the second, … until the batch runs through."""

    def failing(path: Path, *, writes: bool, access: Access) -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, factory=FailingConnection
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    store = await SqliteEventStore.open(tmp_path)
    async with CommandQueue(store) as queue:
        for action_id in "abd":
            await queue.execute(an_action(action_id))
    await store.close()
    monkeypatch.setattr(writer_module, "connect", failing)
    store = await SqliteEventStore.open(tmp_path)
    failures = 0
    async with CommandQueue(store) as queue:
        while True:
            FailingConnection.fails_at = failures + 1
            outcomes = await asyncio.gather(
                queue.execute(update_action("org", "a", "renamed")),
                queue.execute(DeleteAction("org", "b", "")),
                queue.execute(an_action("c")),
                queue.execute(DeactivateAction("org", "d", "")),
                return_exceptions=True,
            )
            stored = len(await store.events())
            if not any(isinstance(outcome, StorageError) for outcome in outcomes):
                break
            assert stored == 3
            assert (await store.read(ActionsOf("org", ActionsQuery(limit=1)))).total == 3
            failures += 1
    assert failures >= 10
    assert [event.aggregate_id for event in await store.events()] == [*"abdabcd"]
    page = await store.read(ActionsOf("org"))
    assert [(action.id, action.state) for action in page.items] == [("a", 2), ("d", 1), ("c", 2)]
    assert page.total == 3
    await store.close()
