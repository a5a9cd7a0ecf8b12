"""Measures a million actions, as many idle connections as are allowed, and a thousand methods.

Calls to the service with a million actions stand beside the same calls to one with few; memory and
times of start are measured once.
"""

import functools
import resource
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool

from tests.bench.callers import REST_PREFIX, TogglingHttp, http_request
from tests.bench.lists import ANSWERS_MIN, IN_FLIGHT, PAGE, Reader
from tests.bench.many_methods import file_of_methods
from tests.bench.report import Figure, Spread
from tests.bench.servers import LARGE_ORG, LARGE_ORGS, Servers
from tests.bench.work import Open, Ratio, Work, http
from tests.support.processes import Cores
from tests.support.real_server import RealServer
from transcoder import Transcoder

CONNECTIONS: Final = 4000 - IN_FLIGHT
METHODS: Final = 1000
TIMES: Final = 3
_SPARE_DESCRIPTORS: Final = 200
_TITLE: Final = f"{LARGE_ORG * LARGE_ORGS:,} actions"


class _PageReader:
    """Asks for the first page of an organisation; its time of the last event changes meanwhile."""

    def __init__(self, token: str, org_id: str) -> None:
        self._request = http_request(
            f"{REST_PREFIX}/actions/_search",
            token=token,
            headers=f"x-zitadel-orgid: {org_id}\r\n",
            body=b'{"query":{"limit":%d}}' % PAGE,
        )

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return body.count(b'{"id":"') == PAGE


def _page(servers: Servers, server: str) -> Open:
    large = servers.large()
    return http(large.server.http, [_PageReader(large.server.token, large.org_ids[-1])])


def _get(servers: Servers, server: str) -> Open:
    large = servers.large()
    callers = []
    for org_id in large.org_ids[:: LARGE_ORGS // IN_FLIGHT][:IN_FLIGHT]:
        listed = large.server.ask(
            "POST", f"{REST_PREFIX}/actions/_search", {"query": {"limit": 1}}, org_id=org_id
        )
        action_id = listed["result"][0]["id"]
        request = http_request(
            f"{REST_PREFIX}/actions/{action_id}",
            token=large.server.token,
            verb="GET",
            headers=f"x-zitadel-orgid: {org_id}\r\n",
            body=b"",
        )
        callers.append(Reader(request, functools.partial(_is_action, action_id)))
    return http(large.server.http, callers)


def _is_action(action_id: str, answer: Any) -> bool:
    return bool(answer["action"]["id"] == action_id)


def _durable(servers: Servers, server: str) -> Open:
    large = servers.large().server
    callers = [
        TogglingHttp(large.new_action(f"large{number}"), large.token, sequence=1)
        for number in range(IN_FLIGHT)
    ]
    return http(large.http, callers)


LARGE: Final = (
    Work("large-get", f"GetAction over JSON, {_TITLE}", "large", _get),
    Work(
        "large-list",
        f"ListActions over JSON, first {PAGE}, {_TITLE}",
        "large",
        _page,
        answers_min=ANSWERS_MIN,
    ),
    Work("large-durable", f"JSON, durable (de|re)activation, {_TITLE}", "large", _durable),
)


def _beside(name: str, title: str, few: str) -> Ratio:
    return Ratio(
        name=f"{name}-cpu",
        title=f"CPU, {title} with {_TITLE} to few",
        needs=frozenset({name, few}),
        of=lambda works: works[name].cpu_us / works[few].cpu_us,
    )


RATIOS: Final = (
    _beside("large-get", "GetAction", "get"),
    _beside("large-list", "a page", "list-100"),
    _beside("large-durable", "durable JSON", "json-durable"),
)


def figures(servers: Servers, folder: Path, cores: Cores) -> Sequence[Figure]:
    """Measures once the start with a million actions, connections and methods."""
    large = servers.large()
    connection_kib = _connection_kib(folder, cores)
    registering_s = [_registering_s(number) for number in range(TIMES)]
    return [
        _once("large-ready", f"from start to ready, {_TITLE}", " s", [large.ready_s]),
        _once("large-memory", f"memory when ready, {_TITLE}", " MiB", [large.memory_mib]),
        _once(
            "connection",
            f"memory of each of {CONNECTIONS:,} idle connections",
            " KiB",
            connection_kib,
        ),
        _once("methods", f"registering {METHODS:,} methods", " s", registering_s),
    ]


def _once(name: str, title: str, unit: str, measured: Sequence[float]) -> Figure:
    return Figure(name=name, title=title, unit=unit, reached=Spread.of(measured))


def _connection_kib(folder: Path, cores: Cores) -> Sequence[float]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CONNECTIONS + _SPARE_DESCRIPTORS), hard))
    with RealServer(folder / "idle", cores=cores) as server, ExitStack() as stack:
        host, _, port = server.http.rpartition(":")
        request = http_request("/healthz", token="none", verb="GET", body=b"")
        before = 0.0
        for number in range(IN_FLIGHT + CONNECTIONS):
            if number == IN_FLIGHT:  # what the first ones need is there
                before = server.process.resident_mib()
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(request)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        return [(server.process.resident_mib() - before) * 1024 / CONNECTIONS]


def _registering_s(number: int) -> float:
    service, handlers = service_of_many_methods(f"bench{number}", METHODS)
    transcoder = Transcoder()
    started_at = time.process_time()
    transcoder.add_registered_method_handlers(service, handlers)
    return time.process_time() - started_at


def service_of_many_methods(package: str, count: int) -> tuple[str, dict[str, Any]]:
    """Adds a service to the default pool."""
    file = file_of_methods(package, count)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    handler: Any = grpc.unary_unary_rpc_method_handler(_answer)
    (service,) = file.service
    return f"{package}.Things", dict.fromkeys((method.name for method in service.method), handler)


async def _answer(request: Any, context: object) -> Any:
    return request
