"""Many connections and calls at once, with PostgreSQL behind: R8-pg, R23 and R27.

R8-pg has SIGTERM come while calls wait; R23 and R27 are more than the service takes. All come to
the port of JSON, where gRPC is served as well.
"""

import asyncio
import contextlib
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import grpc
import uvloop

from tests.robustness.connection import Connection
from tests.robustness.engines import postgresql
from tests.robustness.grpc_port import p99
from tests.robustness.raw import request
from tests.robustness.scenario import Outcome, Scenario, at_most, ended
from tests.robustness.slow import raise_descriptor_limit
from tests.support.connections import answer_of
from tests.support.metrics_page import metrics_of
from tests.support.real_server import ACTIONS, ONE_PORT, RealServer
from tests.support.waiting import until_async
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

CONNECTIONS: Final = 4_300
CONNECTIONS_MAX: Final = 4_000
MORE_MAX_S: Final = 0.01
"""Max seconds that the p99 of a caller who was there before may grow."""
CALLS: Final = 1_300
CALLS_MAX: Final = 1_000
REFUSED_MAX_S: Final = 5.0
"""Max seconds until a refusal, of calls that begin at once on as many connections."""
DRAINED: Final = 500
HELD_S: Final = 2.0
DRAINED_MAX_S: Final = 2.0
"""Max seconds of the end, once the calls can be answered, which then takes most of it."""
_IN_FLIGHT: Final = "actions_calls_in_flight"
_STREAMS: Final = 100
_ROUND_S: Final = 1.5
_ANSWER_S: Final = 30.0
_SEARCH: Final = f"{ACTIONS}/_search"


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[RealServer, str]]:
    """Starts a service, and names its database."""
    options = ("--no-access-log", *ONE_PORT, *options)
    with postgresql() as new_database:
        url = new_database()
        with RealServer(folder / "data", *options, database=url) as server:
            yield server, url


# R23


@dataclass(slots=True)
class Crowd:
    """The outcome of more connections than there are places.

    Attributes:
        kept: connections that got an answer, and stay open.
        closed: those that ended without one.
        before_s, during_s: answers to a caller who was there before.
    """

    kept: int = 0
    closed: int = 0
    before_s: list[float] = field(default_factory=list)
    during_s: list[float] = field(default_factory=list)


