"""Names what is measured at the moment when the page of metrics is made.

Rule: nothing is counted here; each part of the service knows its own figures.
"""

import platform
from collections.abc import Callable
from dataclasses import dataclass

from server.commands.queue import CommandQueue
from server.line_writer import LineWriter
from server.metrics.service import ServiceMetrics
from server.rpc.grpc_server import GrpcServer
from server.runs.log import RunLog
from server.scripts.host.executor import Executor
from server.store.engine import Store
from server.threads import ThreadPool, TooManyWaiting
from server.version import installed_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Holds the parts of the service that have figures.

    Attributes:
        http_connections: returns how many connections are open at the address of HTTP, those piped
            to gRPC included.
        piped_connections: returns how many of these are.
        log: writes the log; None if something else does.
    """

    queue: CommandQueue
    store: Store
    executor: Executor
    runs: RunLog
    work: ThreadPool
    grpc_server: GrpcServer
    http_connections: Callable[[], int]
    piped_connections: Callable[[], int]
    log: LineWriter | None


class Connections:
    """Knows how many connections are open; those of grpc only since the last `look`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._grpc = 0

    async def look(self) -> None:
        """Counts the connections of grpc; keeps the last number if the system does not tell."""
        try:
            self._grpc = await self._parts.grpc_server.connections_count()
        except (OSError, TooManyWaiting):
            return

    def http(self) -> int:
        return self._parts.http_connections() - self._parts.piped_connections()

    def grpc(self) -> int:
        return self._grpc


def measure(metrics: ServiceMetrics, parts: Parts) -> Connections:
    """Adds what is read from the parts; `look` at the connections before each snapshot."""
    connections = Connections(parts)
    queue, store, executor, runs, log = (
        parts.queue,
        parts.store,
        parts.executor,
        parts.runs,
        parts.log,
    )
    metrics.built(installed_version() or "not installed", platform.python_version())
    metrics.reads_by(
        "actions_connections",
        "Open connections, by what is spoken.",
        "protocol",
        {"http": connections.http, "grpc": connections.grpc},
    )
    metrics.reads(
        "actions_commands_waiting", "Commands that wait for a batch.", lambda: queue.waiting_count
    )
    metrics.reads_by(
        "actions_work_waiting",
        "Calls that wait for a thread or a connection: reads of the store, large messages.",
        "pool",
        {"reads": lambda: store.reads_waiting, "messages": lambda: parts.work.waiting_count},
    )
    metrics.reads(
        "actions_script_runs_waiting",
        "Runs that wait for a worker process.",
        lambda: executor.waiting_count,
    )
    metrics.reads(
        "actions_script_workers", "Worker processes of scripts.", lambda: len(executor.pids())
    )
    metrics.counts(
        "actions_script_worker_exits",
        "Worker processes that were killed or exited by themselves.",
        lambda: executor.kills,
    )
    metrics.counts(
        "actions_runs_not_logged", "Runs that the log of runs has not got.", lambda: runs.dropped
    )
    metrics.counts(
        "actions_log_lines_dropped",
        "Lines of the server's log that were not written.",
        lambda: 0 if log is None else log.lost_count,
    )
    return connections
