"""What is measured: servers, kinds of work, and the figures made of them.

A new row is a `Work` here, and a `Ratio` if something is asked of it.
"""

import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tests.bench.callers import ConstantGrpc, ConstantHttp, TogglingGrpc, TogglingHttp
from tests.bench.http1 import HttpCaller, HttpConnection
from tests.bench.http2 import GrpcCaller, GrpcConnection
from tests.bench.load import Connection, Load, Measured
from tests.processes import Cores, Process
from tests.real_server import RealServer

IN_FLIGHT: Final = 64
STREAMS: Final = 8  # calls in flight on one gRPC connection

Open: TypeAlias = Callable[[Load], Awaitable[Sequence[Connection]]]
"""Opens connections: anew for each stretch of load, as idle ones are closed meanwhile."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that answers; an address is empty where it has no such door."""

    process: Process
    http: str
    grpc: str
    token: str


class Servers:
    """Started when first asked for, all on the same core: whoever is not measured is idle."""

    def __init__(self, folder: Path, cores: Cores, stack: ExitStack) -> None:
        """Start nothing yet.

        Args:
            folder: for their data and their logs.
            cores: where they stay.
            stack: ends them.
        """
        self._folder = folder
        self._cores = cores
        self._stack = stack
        self._targets: dict[str, Target] = {}
        self._real: RealServer | None = None

    def real(self) -> RealServer:
        """The service itself, without its access log."""
        if self._real is None:
            server = RealServer(self._folder / "real", "--no-access-log", cores=self._cores)
            self._real = self._stack.enter_context(server)
        return self._real

    def target(self, name: str) -> Target:
        if name == "real":
            real = self.real()
            return Target(real.process, real.http, real.grpc, real.token)
        if name not in self._targets:
            self._targets[name] = self._start(name)
        return self._targets[name]

    def _start(self, name: str) -> Target:
        log = self._folder / f"{name}.log"
        with log.open("wb") as errors:
            arguments = ["-m", "tests.bench.serve", name, str(self._folder / name)]
            process = Process(arguments, cores=self._cores, errors=errors)
        self._stack.enter_context(process)
        line = process.line()
        if not line:
            raise RuntimeError(f"server {name} did not start: {log.read_text(encoding='utf-8')}")
        given: Mapping[str, str] = json.loads(line)
        return Target(
            process, given.get("http", ""), given.get("grpc", ""), given.get("token", "none")
        )


def start_up(data: Path, cores: Cores) -> tuple[float, float]:
    """Start the service on an empty data folder.

    Returns:
        Seconds until /readyz says so, and the MiB that it then holds.
    """
    started_at = time.monotonic()
    with RealServer(data, cores=cores) as server:
        server.ask("GET", "/readyz")
        return time.monotonic() - started_at, server.process.resident_mib()


async def _connections(
    address: str, protocols: Iterable[Callable[[], HttpConnection | GrpcConnection]]
) -> Sequence[Connection]:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(make, host, int(port)))[1] for make in protocols]


def _http(address: str, callers: Sequence[HttpCaller]) -> Open:
    async def open_connections(load: Load) -> Sequence[Connection]:
        return await _connections(
            address, (functools.partial(HttpConnection, load, caller) for caller in callers)
        )

    return open_connections


def _grpc(address: str, callers: Sequence[GrpcCaller]) -> Open:
    groups = [callers[first : first + STREAMS] for first in range(0, len(callers), STREAMS)]

    async def open_connections(load: Load) -> Sequence[Connection]:
        return await _connections(
            address, (functools.partial(GrpcConnection, load, group) for group in groups)
        )

    return open_connections


def _constant_http(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return _http(target.http, [ConstantHttp(target.token) for _ in range(IN_FLIGHT)])


def _constant_grpc(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return _grpc(target.grpc, [ConstantGrpc(target.token) for _ in range(IN_FLIGHT)])


def _durable_http(servers: Servers, name: str) -> Open:
    server = servers.real()
    callers = [
        TogglingHttp(server.new_action(f"json{number}"), server.token, sequence=1)
        for number in range(IN_FLIGHT)
    ]
    return _http(server.http, callers)


def _durable_grpc(servers: Servers, name: str) -> Open:
    server = servers.real()
    callers = [
        TogglingGrpc(server.new_action(f"grpc{number}"), server.token, sequence=1)
        for number in range(IN_FLIGHT)
    ]
    return _grpc(server.grpc, callers)


@dataclass(frozen=True, slots=True)
class Work:
    """One row.

    Attributes:
        server: who serves it.
        prepare: makes its callers, who keep what they know from round to round.
    """

    name: str
    title: str
    server: str
    prepare: Callable[[Servers, str], Open]


WORKS: Final = (
    Work("bare", "bare aiohttp.web.Server, the same bytes", "bare", _constant_http),
    Work(
        "json",
        "JSON, constant handler, all interceptors",
        "constant",
        _constant_http,
    ),
    Work("json-logged", "... and the access log", "logged", _constant_http),
    Work("json-durable", "JSON, durable (de|re)activation, 64 in flight", "real", _durable_http),
    Work("grpc-bare", "grpc.aio, constant handler", "native", _constant_grpc),
    Work(
        "grpc",
        "gRPC, constant handler, all interceptors",
        "constant",
        _constant_grpc,
    ),
    Work("grpc-durable", "gRPC, durable (de|re)activation, 64 in flight", "real", _durable_grpc),
)


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


def _cpu(name: str, title: str, over: str, under: str, **bounds: float) -> Ratio:
    return Ratio(
        name=name,
        title=title,
        needs=frozenset({over, under}),
        of=lambda works: works[over].cpu_us / works[under].cpu_us,
        asked=bounds.get("asked"),
        stretch=bounds.get("stretch"),
    )


def _rate(name: str, title: str, over: str, under: str, **bounds: float) -> Ratio:
    return Ratio(
        name=name,
        title=title,
        needs=frozenset({over, under}),
        of=lambda works: works[over].rate / works[under].rate,
        asked=bounds.get("asked"),
        stretch=bounds.get("stretch"),
        is_at_most=False,
    )


RATIOS: Final = (
    _cpu("json", "CPU, JSON unary to bare", "json", "bare", asked=2.2, stretch=1.7),
    Ratio(
        name="access-log",
        title="CPU, the access log's share of a JSON request",
        unit=" µs",
        needs=frozenset({"json", "json-logged"}),
        of=lambda works: works["json-logged"].cpu_us - works["json"].cpu_us,
    ),
    _cpu("json-logged", "CPU, JSON unary with access log to bare", "json-logged", "bare"),
    _rate(
        "json-durable",
        "rate, durable JSON to bare",
        "json-durable",
        "bare",
        asked=0.40,
        stretch=0.55,
    ),
    _cpu("json-durable-cpu", "CPU, durable JSON to bare", "json-durable", "bare"),
    _rate(
        "grpc-durable",
        "rate, durable gRPC to grpc.aio's constant handler",
        "grpc-durable",
        "grpc-bare",
        asked=0.90,
        stretch=1.0,
    ),
    _rate(
        "grpc-durable-layers",
        "rate, durable gRPC to constant handler with all interceptors",
        "grpc-durable",
        "grpc",
    ),
    _cpu(
        "grpc-durable-cpu",
        "CPU, durable gRPC to grpc.aio's constant handler",
        "grpc-durable",
        "grpc-bare",
    ),
    _cpu(
        "grpc-layers", "CPU, all interceptors to grpc.aio's constant handler", "grpc", "grpc-bare"
    ),
)
