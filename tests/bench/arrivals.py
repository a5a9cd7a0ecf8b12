"""Measures how long callers of durable writes wait while the server is not busy.

In step: few callers, each of whom asks again once it is answered. At random: requests arrive as a
Poisson process at a share of the server's capacity, which is its rate with 64 callers in step. The
time of a request counts from its arrival, also while it waits for a connection.

Rule: the client never sleeps, as in load.py; a timer of the loop is not exact to a millisecond.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.callers import TogglingHttp
from tests.bench.load import Load, WrongAnswer, measure
from tests.bench.report import Figure, Spread
from tests.bench.servers import Servers
from tests.bench.work import http

IN_STEP: Final = (1, 2, 8, 64)
CAPACITY: Final = 64
SHARES: Final = (0.1, 0.3, 0.6)
CONNECTIONS: Final = 64
ROUNDS: Final = 5
STEP_S: Final = 0.6
ARRIVE_S: Final = 2.0
DRAIN_S: Final = 10.0

TWO_ASKED: Final = 2_400.0
P50_ASKED_MS: Final = 0.8
P99_ASKED_MS: Final = 4.0
ASKED_UP_TO: Final = 0.1
"""The share of capacity up to which something is asked: the server is then busy for 30 % of its
core at least, as a lone write costs more than one of a batch."""


class Arriving(asyncio.Protocol):
    """One connection, which answers one arrival after the other."""

    def __init__(self, caller: TogglingHttp, crowd: "Crowd") -> None:
        self._caller = caller
        self._crowd = crowd
        self._transport: asyncio.Transport | None = None
        self._arrived_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self._transport = transport

    def begin(self, arrived_at: float) -> None:
        assert self._transport is not None
        self._arrived_at = arrived_at
        self._transport.write(self._caller.ask())

    def data_received(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        if head[9:12] != b"200" or not self._caller.accepts(body):
            self._crowd.wrong = data
        self._crowd.took_s.append(time.perf_counter() - self._arrived_at)
        self._crowd.free.append(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Crowd:
    """Requests that arrive at random, and the connections that send them.

    Attributes:
        free: connections without a request.
        took_s: of each request, from its arrival to its answer.
        wrong: an answer that is none; empty if all are right.
    """

    def __init__(self) -> None:
        self.free: list[Arriving] = []
        self.took_s: list[float] = []
        self.wrong = b""

    async def arrive(self, rate: float, seconds: float, *, seed: int) -> None:
        """Has requests arrive, and waits for the last answer.

        Raises:
            WrongAnswer: an answer was wrong, or did not come.
        """
        chance = random.Random(seed)  # noqa: S311  no secret: the same arrivals each time
        everyone = len(self.free)
        waiting: deque[float] = deque()
        next_at = time.perf_counter()
        end_at = next_at + seconds
        while next_at < end_at or waiting or len(self.free) < everyone:
            now = time.perf_counter()
            while next_at < min(now, end_at):
                waiting.append(next_at)
                next_at += chance.expovariate(rate)
            while waiting and self.free:
                self.free.pop().begin(waiting.popleft())
            if self.wrong or now > end_at + DRAIN_S:
                raise WrongAnswer(f"at {rate:.0f} requests a second: {self.wrong[:400]!r}")
            await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Waits:
    """The times of requests that arrived at one rate.

    Attributes:
        took_s: of each request, sorted.
        busy: share of a core that the server used.
    """

    took_s: Sequence[float]
    busy: float


class Arrivals:
    """Callers with an action each, on one server."""

    def __init__(self, servers: Servers) -> None:
        self._cpu = servers.target("real").cpu_seconds
        self._server = servers.service("real")
        self._callers = [
            TogglingHttp(
                self._server.new_action(f"arrival{number}"), self._server.token, sequence=1
            )
            for number in range(CONNECTIONS)
        ]

    async def in_step(self, callers: int) -> float:
        """Returns requests a second of so many callers."""
        load = Load()
        connections = await http(self._server.http, self._callers[:callers])(load)
        measured = await measure(load, connections, server_cpu_s=self._cpu, seconds=STEP_S)
        for connection in connections:
            connection.close()
        return measured.rate

    async def at_random(self, rate: float, *, seed: int) -> "Waits":
        """Returns what each request took, and how busy the server was."""
        crowd = Crowd()
        host, _, port = self._server.http.rpartition(":")
        loop = asyncio.get_running_loop()
        for caller in self._callers:
            _, arriving = await loop.create_connection(
                lambda caller=caller: Arriving(caller, crowd),  # type: ignore[misc]  # a default
                host,
                int(port),
            )
            crowd.free.append(arriving)
        connections = [*crowd.free]
        cpu_s, began_at = self._cpu(), time.perf_counter()
        await crowd.arrive(rate, ARRIVE_S, seed=seed)
        busy = (self._cpu() - cpu_s) / (time.perf_counter() - began_at)
        for connection in connections:
            connection.close()
        return Waits(sorted(crowd.took_s), busy)


async def measure_arrivals(servers: Servers, *, rounds: int = ROUNDS) -> Sequence[Figure]:
    """Measures all, round by round; a figure is the median of the rounds.

    Raises:
        WrongAnswer: an answer was wrong; nothing counts.
    """
    arrivals = Arrivals(servers)
    rates: dict[int, list[float]] = {callers: [] for callers in IN_STEP}
    waits: dict[float, list[Waits]] = {share: [] for share in SHARES}
    for seed in range(rounds):
        for callers in IN_STEP:
            rates[callers].append(await arrivals.in_step(callers))
        for share in SHARES:
            capacity = rates[CAPACITY][-1]
            waits[share].append(await arrivals.at_random(share * capacity, seed=seed))
    return [
        *(
            Figure(
                name=f"in-step-{callers}",
                title=f"durable JSON a second, {callers} in flight",
                unit="",
                reached=Spread.of(rates[callers]),
                asked=TWO_ASKED if callers == 2 else None,
                is_at_most=False,
            )
            for callers in IN_STEP
        ),
        *(
            figure
            for share in SHARES
            for figure in (
                _busy(share, waits[share]),
                *(_wait(share, quantile, waits[share]) for quantile in (0.5, 0.99, 0.999)),
            )
        ),
    ]


def _busy(share: float, waits: Sequence[Waits]) -> Figure:
    return Figure(
        name=f"arrivals-{share}-busy",
        title=f"durable JSON, arrivals at {share:.0%} of capacity, server busy",
        unit=" %",
        reached=Spread.of(each.busy * 100 for each in waits),
    )


def _wait(share: float, quantile: float, waits: Sequence[Waits]) -> Figure:
    asked = {0.5: P50_ASKED_MS, 0.99: P99_ASKED_MS}.get(quantile)
    return Figure(
        name=f"arrivals-{share}-{quantile}",
        title=f"durable JSON, arrivals at {share:.0%} of capacity, p{quantile * 100:g}",
        unit=" ms",
        reached=Spread.of(each.took_s[int(len(each.took_s) * quantile)] * 1000 for each in waits),
        asked=asked if share <= ASKED_UP_TO else None,
    )
