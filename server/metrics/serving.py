"""Makes the page of metrics, and serves it; the page is written in a thread."""

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


class MetricsServer:
    """Serves the metrics of a registry until `close`."""

    def __init__(self, registry: Registry, *, prepare: Prepare) -> None:
        self._registry: Final = registry
        self._prepare = prepare
        self._threads = ThreadPool("metrics", threads_max=1)
        self._page = MetricsPage(self._make, content_type=CONTENT_TYPE)

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serves on bound sockets."""
        await self._page.start(sockets)

    async def close(self) -> None:
        await self._page.close()
        self._threads.close()

    async def _make(self) -> bytes:
        await self._prepare()
        return await self._threads.run("", _page, self._registry.snapshot())


def _page(snapshot: Snapshot) -> bytes:
    return text_of((*snapshot, *process_metrics()))
