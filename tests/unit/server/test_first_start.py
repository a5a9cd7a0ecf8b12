"""The first start makes an organisation, an owner and a token."""

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from server.commands.queue import CommandQueue
from server.first_start import FirstOwner, make_owner
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


class Folder:
    """A store without events, and the file of the owner's token beside it."""

    def __init__(self, store: SqliteEventStore, queue: CommandQueue, token_file: Path) -> None:
        self.store = store
        self.queue = queue
        self.token_file = token_file
        self.new_file = token_file.with_name("owner.token.new")

    async def start(self) -> FirstOwner | None:
        """Starts as a server does that finds the folder."""
        ids, file = IdGenerator(1), self.token_file
        return await make_owner(self.store, self.queue, ids, token_file=file, threads=THREADS)

    async def first_start(self) -> FirstOwner:
        owner = await self.start()
        assert owner is not None
        return owner


@asynccontextmanager
async def opened(tmp_path: Path, kind: type[SqliteEventStore]) -> AsyncIterator[Folder]:
    store = await kind.open(tmp_path / "data")
    async with CommandQueue(store) as queue:
        yield Folder(store, queue, tmp_path / "owner.token")
    await store.close()


@pytest_asyncio.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    async with opened(tmp_path, SqliteEventStore) as made:
        yield made


def text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def put(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def moved(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_owner_has_an_organisation_and_all_permissions(folder: Folder) -> None:
    owner = await folder.first_start()
    org, user = (
        await folder.store.read(OrgById(owner.org_id)),
        await folder.store.read(UserById(owner.user_id)),
    )
    assert org is not None
    assert user is not None
    assert (org.name, user.name, user.org_id) == ("Default", "owner", owner.org_id)
    (member,) = await folder.store.read(MembershipsOf(owner.user_id))
    assert (member.org_id, member.roles) == (owner.org_id, ("IAM_OWNER",))


async def test_token_is_in_its_file_and_its_hash_in_the_store(folder: Folder) -> None:
    owner = await folder.first_start()
    assert text(folder.token_file) == f"{owner.token}\n"
    token = await folder.store.read(TokenByHash(hash_of(owner.token)))
    assert token is not None
    assert (token.user_id, token.expires_at) == (owner.user_id, None)


async def test_token_file_is_for_its_owner_alone(folder: Folder) -> None:
    await folder.start()
    assert mode(folder.token_file) == 0o600
    assert list(folder.token_file.parent.glob("owner.token*")) == [folder.token_file]


@pytest.mark.parametrize("name", ["owner.token", "owner.token.new"])
@pytest.mark.parametrize("place", placed.WAYS)
async def test_prepared_token_file_gets_no_secret(
    place: placed.Way, name: str, folder: Folder
) -> None:
    expected = place(folder.token_file.with_name(name))
    with pytest.raises(StorageError) as refused:
        await folder.start()
    assert str(refused.value).startswith(f"{folder.token_file.with_name(name)}: {expected}")
    assert await folder.store.last_event() == NO_EVENT
    assert placed.is_untouched(folder.token_file)


async def test_token_of_a_database_that_is_gone_is_not_overwritten(folder: Folder) -> None:
    put(folder.token_file, "an old one")
    with pytest.raises(StorageError) as refused:
        await folder.start()
    assert str(refused.value) == (
        f"{folder.token_file}: expected no file, as the database beside it is empty; "
        "bring the database back, or move the file away to start anew"
    )
    assert text(folder.token_file) == "an old one"


@pytest.mark.parametrize("left", ["", "act_never_stored\n"])
async def test_first_start_that_crashed_before_it_stored_the_token_begins_anew(
    left: str, folder: Folder
) -> None:
    new_file = put(folder.new_file, left)
    owner = await folder.first_start()
    assert text(folder.token_file) == f"{owner.token}\n"
    assert text(new_file) is None


async def test_first_start_that_crashed_after_it_stored_the_token_is_ended_by_the_next(
    folder: Folder,
) -> None:
    owner = await folder.first_start()
    new_file = moved(folder.token_file, "owner.token.new")
    assert await folder.start() is None
    assert text(folder.token_file) == f"{owner.token}\n"
    assert text(new_file) is None


async def test_all_is_stored_in_one_transaction(folder: Folder) -> None:
    await folder.start()
    events = await folder.store.events()
    assert [event.type for event in events] == [
        "org.added",
        "user.added",
        "member.added",
        "token.added",
    ]
    assert len({event.created_at for event in events}) == 1


async def test_store_that_is_not_empty_is_left_alone(folder: Folder) -> None:
    first = await folder.first_start()
    assert await folder.start() is None
    assert text(folder.token_file) == f"{first.token}\n"


async def test_there_is_no_token_file_when_nothing_can_be_stored(tmp_path: Path) -> None:
    async with opened(tmp_path, Failing) as folder:
        with pytest.raises(StorageError):
            await folder.start()
    assert text(folder.token_file) is None
