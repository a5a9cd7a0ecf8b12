"""What an empty store is given."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.commands.queue import CommandQueue
from server.eventstore.contract import Decide, Needs, StorageError
from server.eventstore.sqlite.store import SqliteEventStore
from server.first_start import make_owner
from server.identity.tokens import hash_of
from server.ids import IdGenerator
from tests.threads import THREADS


class Failing(SqliteEventStore):
    async def commit(self, needs: Needs, decide: Decide) -> None:
        raise StorageError("disk full")


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    opened = await SqliteEventStore.open(tmp_path / "data")
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def queue(store: SqliteEventStore) -> AsyncIterator[CommandQueue]:
    started = CommandQueue(store)
    await started.start()
    yield started
    await started.close()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "owner.token"


def text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def leave_open_to_all(path: Path) -> None:
    path.write_text("an old one")
    path.chmod(0o666)


async def test_owner_has_an_organisation_and_all_permissions(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    owner = await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert owner is not None
    org, user = await store.org(owner.org_id), await store.user(owner.user_id)
    assert org is not None
    assert user is not None
    assert (org.name, user.name, user.org_id) == ("Default", "owner", owner.org_id)
    (member,) = await store.memberships(owner.user_id)
    assert (member.org_id, member.roles) == (owner.org_id, ("IAM_OWNER",))


async def test_token_is_in_its_file_and_its_hash_in_the_store(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    owner = await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert owner is not None
    assert text(token_file) == f"{owner.token}\n"
    token = await store.token_by_hash(hash_of(owner.token))
    assert token is not None
    assert (token.user_id, token.expires_at) == (owner.user_id, None)


async def test_token_file_is_for_its_owner_alone(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    leave_open_to_all(token_file)
    await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert mode(token_file) == 0o600


async def test_all_is_stored_in_one_transaction(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    events = await store.events()
    assert [event.type for event in events] == [
        "org.added",
        "user.added",
        "member.added",
        "token.added",
    ]
    assert len({event.created_at for event in events}) == 1


async def test_store_that_is_not_empty_is_left_alone(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    first = await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert first is not None
    assert (
        await make_owner(store, queue, IdGenerator(2), token_file=token_file, threads=THREADS)
        is None
    )
    assert text(token_file) == f"{first.token}\n"


async def test_token_file_goes_when_nothing_can_be_stored(tmp_path: Path, token_file: Path) -> None:
    store = await Failing.open(tmp_path / "data")
    queue = CommandQueue(store)
    await queue.start()
    try:
        with pytest.raises(StorageError):
            await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    finally:
        await queue.close()
        await store.close()
    assert text(token_file) is None