async def connect(server: RealServer, connections: int, crowd: Crowd) -> list[asyncio.StreamWriter]:
    host, _, port = server.http.rpartition(":")
    writers: list[asyncio.StreamWriter] = []

    async def connect_one() -> None:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            writers.append(writer)
            writer.write(request("GET", "/healthz"))
            await answer_of(reader)
            crowd.kept += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            crowd.closed += 1

    for _ in range(connections // 100):
        await asyncio.gather(*(connect_one() for _ in range(100)))
    return writers


async def gather_crowd(server: RealServer) -> Crowd:
    crowd = Crowd()
    async with Connection(server.http, server.token) as caller:

        async def ask(taken_s: list[float]) -> None:
            end = time.monotonic() + _ROUND_S
            while time.monotonic() < end:
                began = time.perf_counter()
                status, answer = await caller.ask("POST", _SEARCH, b"{}")
                assert status == 200, answer
                taken_s.append(time.perf_counter() - began)

        await ask(crowd.before_s)
        writers = await connect(server, CONNECTIONS, crowd)
        await ask(crowd.during_s)
        for writer in writers:
            writer.transport.abort()
    return crowd


def too_many_connections(folder: Path) -> Iterator[Outcome]:
    raise_descriptor_limit()
    with served(folder) as (server, _):
        crowd = uvloop.run(gather_crowd(server))
    yield Outcome(
        f"{CONNECTIONS:,} connections: answered; closed at once",
        f"≤ {CONNECTIONS_MAX:,}; the others",
        f"{crowd.kept:,}; {crowd.closed:,}",
        0 < crowd.kept <= CONNECTIONS_MAX and crowd.kept + crowd.closed == CONNECTIONS,
    )
    before_ms, during_ms = p99(crowd.before_s) * 1e3, p99(crowd.during_s) * 1e3
    yield at_most(
        f"p99 of a caller who was there before ({before_ms:.1f} ms), more",
        during_ms - before_ms,
        MORE_MAX_S * 1e3,
        "ms",
    )


# R27


@dataclass(slots=True)
class Asked:
    """The outcome of more calls at once than there are places.

    Attributes:
        answers: by status of HTTP and code of gRPC.
        refused_s: seconds until each refusal.
    """

    answers: Counter[str] = field(default_factory=Counter)
    refused_s: list[float] = field(default_factory=list)

    def note(self, answer: str, began: float) -> None:
        self.answers[answer] += 1
        if answer not in ("200", "OK"):
            self.refused_s.append(time.monotonic() - began)


@contextlib.asynccontextmanager
async def held_up(url: str) -> AsyncIterator[None]:
    """Locks the table of actions, so that no call that reads it is answered."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("BEGIN; LOCK TABLE actions IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        await connection.close()


async def ask_at_once(
    server: RealServer, url: str, calls: int, until: Callable[[Asked], Awaitable[None]]
) -> Asked:
    """Makes all calls at once, half of them over gRPC, and holds them up until told otherwise."""
    # Else each call first waits for what its token may do, which is not known yet.
    await asyncio.to_thread(server.ask, "POST", _SEARCH, {})
    asked = Asked()
    metadata = (("authorization", f"Bearer {server.token}"),)

    async def over_json(connection: Connection) -> None:
        began = time.monotonic()
        status, _ = await connection.ask("POST", _SEARCH, b"{}")
        asked.note(f"{status}", began)

    async def over_grpc(channel: grpc.aio.Channel) -> None:
        stub: Any = ManagementServiceStub(channel)
        began = time.monotonic()
        call = stub.ListActions(pb.ListActionsRequest(), metadata=metadata, timeout=_ANSWER_S)
        asked.note((await call.code()).name, began)

    async with AsyncExitStack() as stack:
        alone = [("grpc.use_local_subchannel_pool", 1)]
        half = calls // 2
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(server.http, options=alone))
            for _ in range(-(-half // _STREAMS))
        ]
        connections = [
            await stack.enter_async_context(Connection(server.http, server.token))
            for _ in range(calls - half)
        ]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        async with asyncio.TaskGroup() as group, held_up(url):
            for connection in connections:
                group.create_task(over_json(connection))
            for number in range(half):
                group.create_task(over_grpc(channels[number // _STREAMS]))
            await until(asked)
    return asked


async def _until_the_others_are_refused(asked: Asked) -> None:
    with contextlib.suppress(TimeoutError):
        due = CALLS - CALLS_MAX
        await until_async(lambda: asked.answers.total() >= due, within_s=REFUSED_MAX_S)


def too_many_calls(folder: Path) -> Iterator[Outcome]:
    raise_descriptor_limit()
    with served(folder) as (server, url):
        asked = uvloop.run(ask_at_once(server, url, CALLS, _until_the_others_are_refused))
    answers = asked.answers
    succeeded = answers["200"] + answers["OK"]
    refused = answers["429"] + answers["RESOURCE_EXHAUSTED"]
    yield Outcome(
        f"{CALLS:,} calls at once, half of them over gRPC: answered; refused",
        f"{CALLS_MAX:,}; {CALLS - CALLS_MAX} by 429 or RESOURCE_EXHAUSTED",
        f"{succeeded:,}; {refused} of {len(asked.refused_s)}",
        (succeeded, refused) == (CALLS_MAX, CALLS - CALLS_MAX),
    )
    yield at_most("a refusal", max(asked.refused_s, default=0.0), REFUSED_MAX_S, "s")


# R8-pg


def sigterm(folder: Path) -> Iterator[Outcome]:
    signalled_at = 0.0
    with served(folder, "--metrics-listen", "127.0.0.1:0") as (server, url):

        async def signal_once_in_flight(asked: Asked) -> None:
            nonlocal signalled_at
            async with asyncio.timeout(_ANSWER_S):
                while (await metrics_of(_metrics_of(server)))[_IN_FLIGHT] < DRAINED:
                    await asyncio.sleep(0.05)
            signalled_at = time.monotonic()
            server.process.signal(signal.SIGTERM)
            await asyncio.sleep(HELD_S)

        asked = uvloop.run(ask_at_once(server, url, DRAINED, signal_once_in_flight))
        status = server.process.wait()
        took_s = time.monotonic() - signalled_at - HELD_S
    answered = asked.answers["200"] + asked.answers["OK"]
    yield Outcome(
        f"{DRAINED} calls, half of them over gRPC, which PostgreSQL holds up; SIGTERM",
        f"{DRAINED} answered",
        f"{answered}",
        answered == DRAINED,
    )
    yield ended("after PostgreSQL went on", status, took_s, most_s=DRAINED_MAX_S)


def _metrics_of(server: RealServer) -> str:
    found = re.search(r"metrics_listen=(\S+)", server.log())
    assert found is not None, server.log()
    return found[1]


R8_PG: Final = Scenario("R8-pg", "SIGTERM with calls in flight, on PostgreSQL", sigterm)
R23: Final = Scenario("R23", "more connections than places, on PostgreSQL", too_many_connections)
R27: Final = Scenario("R27", "more calls than places, on PostgreSQL", too_many_calls)
