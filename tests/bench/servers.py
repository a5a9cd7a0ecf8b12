"""The servers that are measured, each started when it is first asked for."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.bench import go_gateway, peer
from tests.proto import echo_pb2
from tests.support.envoy import JSON, start_envoy
from tests.support.postgresql import PostgresServer
from tests.support.processes import Cores, Process, cpu_seconds_of, pinned
from tests.support.real_server import RealServer
from zitadel import management_pb2

WORKERS: Final = 2
SIZES: Final = (100, 100_000)
SEED_S: Final = 10.0
LARGE_ORG: Final = 100
LARGE_ORGS: Final = 10_000
LARGE_SEED_S: Final = 60.0
"""To close, once its ids are printed."""

FRONT: Final = "-front"
"""At the end of a proxy's name: the same proxy, of which its own process alone is counted."""

SCRIPTS_READY: Final = "script workers are ready"
READY_MAX_S: Final = 10.0
_SERVICES: Final = ("real", "postgres", "workers", "metrics", "scripts")


@dataclass(frozen=True, slots=True)
class Target:
    """A server that answers; an address is empty where it does not listen.

    Attributes:
        pids: of all processes that have a part in an answer, a proxy's before its server's.
    """

    pids: tuple[int, ...]
    http: str
    grpc: str = ""
    token: str = "none"

    def cpu_seconds(self) -> float:
        return sum(map(cpu_seconds_of, self.pids))


@dataclass(frozen=True, slots=True)
class Filled:
    """The service with actions in it.

    Attributes:
        orgs: ids of organisations, by how many actions each has.
    """

    server: RealServer
    orgs: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Large:
    """The service with many organisations in it.

    Attributes:
        ready_s: from its start to its first 200 of /readyz.
        memory_mib: what it held then, with its processes for scripts.
    """

    server: RealServer
    org_ids: Sequence[str]
    ready_s: float
    memory_mib: float


