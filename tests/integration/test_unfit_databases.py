"""A PostgreSQL that refuses a service, stands still, or is lost in the middle of a commit.

The service has a role of its own with a password, as an operator's has. Databases that are killed
are asked for in test_several_processes.py, schemas in test_cli_postgresql.py; `make robustness`
asks for full ones, read-only ones and those that are out of connections under load.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.commandline import Outcome, run
from tests.support.postgresql import PostgresServer, end_connections, execute
from tests.support.real_server import ACTIONS, RealServer
from tests.support.tables import cases
from tests.support.waiting import until_async

pytestmark = pytest.mark.timeout(300)

PASSWORD: Final = "s3cret"
ROLE: Final = "service"
WITHIN_S: Final = 90.0
ANSWER_MAX_S: Final = 60.0
"""Max seconds of a call while the database stands still; the service gives up after 10 s."""
UNAVAILABLE: Final = (503, 14)


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    """Starts a PostgreSQL that asks the role of services for its password."""
    server = PostgresServer(is_durable=True)
    (server.data / "pg_hba.conf").write_text(
        f"host all {ROLE} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n", "ascii"
    )
    with server:
        asyncio.run(execute(server.url(), f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'"))
        yield server


@dataclass(frozen=True, slots=True)
class Place:
    """A database of the server.

    Attributes:
        admin: its URL for the tests, of a role that may do everything.
        url: its URL for the service.
    """

    server: PostgresServer
    admin: str
    url: str

    @property
    def name(self) -> str:
        return self.admin.rpartition("/")[2]

    @property
    def shown(self) -> str:
        return f"postgresql://127.0.0.1:{self.server.port}/{self.name}"

    async def change(self, *statements: str) -> None:
        """Changes the server, and has all who are connected connect again."""
        await execute(self.server.url(), *statements)
        await end_connections(self.admin)


@pytest.fixture
async def place(database: PostgresServer) -> Place:
    admin = await database.new_database()
    place = Place(database, admin, admin.replace("actions@", f"{ROLE}:{PASSWORD}@"))
    await execute(database.url(), f"ALTER DATABASE {place.name} OWNER TO {ROLE}")
    return place


async def make_read_only(place: Place) -> None:
    await place.change(f"ALTER DATABASE {place.name} SET default_transaction_read_only = on")


async def make_writable(place: Place) -> None:
    await place.change(f"ALTER DATABASE {place.name} RESET default_transaction_read_only")


async def change_password(place: Place) -> None:
    await place.change(f"ALTER ROLE {ROLE} PASSWORD 'another'")


async def restore_password(place: Place) -> None:
    await place.change(f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'")


async def allow_no_connections(place: Place) -> None:
    await place.change(f"ALTER ROLE {ROLE} CONNECTION LIMIT 0")


async def allow_connections(place: Place) -> None:
    await place.change(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")


async def stand_still(place: Place) -> None:
    place.server.pause()


async def go_on(place: Place) -> None:
    place.server.resume()


Change = Callable[[Place], Awaitable[None]]

WRONG_PASSWORD: Final = (
    change_password,
    restore_password,
    "the user or the password is refused (28P01)",
)
"""Changes that make a database unfit and fit again, and the text for the operator."""


async def answer(server: RealServer, verb: str, path: str, body: object = None) -> tuple[int, int]:
    """Returns the status, and the code of a refusal."""
    status, text = await asyncio.to_thread(server.answer, verb, path, body, timeout_s=ANSWER_MAX_S)
    return status, 0 if status == 200 else json.loads(text).get("code", 0)


async def until_answered(due: int, server: RealServer, verb: str, path: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while (await answer(server, verb, path, None if verb == "GET" else {}))[0] != due:
            await asyncio.sleep(0.05)


@cases(
    "spoil, mend, text",
    {
        "wrong password": WRONG_PASSWORD,
        "stands still": (stand_still, go_on, "did not answer"),
    },
)
async def test_a_database_that_fails_is_unavailable_until_it_is_well(
    place: Place,
    tmp_path: Path,
    spoil: Change,
    mend: Change,
    text: str,
) -> None:
    with RealServer(tmp_path / "data", database=place.url) as server:
        kept = f"{ACTIONS}/{await asyncio.to_thread(server.new_action, 'kept')}"
        await spoil(place)
        try:
            assert await answer(server, "POST", f"{kept}/_deactivate", {}) == UNAVAILABLE
            await until_answered(503, server, "GET", "/readyz")
            assert await answer(server, "GET", kept) == UNAVAILABLE
            await until_async(lambda: "storage is unavailable" in server.log(), within_s=WITHIN_S)
            assert text in server.log()
        finally:
            await mend(place)
        await until_answered(200, server, "GET", "/readyz")
        await until_answered(200, server, "POST", f"{kept}/_deactivate")
        assert server.ask("GET", kept)["action"]["details"]["sequence"] == "2"
        assert PASSWORD not in server.log()


@cases(
    "spoil, mend, text",
    {
        "read-only": (make_read_only, make_writable, "read-only, as a standby is (25006)"),
        "wrong password": WRONG_PASSWORD,
        "out of connections": (
            allow_no_connections,
            allow_connections,
            "too many connections (53300)",
        ),
    },
)
async def test_a_start_on_a_database_that_fails_is_refused_by_one_line(
    place: Place,
    tmp_path: Path,
    spoil: Change,
    mend: Change,
    text: str,
) -> None:
    await spoil(place)
    try:
        done = await asyncio.to_thread(
            run,
            *("serve", "--listen", "127.0.0.1:0", "--grpc-listen", "none"),
            folder=tmp_path,
            environment={"ACTIONS_DATABASE": place.url},
        )
    finally:
        await mend(place)
    assert done == Outcome(1, "", f"error: event store {place.shown}: {text}\n")


@dataclass(slots=True)
class Drop:
    """Tells one direction of a connection what the other has seen."""

    is_dropping: bool = False


@asynccontextmanager
async def cut_behind_commits(port: int, cut: asyncio.Event) -> AsyncIterator[int]:
    """Passes connections on to PostgreSQL; once `cut` is set, drops one behind its COMMIT.

    Yields:
        The port of the relay.
    """
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def up(reader: asyncio.StreamReader, to: asyncio.StreamWriter, back: Drop) -> None:
        while some := await reader.read(1 << 16):
            if cut.is_set() and b"COMMIT" in some:
                cut.clear()
                back.is_dropping = True
            to.write(some)
        to.close()

    async def down(reader: asyncio.StreamReader, to: asyncio.StreamWriter, back: Drop) -> None:
        while some := await reader.read(1 << 16):
            if back.is_dropping:  # the answer to COMMIT: it is committed
                break
            to.write(some)
        to.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, to_server))
        back = Drop()
        for task in (up(reader, to_server, back), down(from_server, writer, back)):
            tasks.add(asyncio.create_task(task))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in writers:
            each.close()


async def test_a_database_lost_between_commit_and_answer_leaves_the_write_to_be_asked_for(
    place: Place, tmp_path: Path
) -> None:
    cut = asyncio.Event()
    async with cut_behind_commits(place.server.port, cut) as port:
        url = place.url.replace(f":{place.server.port}/", f":{port}/")
        server = await asyncio.to_thread(RealServer, tmp_path / "data", database=url)
        with server:
            kept = f"{ACTIONS}/{await asyncio.to_thread(server.new_action, 'kept')}"
            cut.set()
            assert await answer(server, "POST", f"{kept}/_deactivate", {}) == UNAVAILABLE
            assert not cut.is_set()
            await until_answered(200, server, "GET", kept)
            read = await asyncio.to_thread(server.ask, "GET", kept)
            assert read["action"]["state"] == "ACTION_STATE_INACTIVE"
            assert read["action"]["details"]["sequence"] == "2"
            await until_answered(200, server, "POST", f"{kept}/_reactivate")
