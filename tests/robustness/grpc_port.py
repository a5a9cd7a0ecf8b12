"""Many and slow clients of the gRPC port, and what others notice of them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import quantiles
from typing import Final

import aiohttp
import grpc
import uvloop

from tests.robustness.held_calls import (
    GOOD_EVERY_S,
    HEALTHZ,
    REFLECT,
    WATCH,
    Hold,
    Holder,
    Seen,
    call_well,
    call_well_once,
    hold,
    keep_holding,
)
from tests.robustness.scenario import Outcome, Scenario
from tests.robustness.slow import raise_descriptor_limit
from tests.support.real_server import ONE_PORT, RealServer

CONNECTIONS: Final = 11
"""Connections with 100 calls each: more calls than the service has places for."""
IDLE: Final = 4300
GOOD_P99_S: Final = 1.5
HEALTHZ_P99_S: Final = 0.25


async def attack(
    server: RealServer, path: str, what: Hold, *, connections: int, seconds: float
) -> Seen:
    """Holds calls on connections; those that are ended are followed by others."""
    seen = Seen()
    async with held(server, path, what, seen, connections=connections), good_callers(server, seen):
        await asyncio.sleep(seconds)
    return seen


@contextlib.asynccontextmanager
async def held(
    server: RealServer, path: str, what: Hold, seen: Seen, *, connections: int
) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(keep_holding(server.grpc, path, what, seen))
            for _ in range(connections)
        ]
        yield
        for task in tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def good_callers(server: RealServer, seen: Seen) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(call_well(server.grpc, server.token, seen)),
            group.create_task(ask_healthz(server.http, seen)),
        ]
        yield
        for task in tasks:
            task.cancel()


async def ask_healthz(address: str, seen: Seen) -> None:
    """Asks on a connection of its own each time, until cancelled."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        while True:
            began_at = time.perf_counter()
            async with session.get(f"http://{address}/healthz") as answer:
                assert answer.status == 200
            seen.healthz_s.append(time.perf_counter() - began_at)
            await asyncio.sleep(GOOD_EVERY_S)


async def crowd(server: RealServer, connections: int, seconds: float) -> tuple[int, Seen]:
    """Opens connections without a call to the gRPC port.

    Returns:
        How many of them the server keeps, and what others saw meanwhile.
    """
    seen = Seen()
    idle: list[Holder] = []
    # A channel that is there before keeps its connection.
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        await channel.channel_ready()
        for _ in range(connections // 100):
            idle += await asyncio.gather(
                *(hold(server.grpc, HEALTHZ, "message", calls=0) for _ in range(100))
            )
        kept = sum(not holder.closed.is_set() for holder in idle)
        healthz = asyncio.create_task(ask_healthz(server.http, seen))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await call_well_once(channel, server.token, seen)
            await asyncio.to_thread(server.new_action, f"a{len(seen.good_s)}")
        await asyncio.to_thread(server.command, "org", "list")
        healthz.cancel()
        await asyncio.gather(healthz, return_exceptions=True)
    for holder in idle:
        holder.close()
    return kept, seen


def p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]


def grpc_port(folder: Path) -> Iterator[Outcome]:
    raise_descriptor_limit()
    for where, options in (("gRPC's port", ()), ("the port of JSON", ONE_PORT)):
        place = folder / where.replace(" ", "-")
        place.mkdir()
        for path in (HEALTHZ, WATCH, REFLECT):
            for what in ("message", "answer"):
                data = place / f"{path[1:].replace('/', '-')}-{what}"
                with RealServer(data, *options) as server:
                    held = attack(server, path, what, connections=CONNECTIONS, seconds=6.0)
                    seen = uvloop.run(held)
                calls = f"{CONNECTIONS} connections of 100 calls of {path}, {what} held"
                yield _outcome(f"{where}: {calls}", seen)
        with RealServer(place / "idle", *options) as server:
            kept, seen = uvloop.run(crowd(server, IDLE, 3.0))
        yield _outcome(f"{where}: {IDLE:,} connections without a call ({kept:,} kept)", seen)


def _outcome(what: str, seen: Seen) -> Outcome:
    good_s, healthz_s = p99(seen.good_s), p99(seen.healthz_s)
    return Outcome(
        what,
        f"good calls 0 refused, p99 ≤ {GOOD_P99_S * 1e3:.0f} ms; "
        f"/healthz p99 ≤ {HEALTHZ_P99_S * 1e3:.0f} ms",
        f"{len(seen.good_s)} answered, {len(seen.refused)} refused{_shown(seen.refused)}, "
        f"p99 {good_s * 1e3:.0f} ms; "
        f"/healthz p99 {healthz_s * 1e3:.0f} ms; {seen.ended} held calls and {seen.cut} "
        "connections ended",
        not seen.refused and good_s <= GOOD_P99_S and healthz_s <= HEALTHZ_P99_S,
    )


def _shown(refused: list[str]) -> str:
    return f" ({', '.join(sorted(set(refused)))})" if refused else ""


S9: Final = Scenario("S9", "the gRPC port under slow and many connections", grpc_port)
