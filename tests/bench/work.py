"""Defines rows of load, figures made of rows, and how callers share connections."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.bench.http1 import HttpCaller, HttpConnection
from tests.bench.http2 import GrpcCaller, GrpcConnection
from tests.bench.load import ANSWERS_MIN, Connection, Load, Measured
from tests.bench.servers import Servers

STREAMS: Final = 8  # calls in flight on one gRPC connection

Open: TypeAlias = Callable[[Load], Awaitable[Sequence[Connection]]]
"""Opens connections: anew for each stretch of load, as idle ones are closed meanwhile."""


async def connect(
    address: str, protocols: Iterable[Callable[[], HttpConnection | GrpcConnection]]
) -> Sequence[Connection]:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(make, host, int(port)))[1] for make in protocols]


def http(address: str, callers: Sequence[HttpCaller]) -> Open:
    async def open_connections(load: Load) -> Sequence[Connection]:
        return await connect(
            address, (functools.partial(HttpConnection, load, caller) for caller in callers)
        )

    return open_connections


def grpc(address: str, callers: Sequence[GrpcCaller]) -> Open:
    groups = [callers[first : first + STREAMS] for first in range(0, len(callers), STREAMS)]

    async def open_connections(load: Load) -> Sequence[Connection]:
        return await connect(
            address, (functools.partial(GrpcConnection, load, group) for group in groups)
        )

    return open_connections


@dataclass(frozen=True, slots=True)
class Work:
    """One row.

    Attributes:
        server: who serves it.
        prepare: makes its callers, who keep what they know from round to round.
        messages: of an answer that is measured whole; what is counted are these. 0 for answers that
            are measured by the stretch.
        answers_min: that a stretch is prolonged for.
        is_waiting: True if the server waits for more than its core, so that it is not busy.
        sleeps: the client does while it waits, and stays on no core: the server has all of them.
    """

    name: str
    title: str
    server: str
    prepare: Callable[[Servers, str], Open]
    messages: int = 0
    answers_min: int = ANSWERS_MIN
    is_waiting: bool = False
    sleeps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A figure made of the works of one round."""

    name: str
    title: str
    unit: str = "x"
    needs: frozenset[str]
    of: Callable[[Mapping[str, Measured]], float]
    asked: float | None = None
    stretch: float | None = None
    is_at_most: bool = True
