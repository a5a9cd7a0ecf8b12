"""A PostgreSQL that is killed under callers: R2-pg and P3 of docs/robustness.md.

R2-pg: every process of it, again and again, started again each time. P3: a primary that never comes
back, whose standby has all that is acknowledged and is promoted.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import uvloop

from tests.robustness.connection import Connection
from tests.robustness.scenario import Outcome, Scenario, at_most, none_wrong
from tests.support.postgresql import PostgresServer
from tests.support.real_server import ACTIONS, RealServer
from tests.support.waiting import until_async
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

KILLS: Final = 10
WRITERS: Final = 16
"""Half of them over JSON, half over gRPC."""
SECONDS_A_KILL: Final = 1.0
AGAIN_MAX_S: Final = 5.0
EXPECTED: Final = frozenset({"200", "503", "OK", "UNAVAILABLE"})
_WAIT_S: Final = 60.0
_PAUSE_S: Final = 0.01
_READERS: Final = 8


@dataclass(slots=True)
class Written:
    """The outcome for callers.

    Attributes:
        acknowledged: ids of actions.
        answers: by status of HTTP and code of gRPC.
        again_s: seconds from the moment that the database takes writes again until an
            acknowledgement.
        lost: acknowledged ids that are not found afterwards.
        is_same: True if the service ran all the time.
    """

    acknowledged: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    again_s: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    is_same: bool = False

    @property
    def wrong(self) -> list[str]:
        return [
            f"{number} x {name}" for name, number in self.answers.items() if name not in EXPECTED
        ]


async def _write_json(server: RealServer, name: str, written: Written) -> None:
    async with Connection(server.http, server.token) as connection:
        for number in count():
            body = json.dumps({"name": f"{name} {number}", "script": "s"}).encode()
            status, answer = await connection.ask("POST", ACTIONS, body)
            written.answers[f"{status}"] += 1
            if status == 200:
                written.acknowledged.append(answer["id"])
            else:
                await asyncio.sleep(_PAUSE_S)


async def _write_grpc(server: RealServer, name: str, written: Written) -> None:
    metadata = (("authorization", f"Bearer {server.token}"),)
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        stub: Any = ManagementServiceStub(channel)
        for number in count():
            message = pb.CreateActionRequest(name=f"{name} {number}", script="s")
            try:
                answer = await stub.CreateAction(message, metadata=metadata, timeout=_WAIT_S)
            except grpc.aio.AioRpcError as error:
                written.answers[error.code().name] += 1
                await asyncio.sleep(_PAUSE_S)
            else:
                written.answers["OK"] += 1
                written.acknowledged.append(answer.id)


@contextlib.asynccontextmanager
async def writing(server: RealServer, written: Written) -> AsyncIterator[None]:
    """Has callers write until the end of the block; then looks for all they were promised."""
    writes = (_write_json, _write_grpc)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(writes[number % 2](server, f"{number}", written))
            for number in range(WRITERS)
        ]
        await _more(written, WRITERS)
        yield
        for task in tasks:
            task.cancel()
    written.is_same = server.process.is_running
    written.lost = await _lost(server, written.acknowledged)


async def _lost(server: RealServer, ids: list[str]) -> list[str]:
    lost: list[str] = []
    waiting = iter(ids)

    async def read() -> None:
        async with Connection(server.http, server.token) as connection:
            for id in waiting:
                status, _ = await connection.ask("GET", f"{ACTIONS}/{id}")
                if status != 200:
                    lost.append(id)

    await asyncio.gather(*(read() for _ in range(_READERS)))
    return lost


async def _more(written: Written, number: int) -> None:
    """Waits for so many more acknowledgements."""
    due = len(written.acknowledged) + number
    await until_async(lambda: len(written.acknowledged) >= due, within_s=_WAIT_S)


async def lose(
    server: RealServer,
    written: Written,
    *,
    kill: Callable[[], None],
    come_back: Callable[[], None],
) -> None:
    """Kills the database, waits until the service says so, and until it writes again."""
    await asyncio.to_thread(kill)
    await _ready(server, is_ready=False)
    await asyncio.to_thread(come_back)
    began = time.monotonic()
    await _more(written, 1)
    written.again_s.append(time.monotonic() - began)
    await _ready(server, is_ready=True)


async def _ready(server: RealServer, *, is_ready: bool) -> None:
    due = 200 if is_ready else 503
    async with asyncio.timeout(_WAIT_S):
        while (await asyncio.to_thread(server.answer, "GET", "/readyz", timeout_s=_WAIT_S))[
            0
        ] != due:
            await asyncio.sleep(_PAUSE_S)


# R2-pg


def write_under_kills(folder: Path, *, kills: int, seconds_a_kill: float) -> Written:
    written = Written()

    async def attack(server: RealServer, database: PostgresServer) -> None:
        async with writing(server, written):
            for _ in range(kills):
                await asyncio.sleep(seconds_a_kill)
                await lose(server, written, kill=database.kill, come_back=database.start)

    with PostgresServer(is_durable=True) as database:
        url = asyncio.run(database.new_database())
        with RealServer(folder / "data", "--no-access-log", database=url) as server:
            uvloop.run(attack(server, database))
    return written


def run_killed(folder: Path) -> Iterator[Outcome]:
    yield from _outcomes(
        write_under_kills(folder, kills=KILLS, seconds_a_kill=SECONDS_A_KILL),
        f"the database killed {KILLS} times",
    )


# P3


class Cluster(NamedTuple):
    """A primary and a standby, and the URL that names both."""

    primary: PostgresServer
    standby: PostgresServer
    url: str


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Starts both; the standby has all that is acknowledged."""
    with (
        PostgresServer(is_durable=True) as primary,
        PostgresServer(is_durable=True, standby_of=primary) as standby,
    ):
        asyncio.run(primary.wait_for_standby())
        url = asyncio.run(primary.new_database())
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        yield Cluster(primary, standby, url.replace(f"127.0.0.1:{primary.port}", hosts))


def write_under_fail_over(folder: Path, *, seconds: float) -> Written:
    written = Written()

    async def attack(server: RealServer, given: Cluster) -> None:
        async with writing(server, written):
            await asyncio.sleep(seconds)
            await lose(server, written, kill=given.primary.kill, come_back=given.standby.promote)
            await asyncio.sleep(seconds)

    with (
        cluster() as given,
        RealServer(folder / "data", "--no-access-log", database=given.url) as server,
    ):
        uvloop.run(attack(server, given))
    return written


def run_fail_over(folder: Path) -> Iterator[Outcome]:
    yield from _outcomes(
        write_under_fail_over(folder, seconds=3 * SECONDS_A_KILL), "the standby promoted"
    )


def _outcomes(written: Written, what: str) -> Iterator[Outcome]:
    amount = f"{len(written.acknowledged):,} acknowledged writes, {what}"
    yield none_wrong(f"{amount}: lost", written.lost)
    refused = written.answers["503"] + written.answers["UNAVAILABLE"]
    yield none_wrong(
        f"answers but success and UNAVAILABLE (503), which {refused:,} were",
        written.wrong,
        is_enough=refused > 0,
    )
    yield at_most(
        "writing again, after the database, at most", max(written.again_s), AGAIN_MAX_S, "s"
    )
    yield Outcome("restarts of the service", "0", f"{int(not written.is_same)}", written.is_same)


R2_PG: Final = Scenario("R2-pg", "kill -9 of PostgreSQL under callers", run_killed)
P3: Final = Scenario(
    "P3", "kill -9 of a primary under callers, and promotion of its standby", run_fail_over
)
