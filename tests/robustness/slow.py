"""Clients that take their time: R19, R20 and R21 of docs/robustness.md.

They send one octet at a time, as often as it takes to look alive. Whoever behaves must not notice.
"""

import asyncio
import itertools
import math
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Final

import uvloop

from tests.bench.http2 import PREFACE
from tests.robustness.raw import request
from tests.robustness.scenario import Outcome, Scenario
from tests.support.connections import answer_of, opened
from tests.support.proxy_headers import line
from tests.support.real_server import RealServer

CONNECTIONS: Final = 2000
OCTET_EVERY_S: Final = 0.5
ALIVE_FOR_S: Final = 10.0
KEEPALIVE_S: Final = 15.0
BODY_S: Final = 10.0
LINGER_S: Final = 2.0
TICK_S: Final = 0.01
GOOD_CALLERS: Final = 8
GOOD_EVERY_S: Final = 0.02
ENDLESS_HEAD: Final = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 8000
BEHIND_PROXY: Final = ("--proxy-protocol", "--trusted-proxies", "127.0.0.1")
SLACK_S: Final = 0.5
"""A timer of the server's that fires on time is seen here a moment later."""


class Dripping(asyncio.Protocol):
    """A connection that sends octets one by one until the other side has enough.

    Attributes:
        received: what came back.
        opened_at, answered_at, closed_at: `time.monotonic()`; None as long as it has not happened.
    """

    def __init__(self, octets: bytes, *, at_once: bytes = b"") -> None:
        """Prepare a connection.

        Args:
            octets: sent one by one.
            at_once: sent before, in one piece.
        """
        self.received = b""
        self.opened_at: float | None = None
        self.answered_at: float | None = None
        self.closed_at: float | None = None
        self.answered = asyncio.Event()
        self.closed = asyncio.Event()
        self._octets = iter(octets)
        self._at_once = at_once
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self._transport = transport
        self.opened_at = time.monotonic()
        if self._at_once:
            transport.write(self._at_once)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.answered_at is None:
            self.answered_at = time.monotonic()
            self.answered.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed_at = time.monotonic()
        self.closed.set()

    def drip(self) -> None:
        octet = next(self._octets, None)
        if octet is not None and self.closed_at is None and self._transport is not None:
            self._transport.write(bytes([octet]))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def drip_all(connections: Sequence[Dripping], every_s: float) -> None:
    """One octet from each connection in each period, spread evenly over it; until cancelled."""
    shares = max(round(every_s / TICK_S), 1)
    for share in itertools.cycle(range(shares)):
        for connection in connections[share::shares]:
            connection.drip()
        await asyncio.sleep(every_s / shares)


async def good_caller(
    address: str, octets: bytes, latencies_s: list[float], *, first: bytes = b""
) -> None:
    """Ask again and again on one connection, which begins with `first`; until cancelled.

    Raises:
        AssertionError: an answer was not 200.
        asyncio.IncompleteReadError: the connection was closed.
    """
    async with opened(address) as (reader, writer):
        writer.write(first)
        while True:
            asked_at = time.perf_counter()
            writer.write(octets)
            head, _ = await answer_of(reader)
            assert head.startswith(b"HTTP/1.1 200 "), head
            latencies_s.append(time.perf_counter() - asked_at)
            await asyncio.sleep(GOOD_EVERY_S)


async def connect(address: str, make: Callable[[], Dripping]) -> Dripping:
    host, _, port = address.rpartition(":")
    _, connection = await asyncio.get_running_loop().create_connection(make, host, int(port))
    return connection


