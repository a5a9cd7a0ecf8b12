"""A PostgreSQL that refuses, and serves again: R31 of docs/robustness.md, over JSON and gRPC.

It is read-only, full, out of connections, or a table of it is locked. What matters is that calls
are told so in time, that reads go on where the database allows it, and that nothing has to be
restarted.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import asyncpg
import grpc
import uvloop

from tests.robustness.connection import Connection
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.full_disk import full_disk
from tests.support.postgresql import PostgresServer, execute
from tests.support.real_server import ACTIONS, RealServer
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

CALLS: Final = 20
"""Writes, and as many reads, over each door."""
ANSWER_MAX_S: Final = 25.0
"""A call waits for a connection, and then for its statement, each at most 10 s."""
AGAIN_MAX_S: Final = 5.0
FILE_MAX_BYTES: Final = 3 << 20
"""More than any file of an empty database."""
_WAIT_S: Final = 60.0
_CONNECTIONS: Final = 20
_OK: Final = frozenset({"200", "OK"})
_REFUSED: Final = frozenset({"503", "UNAVAILABLE"})
_SCRIPT_BYTES: Final = 30_000


@dataclass(slots=True)
class Answers:
    """The answers of one round.

    Attributes:
        writes, reads: by status of HTTP and code of gRPC.
        refused: names of actions whose writes were not acknowledged.
        longest_s: of all.
        ready: the status of /readyz.
    """

    writes: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    longest_s: float = 0.0
    ready: int = 0

    @property
    def all(self) -> set[str]:
        return {*self.writes, *self.reads}

    def __str__(self) -> str:
        return (
            f"writes {_shown(self.writes)}; reads {_shown(self.reads)}; /readyz {self.ready}; "
            f"{self.longest_s:.1f} s at most"
        )


def _shown(answers: Counter[str]) -> str:
    return ", ".join(f"{number} x {name}" for name, number in sorted(answers.items()))


class Callers:
    """Ask over both doors at once, with a new name for each action, and a script to write."""

    def __init__(self, server: RealServer) -> None:
        self.server = server
        self.script = "s"
        self.action = server.new_action("read again and again")
        self._names = (f"action {number}" for number in count())

    async def ask(self, calls: int = CALLS) -> Answers:
        answers = Answers()
        async with grpc.aio.insecure_channel(self.server.grpc) as channel:
            await asyncio.gather(
                *(self._over_json(answers) for _ in range(calls)),
                *(self._over_grpc(answers, channel) for _ in range(calls)),
            )
        status, _ = await asyncio.to_thread(self.server.answer, "GET", "/readyz", timeout_s=_WAIT_S)
        answers.ready = status
        return answers

    async def _over_json(self, answers: Answers) -> None:
        async with Connection(self.server.http, self.server.token) as connection:
            name = next(self._names)
            body = json.dumps({"name": name, "script": self.script}).encode()
            for kind, verb, path, content in (
                (answers.writes, "POST", ACTIONS, body),
                (answers.reads, "GET", f"{ACTIONS}/{self.action}", b""),
            ):
                began = time.monotonic()
                async with asyncio.timeout(_WAIT_S):
                    status, _ = await connection.ask(verb, path, content)
                _note(answers, kind, f"{status}", name, began)

    async def _over_grpc(self, answers: Answers, channel: grpc.aio.Channel) -> None:
        stub: Any = ManagementServiceStub(channel)
        metadata = (("authorization", f"Bearer {self.server.token}"),)
        name = next(self._names)
        for kind, method, message in (
            (
                answers.writes,
                stub.CreateAction,
                pb.CreateActionRequest(name=name, script=self.script),
            ),
            (answers.reads, stub.ListActions, pb.ListActionsRequest()),
        ):
            began = time.monotonic()
            code = await method(message, metadata=metadata, timeout=_WAIT_S).code()
            _note(answers, kind, code.name, name, began)

    async def stored(self) -> set[str]:
        listed = await asyncio.to_thread(self.server.ask, "POST", f"{ACTIONS}/_search", {})
        return {action["name"] for action in listed["result"]}


def _note(answers: Answers, kind: Counter[str], got: str, name: str, began: float) -> None:
    kind[got] += 1
    answers.longest_s = max(answers.longest_s, time.monotonic() - began)
    if kind is answers.writes and got not in _OK:
        answers.refused.add(name)


# What a database refuses


@contextlib.asynccontextmanager
async def read_only(database: PostgresServer, url: str, callers: Callers) -> AsyncIterator[None]:
    """As managed databases are when their disk is nearly full."""
    setting = "ALTER SYSTEM SET default_transaction_read_only = on"
    await execute(database.url(), setting, "SELECT pg_reload_conf()")
    yield
    await execute(
        database.url(),
        "SET default_transaction_read_only = off",
        "ALTER SYSTEM RESET default_transaction_read_only",
        "SELECT pg_reload_conf()",
    )


@contextlib.asynccontextmanager
async def full(database: PostgresServer, url: str, callers: Callers) -> AsyncIterator[None]:
    """Writes until no file can grow any more; gives room afterwards."""
    # What does not compress, so that each takes its room.
    callers.script = "".join(
        chr(0x4E00 + number * 7919 % 20000) for number in range(_SCRIPT_BYTES // 3)
    )
    async with asyncio.timeout(_WAIT_S):
        while _OK & {*(await callers.ask(4)).writes}:
            continue
    yield
    database.make_room()


@contextlib.asynccontextmanager
async def out_of_connections(
    database: PostgresServer, url: str, callers: Callers
) -> AsyncIterator[None]:
    """Takes all connections that the service has not got."""
    taken: list[Any] = []
    with contextlib.suppress(asyncpg.TooManyConnectionsError):
        while True:
            taken.append(await asyncpg.connect(url))
    yield
    for connection in taken:
        await connection.close()


@contextlib.asynccontextmanager
async def locked(database: PostgresServer, url: str, callers: Callers) -> AsyncIterator[None]:
    """Locks the table of actions, as a careless change by hand does."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("BEGIN; LOCK TABLE actions IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        await connection.close()


