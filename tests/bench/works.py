"""Lists the kinds of work that are measured, and the figures made of them.

A new row is a `Work` here, or a `Loop` in cases.py, and a `Ratio` if something is asked of it.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Final

from tests.bench import (
    authorized,
    durable,
    files,
    lists,
    proxies,
    runs,
    scale,
    streams,
    targets,
    validated,
    websocket,
)
from tests.bench.callers import (
    STREAM_MESSAGES,
    ConstantConnect,
    ConstantGateway,
    ConstantGrpc,
    ConstantHttp,
    ConstantWeb,
    StreamWeb,
)
from tests.bench.cases import CASES, FEW_ROUTES, LOOPS, MANY_ROUTES
from tests.bench.load import Measured
from tests.bench.loops import Loop
from tests.bench.ratios import cpu, times_less_cpu
from tests.bench.servers import Servers
from tests.bench.work import Open, Ratio, Work, grpc, http

IN_FLIGHT: Final = 64


def _constant_http(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return http(target.http, [ConstantHttp(target.token) for _ in range(IN_FLIGHT)])


def _unprefixed_http(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return http(target.http, [ConstantGateway(target.token) for _ in range(IN_FLIGHT)])


def _constant_connect(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return http(target.http, [ConstantConnect(target.token) for _ in range(IN_FLIGHT)])


def _constant_web(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return http(target.http, [ConstantWeb(target.token) for _ in range(IN_FLIGHT)])


def _one_stream(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return http(target.http, [StreamWeb(target.token)])


def _constant_grpc(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return grpc(target.grpc, [ConstantGrpc(target.token) for _ in range(IN_FLIGHT)])


def _piped_grpc(servers: Servers, name: str) -> Open:
    target = servers.target(name)
    return grpc(target.http, [ConstantGrpc(target.token) for _ in range(IN_FLIGHT)])


WORKS: Final[Sequence[Work | Loop]] = (
    Work("bare", "bare aiohttp.web.Server, the same bytes", "bare", _constant_http),
    Work("json", "JSON, constant handler, all interceptors", "constant", _constant_http),
    Work("json-alone", "... on a port without gRPC", "alone", _constant_http),
    Work("json-gateway", "JSON, Go's grpc-gateway in process", "gateway", _unprefixed_http),
    Work(
        "json-gateway-go",
        "JSON, Go's grpc-gateway in front of grpc-go",
        "gateway-go",
        _unprefixed_http,
    ),
    Work("json-envoy-go", "JSON, Envoy in front of grpc-go", "envoy-json-go", _unprefixed_http),
    Work("json-proxy", "JSON, Transcoder.proxy in front of grpc-go", "proxy", _unprefixed_http),
    Work("json-fastapi", "JSON, FastAPI with pydantic on uvicorn", "fastapi", _constant_http),
    Work("json-envoy", "JSON, Envoy's transcoder and grpc.aio", "envoy-json", _unprefixed_http),
    Work("json-connect", "JSON, connectrpc on uvicorn", "connectrpc", _constant_connect),
    Work("web", "gRPC-Web, constant handler, all interceptors", "constant", _constant_web),
    Work("web-envoy", "gRPC-Web, Envoy and grpc.aio", "envoy-web", _constant_web),
    Work(
        "stream",
        "gRPC-Web stream, all interceptors (each message)",
        "constant",
        _one_stream,
        STREAM_MESSAGES,
    ),
    Work(
        "stream-envoy",
        "gRPC-Web stream, Envoy and grpc.aio (each message)",
        "envoy-web",
        _one_stream,
        STREAM_MESSAGES,
    ),
    *proxies.PROXIES,
    *streams.STREAMS,
    *files.FILES,
    *websocket.SOCKETS,
    Work("json-logged", "... and the access log", "logged", _constant_http),
    Work("grpc-bare", "grpc.aio, constant handler", "native", _constant_grpc),
    Work("grpc", "gRPC, constant handler, all interceptors", "constant", _constant_grpc),
    Work("grpc-piped", "... at the port of JSON", "constant", _piped_grpc),
    *durable.DURABLE,
    *lists.LISTS,
    *scale.LARGE,
    *runs.RUNS,
    *targets.TARGETS,
    *LOOPS,
    *authorized.AUTHORIZATIONS,
    *validated.VALIDATIONS,
)


def _cpu_us(name: str, works: Mapping[str, Measured]) -> float:
    return works[name].cpu_us


RATIOS: Final[Sequence[Ratio]] = (
    cpu("json", "CPU, JSON unary to bare", "json", "bare", asked=1.4, stretch=1.2),
    Ratio(
        name="access-log",
        title="CPU, the access log's share of a JSON request",
        unit=" µs",
        needs=frozenset({"json", "json-logged"}),
        of=lambda works: works["json-logged"].cpu_us - works["json"].cpu_us,
    ),
    cpu(
        "json-gateway",
        "CPU, JSON unary to Go's grpc-gateway in process",
        "json",
        "json-gateway",
        asked=1.3,
        stretch=1.0,
    ),
    times_less_cpu(
        "json-gateway-go",
        "CPU, Go's grpc-gateway and grpc-go to JSON unary",
        "json",
        "json-gateway-go",
    ),
    times_less_cpu(
        "json-envoy-go", "CPU, Envoy and grpc-go to JSON unary", "json", "json-envoy-go"
    ),
    cpu("json-proxy", "CPU, Transcoder.proxy and grpc-go to JSON unary", "json-proxy", "json"),
    times_less_cpu("json-fastapi", "CPU, FastAPI on uvicorn to JSON unary", "json", "json-fastapi"),
    times_less_cpu(
        "json-envoy",
        "CPU, Envoy's transcoder and grpc.aio to JSON unary",
        "json",
        "json-envoy",
        asked=6,
        stretch=8,
    ),
    times_less_cpu(
        "json-connect", "CPU, connectrpc on uvicorn to JSON unary", "json", "json-connect"
    ),
    times_less_cpu(
        "web-envoy", "CPU, Envoy and grpc.aio to gRPC-Web unary", "web", "web-envoy", asked=5
    ),
    Ratio(
        name="stream-envoy",
        title=f"time, {STREAM_MESSAGES:,} messages over gRPC-Web to Envoy and grpc.aio",
        needs=frozenset({"stream", "stream-envoy"}),
        of=lambda works: works["stream"].seconds / works["stream-envoy"].seconds,
        asked=1.0,
    ),
    times_less_cpu(
        "stream-envoy-cpu", "CPU, Envoy and grpc.aio to a gRPC-Web stream", "stream", "stream-envoy"
    ),
    *proxies.FIGURES,
    *streams.RATIOS,
    *files.RATIOS,
    *websocket.RATIOS,
    cpu("web-bare", "CPU, gRPC-Web unary to bare", "web", "bare", asked=1.6, stretch=1.4),
    cpu("web", "CPU, gRPC-Web unary to JSON unary", "web", "json"),
    cpu("json-logged", "CPU, JSON unary with access log to bare", "json-logged", "bare"),
    cpu("grpc-layers", "CPU, all interceptors to grpc.aio's constant handler", "grpc", "grpc-bare"),
    cpu(
        "grpc-piped",
        "CPU, gRPC at the port of JSON to its own port",
        "grpc-piped",
        "grpc",
        asked=1.2,
    ),
    cpu(
        "json-beside-grpc",
        "CPU, JSON unary on a port with gRPC to one without",
        "json",
        "json-alone",
        asked=1.02,
    ),
    cpu("get", "CPU, GetAction to bare", "get", "bare", asked=1.9, stretch=1.5),
    *durable.FIGURES,
    *lists.FIGURES,
    *scale.RATIOS,
    *runs.FIGURES,
    *targets.FIGURES,
    *(
        times_less_cpu(
            f"{way}-{case.name}",
            f"CPU, json_format to codec: {way}, {case.title}",
            f"{way}-{case.name}",
            f"{way}-{case.name}-json-format",
            asked=case.asked,
            stretch=case.stretch,
        )
        for case in CASES
        for way in ("encode", "decode")
    ),
    cpu(
        "routes",
        f"CPU, a match among {MANY_ROUTES:,} routes to one among {FEW_ROUTES}",
        f"routes-{MANY_ROUTES}",
        f"routes-{FEW_ROUTES}",
        asked=1.2,
        stretch=1.05,
    ),
    *(
        Ratio(
            name=loop.name,
            title=f"CPU, {loop.title}",
            unit=" µs",
            needs=frozenset({loop.name}),
            of=functools.partial(_cpu_us, loop.name),
            asked=asked,
        )
        for loops, asked in (
            (authorized.AUTHORIZATIONS, authorized.ASKED_US),
            (validated.VALIDATIONS, validated.ASKED_US),
        )
        for loop in loops
    ),
)