def raise_descriptor_limit() -> None:
    """Let this process, and what it starts, have as many connections as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def flood(
    address: str,
    good: bytes,
    *,
    connections: int,
    seconds: float,
    endless: bytes = ENDLESS_HEAD,
    first: bytes = b"",
) -> tuple[Sequence[Dripping], Sequence[float]]:
    """Slow headers on many connections, and good callers among them.

    Args:
        address: "host:port".
        good: what good callers ask.
        connections: how many send slow headers.
        seconds: how long they are watched.
        endless: what they send, octet by octet.
        first: begins the connections of good callers.

    Returns:
        The connections as they are this many seconds after the last was opened, and what good
        callers had to wait.
    """
    latencies_s: list[float] = []
    drips: list[Dripping] = []
    async with asyncio.TaskGroup() as group:
        callers = [
            group.create_task(good_caller(address, good, latencies_s, first=first))
            for _ in range(GOOD_CALLERS)
        ]
        dripping = group.create_task(drip_all(drips, OCTET_EVERY_S))
        for _ in range(connections // 100):
            drips += await asyncio.gather(
                *(connect(address, lambda: Dripping(endless)) for _ in range(100))
            )
        await asyncio.sleep(seconds)
        alive_at_end = list(drips)
        for task in (*callers, dripping):
            task.cancel()
    for connection in alive_at_end:
        connection.close()
    return alive_at_end, latencies_s


def slow_headers(folder: Path) -> Iterator[Outcome]:
    raise_descriptor_limit()
    with RealServer(folder / "data") as server:
        good = request("GET", f"/management/v1/actions/{server.new_action()}", token=server.token)
        drips, latencies_s = uvloop.run(
            flood(server.http, good, connections=CONNECTIONS, seconds=ALIVE_FOR_S)
        )
    yield from _judged("slow headers", drips, latencies_s)
    with RealServer(folder / "data") as server:
        endless = PREFACE[:-1]
        drips, latencies_s = uvloop.run(
            flood(server.http, good, connections=CONNECTIONS, seconds=ALIVE_FOR_S, endless=endless)
        )
    yield from _judged("slow prefaces of HTTP/2", drips, latencies_s)
    # Good callers begin with a whole header; the others send one that does not end in time.
    first = line(("192.0.2.1", 5000))
    with RealServer(folder / "data", *BEHIND_PROXY) as server:
        drips, latencies_s = uvloop.run(
            flood(
                server.http,
                good,
                connections=CONNECTIONS,
                seconds=ALIVE_FOR_S,
                endless=first[:-2],
                first=first,
            )
        )
    yield from _judged("slow headers of the PROXY protocol", drips, latencies_s)


def _judged(
    what: str, drips: Sequence[Dripping], latencies_s: Sequence[float]
) -> Iterator[Outcome]:
    lived_s = [
        drip.closed_at - drip.opened_at if drip.closed_at and drip.opened_at else ALIVE_FOR_S
        for drip in drips
    ]
    alive = sum(drip.closed_at is None for drip in drips)
    yield Outcome(
        f"of {len(drips):,} connections with {what}, alive after {ALIVE_FOR_S:g} s",
        "0",
        f"{alive} (the longest lived {max(lived_s):.1f} s)",
        alive == 0,
    )
    cuts = quantiles(latencies_s, n=100)
    p50_ms, p99_ms = cuts[49] * 1e3, cuts[98] * 1e3
    yield Outcome(
        f"good callers meanwhile, p50 and p99 of {len(latencies_s):,} answers",
        "≤ 5 ms, ≤ 100 ms",
        f"{p50_ms:.1f} ms, {p99_ms:.1f} ms (all 200)",
        p50_ms <= 5 and p99_ms <= 100,
    )


async def _second_request(address: str, good: bytes) -> tuple[float | None, float | None, bool]:
    """Seconds until a connection is closed after its first answer: silent, and dripping."""

    async def lived(octets: bytes) -> tuple[float | None, bool]:
        connection = await connect(address, lambda: Dripping(octets, at_once=good))
        async with asyncio.timeout(10):
            await connection.answered.wait()
        answered_at = time.monotonic()
        dripping = asyncio.create_task(drip_all([connection], OCTET_EVERY_S))
        try:
            async with asyncio.timeout(KEEPALIVE_S + 5):
                await connection.closed.wait()
        except TimeoutError:
            pass
        finally:
            dripping.cancel()
            connection.close()
        was_right = connection.received.startswith(b"HTTP/1.1 200 ")
        closed_at = connection.closed_at
        return None if closed_at is None else closed_at - answered_at, was_right

    silent, dripping = await asyncio.gather(lived(b""), lived(good[:-2] + b"X-Slow: " + b"a" * 100))
    return silent[0], dripping[0], silent[1] and dripping[1]


def slow_second_request(folder: Path) -> Iterator[Outcome]:
    with RealServer(folder / "data") as server:
        good = request("GET", f"/management/v1/actions/{server.new_action()}", token=server.token)
        silent_s, dripping_s, was_right = uvloop.run(_second_request(server.http, good))
    for what, seconds in (
        ("silent after an answer", silent_s),
        ("dripping its second head", dripping_s),
    ):
        yield Outcome(
            f"a kept connection, {what}, is closed after",
            f"≤ {KEEPALIVE_S:g} s",
            "never" if seconds is None else f"{seconds:.1f} s",
            was_right and seconds is not None and seconds <= KEEPALIVE_S + SLACK_S,
        )


async def _body(address: str, head: bytes) -> Dripping:
    connection = await connect(address, lambda: Dripping(b'{"name":"' + b"a" * 900, at_once=head))
    dripping = asyncio.create_task(drip_all([connection], OCTET_EVERY_S))
    try:
        async with asyncio.timeout(20):
            await connection.closed.wait()
    except TimeoutError:
        pass
    finally:
        dripping.cancel()
        connection.close()
    return connection


def slow_body(folder: Path) -> Iterator[Outcome]:
    with RealServer(folder / "data") as server:
        head = request(
            "POST",
            "/management/v1/actions",
            token=server.token,
            headers={"Content-Type": "application/json", "Content-Length": "1000"},
        )
        connection = uvloop.run(_body(server.http, head))
    answer = connection.received
    times = (connection.opened_at, connection.answered_at, connection.closed_at)
    opened_at, answered_at, closed_at = (at or math.inf for at in times)
    yield Outcome(
        "a dripping body",
        "408 within 10 s, then closed",
        f"{answer[9:12].decode('latin-1') or 'nothing'} after {answered_at - opened_at:.1f} s, "
        f"closed {closed_at - answered_at:.1f} s later",
        answer.startswith(b"HTTP/1.1 408 ")
        and b'{"code":' in answer
        and answered_at - opened_at <= BODY_S + SLACK_S
        and closed_at - answered_at <= LINGER_S,
    )


R19: Final = Scenario("R19", "slow headers on 2,000 connections", slow_headers)
R20: Final = Scenario("R20", "a second request that never comes", slow_second_request)
R21: Final = Scenario("R21", "a body that never ends", slow_body)
