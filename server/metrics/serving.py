"""Collects the metrics of this process, and serves a page of what is collected.

Rule: files are read and the page is written in a thread.
"""

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from server.metrics.exposition import CONTENT_TYPE, process_metrics, text_of
from server.metrics.instruments import Registry
from server.metrics.page import MetricsPage
from server.metrics.snapshot import Snapshot
from server.threads import ThreadPool

Prepare: TypeAlias = Callable[[], Awaitable[None]]
"""Reads what a snapshot needs and what takes time to read."""

Collect: TypeAlias = Callable[[], Awaitable[Snapshot]]


class ProcessFigures:
    """Collects the metrics of a registry and of this process."""

    def __init__(self, registry: Registry, *, prepare: Prepare, threads: ThreadPool) -> None:
        self._registry: Final = registry
        self._prepare = prepare
        self._threads = threads

    async def collect(self) -> Snapshot:
        await self._prepare()
        snapshot = self._registry.snapshot()
        return (*snapshot, *await self._threads.run("", process_metrics))


class MetricsServer:
    """Serves what is collected, until `close`."""

    def __init__(self, collect: Collect, *, threads: ThreadPool) -> None:
        self._collect = collect
        self._threads = threads
        self._page = MetricsPage(self._make, content_type=CONTENT_TYPE)

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serves on bound sockets."""
        await self._page.start(sockets)

    async def close(self) -> None:
        await self._page.close()

    async def _make(self) -> bytes:
        return await self._threads.run("", text_of, await self._collect())