Way = Callable[[PostgresServer, str, Callers], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A way to refuse, and what callers are to get meanwhile.

    Attributes:
        writes, reads: the answers that may come.
        options: of the program of PostgreSQL.
        is_full: True if its files cannot grow.
    """

    way: Way
    writes: frozenset[str]
    reads: frozenset[str]
    options: tuple[str, ...] = ()
    is_full: bool = False


REFUSALS: Final = {
    "read-only": Refusal(read_only, _REFUSED, _OK),
    "full": Refusal(full, _REFUSED, _OK, is_full=True),
    "out of connections": Refusal(
        out_of_connections,
        _OK,
        _OK,
        ("-c", f"max_connections={_CONNECTIONS}", "-c", "superuser_reserved_connections=0"),
    ),
    "a table is locked": Refusal(locked, _REFUSED, _REFUSED),
}


@dataclass(slots=True)
class Seen:
    """The outcome of one refusal.

    Attributes:
        meanwhile, afterwards: the answers.
        again_s: seconds until a write is acknowledged once it refuses no more.
        found: refused actions that are stored.
        is_same: True if neither program ended.
    """

    meanwhile: Answers
    afterwards: Answers
    again_s: float
    found: set[str]
    is_same: bool


async def see(server: RealServer, database: PostgresServer, url: str, refusal: Refusal) -> Seen:
    callers = Callers(server)
    pid = database.pid
    async with refusal.way(database, url, callers):
        meanwhile = await callers.ask()
    began = time.monotonic()
    async with asyncio.timeout(_WAIT_S):
        while not _OK & {*(await callers.ask(1)).writes}:
            await asyncio.sleep(0.05)
    again_s = time.monotonic() - began
    afterwards = await callers.ask()
    found = meanwhile.refused & await callers.stored()
    is_same = server.process.is_running and pid == database.pid
    return Seen(meanwhile, afterwards, again_s, found, is_same)


def refuse(folder: Path, refusal: Refusal) -> Seen:
    options = ("-c", "autovacuum=off", *refusal.options)
    with contextlib.closing(
        PostgresServer(is_durable=True, options=options, segment_mib=1)
    ) as database:
        with full_disk(FILE_MAX_BYTES) if refusal.is_full else contextlib.nullcontext():
            database.start()
        url = asyncio.run(database.new_database())
        with RealServer(folder / "data", "--no-access-log", database=url) as server:
            return uvloop.run(see(server, database, url, refusal))


def run(folder: Path) -> Iterator[Outcome]:
    for number, (what, refusal) in enumerate(REFUSALS.items()):
        place = folder / f"{number}"
        place.mkdir()
        seen = refuse(place, refusal)
        meanwhile = seen.meanwhile
        yield Outcome(
            f"{what}: {CALLS} writes and reads over each door",
            f"writes {_either(refusal.writes)}, reads {_either(refusal.reads)}",
            f"{meanwhile}",
            refusal.writes >= {*meanwhile.writes} and refusal.reads >= {*meanwhile.reads},
        )
        yield at_most(f"{what}: an answer", meanwhile.longest_s, ANSWER_MAX_S, "s")
        yield at_most(f"{what}: writing again afterwards", seen.again_s, AGAIN_MAX_S, "s")
        yield Outcome(
            f"{what}: afterwards all succeed, refused writes that are stored, restarts",
            "yes, 0, 0",
            f"{seen.afterwards}; {len(seen.found)}, {int(not seen.is_same)}",
            seen.afterwards.all <= _OK and not seen.found and seen.is_same,
        )


def _either(answers: frozenset[str]) -> str:
    return " or ".join(sorted(answers))


R31: Final = Scenario("R31", "a PostgreSQL that refuses", run)
