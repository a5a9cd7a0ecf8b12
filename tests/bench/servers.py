"""The servers that are measured, each started when it is first asked for."""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import peer
from tests.bench.report import JSON
from tests.processes import Cores, Process
from tests.real_server import RealServer


@dataclass(frozen=True, slots=True)
class Target:
    """A server that answers; an address is empty where it has no such door.

    Attributes:
        processes: all that have a part in an answer.
    """

    processes: tuple[Process, ...]
    http: str
    grpc: str = ""
    token: str = "none"

    def cpu_seconds(self) -> float:
        return sum(process.cpu_seconds() for process in self.processes)


class Servers:
    """All on the same core: whoever is not measured is idle."""

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
            return Target((real.process,), real.http, real.grpc, real.token)
        if name not in self._targets:
            if name == "envoy-web":
                target = self._behind_envoy(name, peer.GRPC_WEB)
            elif name == "envoy-json":
                target = self._behind_envoy(name, peer.json_transcoder())
            else:
                target = self._start(name)
            self._targets[name] = target
        return self._targets[name]

    def _behind_envoy(self, name: str, door: JSON) -> Target:
        native = self.target("native")
        folder = self._folder / name
        folder.mkdir()
        process, address = peer.start(
            door, native.grpc, folder=folder, cores=self._cores, stack=self._stack
        )
        return Target((process, *native.processes), address)

    def _start(self, name: str) -> Target:
        log = self._folder / f"{name}.log"
        with log.open("wb") as errors:
            arguments = ["-m", "tests.bench.serve", name, str(self._folder / name)]
            process = Process(arguments, cores=self._cores, errors=errors)
        self._stack.enter_context(process)
        line = process.line()
        if not line:
            raise RuntimeError(f"server {name} did not start: {log.read_text(encoding='utf-8')}")
        given: dict[str, str] = json.loads(line)
        return Target(
            (process,), given.get("http", ""), given.get("grpc", ""), given.get("token", "none")
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
