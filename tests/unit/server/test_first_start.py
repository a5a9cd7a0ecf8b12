"""The first start makes an organisation, an owner and a token."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from server.commands.queue import CommandQueue
from server.first_start import make_owner
from server.identity.tokens import hash_of
from server.ids import IdGenerator
from server.store.errors import StorageError
from server.store.log import NO_EVENT, Decide, Needs
from server.store.read_model import MembershipsOf, OrgById, TokenByHash, UserById
from server.store.sqlite.store import SqliteEventStore
from tests.support import placed
from tests.support.threads import THREADS


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


def put(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def moved(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_owner_has_an_organisation_and_all_permissions(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    owner = await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert owner is not None
    org, user = await store.read(OrgById(owner.org_id)), await store.read(UserById(owner.user_id))
    assert org is not None
    assert user is not None
    assert (org.name, user.name, user.org_id) == ("Default", "owner", owner.org_id)
    (member,) = await store.read(MembershipsOf(owner.user_id))
    assert (member.org_id, member.roles) == (owner.org_id, ("IAM_OWNER",))


async def test_token_is_in_its_file_and_its_hash_in_the_store(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    owner = await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert owner is not None
    assert text(token_file) == f"{owner.token}\n"
    token = await store.read(TokenByHash(hash_of(owner.token)))
    assert token is not None
    assert (token.user_id, token.expires_at) == (owner.user_id, None)


async def test_token_file_is_for_its_owner_alone(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert mode(token_file) == 0o600
    assert list(token_file.parent.glob("owner.token*")) == [token_file]


@pytest.mark.parametrize("name", ["owner.token", "owner.token.new"])
@pytest.mark.parametrize("place", placed.WAYS)
async def test_prepared_token_file_gets_no_secret(
    place: placed.Way, name: str, store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    expected = place(token_file.with_name(name))
    with pytest.raises(StorageError) as refused:
        await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert str(refused.value).startswith(f"{token_file.with_name(name)}: {expected}")
    assert await store.last_event() == NO_EVENT
    assert placed.is_untouched(token_file)


async def test_token_of_a_database_that_is_gone_is_not_overwritten(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    put(token_file, "an old one")
    with pytest.raises(StorageError) as refused:
        await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert str(refused.value) == (
        f"{token_file}: expected no file, as the database beside it is empty; "
        "bring the database back, or move the file away to start anew"
    )
    assert text(token_file) == "an old one"


@pytest.mark.parametrize("left", ["", "act_never_stored\n"])
async def test_first_start_that_crashed_before_it_stored_the_token_begins_anew(
    left: str, store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    new_file = put(token_file.with_name("owner.token.new"), left)
    owner = await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert owner is not None
    assert text(token_file) == f"{owner.token}\n"
    assert text(new_file) is None


async def test_first_start_that_crashed_after_it_stored_the_token_is_ended_by_the_next(
    store: SqliteEventStore, queue: CommandQueue, token_file: Path
) -> None:
    owner = await make_owner(store, queue, IdGenerator(1), token_file=token_file, threads=THREADS)
    assert owner is not None
    new_file = moved(token_file, "owner.token.new")
    again = await make_owner(store, queue, IdGenerator(2), token_file=token_file, threads=THREADS)
    assert again is None
    assert text(token_file) == f"{owner.token}\n"
    assert text(new_file) is None


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


async def test_there_is_no_token_file_when_nothing_can_be_stored(
    tmp_path: Path, token_file: Path
) -> None:
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
