"""Durable calls: deactivations and reactivations, each committed before it is answered.

On both engines, with different numbers of calls in flight, and by several workers.

Rule: what engines are compared by is the CPU of the service. A rate on PostgreSQL depends on the
cores that its processes find free.
"""

import functools
import os
from typing import Final

from tests.bench.callers import TogglingGrpc, TogglingHttp
from tests.bench.ratios import cpu, rate
from tests.bench.servers import WORKERS, Servers
from tests.bench.work import Open, Work, grpc, http

IN_FLIGHT: Final = 64
FEW_IN_FLIGHT: Final = 1
MANY_IN_FLIGHT: Final = 256
WORKERS_RATE_ASKED: Final = 1.7
_CORES_FOR_RATE: Final = 4
"""Two workers, the client and PostgreSQL have a core each."""


def _json(servers: Servers, name: str, *, in_flight: int) -> Open:
    server = servers.service(name)
    callers = [
        TogglingHttp(server.new_action(f"json{in_flight}n{number}"), server.token, sequence=1)
        for number in range(in_flight)
    ]
    return http(server.http, callers)


def _grpc(servers: Servers, name: str) -> Open:
    server = servers.service(name)
    callers = [
        TogglingGrpc(server.new_action(f"grpc{number}"), server.token, sequence=1)
        for number in range(IN_FLIGHT)
    ]
    return grpc(server.grpc, callers)


def _work(name: str, title: str, server: str, in_flight: int = IN_FLIGHT) -> Work:
    is_waiting = server != "real" or in_flight == FEW_IN_FLIGHT
    prepare = functools.partial(_json, in_flight=in_flight)
    return Work(name, f"{title}, {in_flight} in flight", server, prepare, is_waiting=is_waiting)


DURABLE: Final = (
    _work("json-durable", "JSON, durable (de|re)activation", "real"),
    _work("json-durable-1", "... the same", "real", FEW_IN_FLIGHT),
    _work("json-durable-256", "... the same", "real", MANY_IN_FLIGHT),
    _work("json-postgres", "JSON, durable, on PostgreSQL", "postgres"),
    _work("json-postgres-1", "... the same", "postgres", FEW_IN_FLIGHT),
    _work("json-postgres-256", "... the same", "postgres", MANY_IN_FLIGHT),
    _work("json-workers", f"... by {WORKERS} workers", "workers", WORKERS * IN_FLIGHT),
    _work("json-metrics", "JSON, durable, with metrics", "metrics"),
    Work("grpc-durable", "gRPC, durable (de|re)activation, 64 in flight", "real", _grpc),
)

FIGURES: Final = (
    rate(
        "json-durable",
        "rate, durable JSON to bare",
        "json-durable",
        "bare",
        asked=0.40,
        stretch=0.47,
    ),
    cpu("json-durable-cpu", "CPU, durable JSON to bare", "json-durable", "bare"),
    *(
        figure(
            f"json-postgres{suffix}{end}",
            f"{what}, PostgreSQL to SQLite, {in_flight} in flight",
            f"json-postgres{suffix}",
            f"json-durable{suffix}",
        )
        for figure, what, end in ((cpu, "CPU", ""), (rate, "rate", "-rate"))
        for suffix, in_flight in (
            ("-1", FEW_IN_FLIGHT),
            ("", IN_FLIGHT),
            ("-256", MANY_IN_FLIGHT),
        )
    ),
    cpu(
        "json-workers",
        f"CPU, durable JSON on PostgreSQL, {WORKERS} workers to one",
        "json-workers",
        "json-postgres",
        asked=round(WORKERS / WORKERS_RATE_ASKED, 2),
    ),
    rate(
        "json-workers-rate",
        f"rate, durable JSON on PostgreSQL, {WORKERS} workers to one",
        "json-workers",
        "json-postgres",
        asked=WORKERS_RATE_ASKED if (os.cpu_count() or 1) >= _CORES_FOR_RATE else None,
    ),
    cpu(
        "json-metrics",
        "CPU, durable JSON, with metrics to without",
        "json-metrics",
        "json-durable",
        asked=1.05,
    ),
    rate(
        "grpc-durable",
        "rate, durable gRPC to grpc.aio's constant handler",
        "grpc-durable",
        "grpc-bare",
        asked=1.0,
    ),
    rate(
        "grpc-durable-layers",
        "rate, durable gRPC to constant handler with all interceptors",
        "grpc-durable",
        "grpc",
    ),
    cpu(
        "grpc-durable-cpu",
        "CPU, durable gRPC to grpc.aio's constant handler",
        "grpc-durable",
        "grpc-bare",
    ),
)