class Servers:
    """All but one on the same core: whoever is not measured is idle."""

    def __init__(
        self,
        folder: Path,
        cores: Cores,
        stack: ExitStack,
        *,
        all_cores: Cores,
        cores_of_workers: Cores,
    ) -> None:
        """Start nothing yet.

        Args:
            folder: for their data and their logs.
            cores: where they stay.
            stack: ends them.
            all_cores: where the one stays that runs scripts.
            cores_of_workers: where several workers of one service stay.
        """
        self._folder = folder
        self._cores = cores
        self.all_cores = all_cores
        self._cores_of_workers = cores_of_workers
        self._stack = stack
        self._targets: dict[str, Target] = {}
        self._services: dict[str, RealServer] = {}
        self._filled: Filled | None = None
        self._large: Large | None = None

    def service(self, name: str) -> RealServer:
        """Returns the service itself, without its access log; `name` says how it is started."""
        if name not in self._services:
            self._services[name] = self._stack.enter_context(self._serve(name))
        return self._services[name]

    def _serve(self, name: str) -> RealServer:
        options: tuple[str, ...] = ("--no-access-log",)
        cores, database = self._cores, ""
        match name:
            case "postgres":
                database = self._new_postgres()
            case "workers":
                database = self._new_postgres()
                options += ("--workers", str(WORKERS))
                cores = self._cores_of_workers
            case "metrics":
                options += ("--metrics-listen", "127.0.0.1:0")
            case "scripts":
                cores = self.all_cores
        return RealServer(self._folder / name, *options, cores=cores, database=database)

    def _new_postgres(self) -> str:
        """Starts a PostgreSQL, which keeps what it acknowledged, on every core; returns its URL."""
        with pinned(self.all_cores | self._cores_of_workers):
            return self._stack.enter_context(PostgresServer(is_durable=True)).url()

    def filled(self) -> "Filled":
        """Starts the same server, with an organisation of each of `SIZES`."""
        if self._filled is None:
            data = self._folder / "filled"
            org_ids = self._seeded(data, *map(str, SIZES), within_s=SEED_S)
            server = RealServer(data, "--no-access-log", cores=self._cores)
            orgs = dict(zip(SIZES, org_ids, strict=True))
            self._filled = Filled(self._stack.enter_context(server), orgs)
        return self._filled

    def large(self) -> "Large":
        """The same, with `LARGE_ORGS` organisations of `LARGE_ORG` actions each."""
        if self._large is None:
            data = self._folder / "large"
            org_ids = self._seeded(data, f"{LARGE_ORG}x{LARGE_ORGS}", within_s=LARGE_SEED_S)
            started_at = time.monotonic()
            server = RealServer(data, "--no-access-log", cores=self._cores)
            self._stack.enter_context(server)
            ready_s = _until_ready(server, started_at)
            self._large = Large(server, org_ids, ready_s, server.process.memory_mib())
        return self._large

    def _seeded(self, data: Path, *sizes: str, within_s: float) -> Sequence[str]:
        with Process(["-m", "tests.bench.seed", str(data), *sizes], cores=self._cores) as process:
            org_ids: list[str] = json.loads(process.line())
            process.wait(within_s)
        return org_ids

    def target(self, name: str) -> Target:
        if name in (*_SERVICES, "filled", "large"):
            real = self._serving(name)
            pids: tuple[int, ...] = (real.process.pid,)
            if name == "workers":
                pids += tuple(real.process.children())
            return Target(pids, real.http, real.grpc, real.token)
        if name not in self._targets:
            self._targets[name] = self._started(name)
        return self._targets[name]

    def _started(self, name: str) -> Target:
        if name.endswith(FRONT):
            proxy = self.target(name.removesuffix(FRONT))
            return replace(proxy, pids=proxy.pids[:1])
        methods = peer.json_transcoder(management_pb2.DESCRIPTOR)
        match name:
            case "envoy-web":
                return self._behind_envoy(name, peer.GRPC_WEB, self.target("native"))
            case "envoy-web-go":
                return self._behind_envoy(name, peer.GRPC_WEB, self.target("go"))
            case "envoy-json":
                return self._behind_envoy(name, methods, self.target("native"))
            case "envoy-json-go":
                return self._behind_envoy(name, methods, self.target("go"))
            case "envoy-json-stream":
                streams = peer.json_transcoder(echo_pb2.DESCRIPTOR)
                return self._behind_envoy(name, streams, self.target("native"))
            case "proxy":
                upstream = self.target("go")
                proxy = self._start(name, upstream.grpc)
                return Target((*proxy.pids, *upstream.pids), proxy.http)
            case "go":
                return self._in_go("grpc")
            case "gateway":
                return self._in_go("inprocess")
            case "gateway-go":
                upstream = self.target("go")
                gateway = self._in_go("proxy", upstream.grpc)
                return Target((*gateway.pids, *upstream.pids), gateway.http)
        return self._start(name)

    def _serving(self, name: str) -> RealServer:
        match name:
            case "filled":
                return self.filled().server
            case "large":
                return self.large().server
        return self.service(name)

    def _behind_envoy(self, name: str, http_filter: JSON, upstream: Target) -> Target:
        folder = self._folder / name
        folder.mkdir()
        process, address = start_envoy(
            upstream.grpc,
            folder=folder,
            stack=self._stack,
            filters=(http_filter,),
            is_http2=True,
            cores=self._cores,
        )
        return Target((process.pid, *upstream.pids), address)

    def _in_go(self, *arguments: str) -> Target:
        process = Process(arguments, program=str(go_gateway.build()), cores=self._cores)
        self._stack.enter_context(process)
        given: dict[str, str] = json.loads(process.line())
        return Target((process.pid,), given.get("http", ""), given.get("grpc", ""))

    def _start(self, name: str, *given: str) -> Target:
        log = self._folder / f"{name}.log"
        with log.open("wb") as errors:
            arguments = ["-m", "tests.bench.serve", name, str(self._folder / name), *given]
            process = Process(arguments, cores=self._cores, errors=errors)
        self._stack.enter_context(process)
        line = process.line()
        if not line:
            raise RuntimeError(f"server {name} did not start: {log.read_text(encoding='utf-8')}")
        told: dict[str, str] = json.loads(line)
        return Target(
            (process.pid,), told.get("http", ""), told.get("grpc", ""), told.get("token", "none")
        )


def start_up(data: Path, cores: Cores) -> tuple[float, float]:
    """Start the service on an empty data folder.

    Returns:
        Seconds until /readyz says so, and the MiB that it holds once it has the processes, too,
        that wait for scripts.
    """
    started_at = time.monotonic()
    with RealServer(data, cores=cores) as server:
        return _until_ready(server, started_at), server.process.memory_mib()


def _until_ready(server: RealServer, started_at: float) -> float:
    """Wait for its processes for scripts, too; returns the seconds until /readyz said so."""
    server.ask("GET", "/readyz")
    taken_s = time.monotonic() - started_at
    while SCRIPTS_READY not in server.log():
        if time.monotonic() - started_at > READY_MAX_S:
            raise RuntimeError(f"no process for scripts: {server.log()}")
        time.sleep(0.01)
    return taken_s
