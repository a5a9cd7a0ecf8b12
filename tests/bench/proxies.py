"""Measures gateways in front of one gRPC server in Go, and the same library in process.

The server answers ReactivateAction with one message, over grpc-go. No gateway has interceptors,
checks a token or logs.

Rule 1: the CPU of a gateway is that of its own process; that of the server is not counted.
Rule 2: one caller is one connection, whose next request follows its answer. The client is awake:
what a request takes is the way through the gateway, the server and back.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.callers import ConstantGateway, ConstantWeb
from tests.bench.http1 import HttpCaller, Timed
from tests.bench.load import Connection, Load, Measured
from tests.bench.ratios import cpu, times_less_cpu
from tests.bench.servers import FRONT, Servers
from tests.bench.work import Open, Ratio, Work, connect, http

IN_FLIGHT: Final = 64


@dataclass(frozen=True, slots=True)
class Gateway:
    """A way to the same answer; `name` is that of its row with many callers."""

    name: str
    title: str
    server: str
    caller: Callable[[str], HttpCaller] = ConstantGateway

    @property
    def one(self) -> str:
        """Returns the name of its row with one caller."""
        return f"{self.name}-one"

    def many_callers(self, servers: Servers, server: str) -> Open:
        target = servers.target(server)
        return http(target.http, [self.caller(target.token) for _ in range(IN_FLIGHT)])

    def one_caller(self, servers: Servers, server: str) -> Open:
        target = servers.target(server)
        timed = functools.partial(Timed, caller=self.caller(target.token))

        async def open_connections(load: Load) -> Sequence[Connection]:
            return await connect(target.http, [functools.partial(timed, load)])

        return open_connections


_GATEWAYS: Final = (
    Gateway("proxy", "JSON, Transcoder.proxy", f"proxy{FRONT}"),
    Gateway("proxy-gateway", "JSON, Go's grpc-gateway", f"gateway-go{FRONT}"),
    Gateway("proxy-envoy", "JSON, Envoy", f"envoy-json-go{FRONT}"),
    Gateway("proxy-inprocess", "JSON, Transcoder in process", "inprocess"),
    Gateway("proxy-web", "gRPC-Web, Transcoder.proxy", f"proxy{FRONT}", ConstantWeb),
    Gateway("proxy-web-envoy", "gRPC-Web, Envoy", f"envoy-web-go{FRONT}", ConstantWeb),
)

PROXIES: Final = tuple(
    work
    for gateway in _GATEWAYS
    for work in (
        Work(
            gateway.name,
            f"{gateway.title} (the gateway alone)",
            gateway.server,
            gateway.many_callers,
            is_waiting=True,
        ),
        Work(
            gateway.one,
            "... one caller",
            gateway.server,
            gateway.one_caller,
            is_waiting=True,
        ),
    )
)


def _p50_us(row: str, works: Mapping[str, Measured]) -> float:
    return works[row].p50_s * 1e6


FIGURES: Final = (
    times_less_cpu("proxy-envoy", "CPU, Envoy to Transcoder.proxy, JSON", "proxy", "proxy-envoy"),
    times_less_cpu(
        "proxy-gateway", "CPU, Go's grpc-gateway to Transcoder.proxy", "proxy", "proxy-gateway"
    ),
    times_less_cpu(
        "proxy-web-envoy",
        "CPU, Envoy to Transcoder.proxy, gRPC-Web",
        "proxy-web",
        "proxy-web-envoy",
    ),
    cpu(
        "proxy-inprocess",
        "CPU, Transcoder.proxy to Transcoder in process",
        "proxy",
        "proxy-inprocess",
    ),
    *(
        Ratio(
            name=gateway.one,
            title=f"p50, {gateway.title}, one caller",
            unit=" µs",
            needs=frozenset({gateway.one}),
            of=functools.partial(_p50_us, gateway.one),
        )
        for gateway in _GATEWAYS
    ),
)
