"""Serves one page over HTTP/1.1, on sockets of its own: GET /metrics.

Follows RFC 9112 as far as one request a connection needs. Prometheus and curl ask no more.

Rule: a client holds a connection for a bounded time, and there are few connections: so nobody
delays what the service is there for.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import structlog

PATH: Final = "/metrics"

CONNECTIONS_MAX: Final = 16
"""Max open connections; more are closed at once."""

TIMEOUT_S: Final = 10.0
"""Max seconds of a connection, from its first byte to its last."""

HEAD_MAX_BYTES: Final = 16 << 10
"""Max bytes of a request's head; a longer one is 431."""

_REQUEST_LINE: Final = re.compile(
    rb"([A-Z]{1,20}) (?:http://[^/ ]*)?([^ ?]*)(?:\?[^ ]*)? HTTP/1\.[01]"
)

log = structlog.get_logger()

MakePage: TypeAlias = Callable[[], Awaitable[bytes]]


class MetricsPage:
    """Listens on sockets from `start` to `close`."""

    def __init__(self, make: MakePage, *, content_type: str, timeout_s: float = TIMEOUT_S) -> None:
        """Serves the page that `make` returns, anew for each request."""
        self._make = make
        self._content_type = content_type
        self._timeout_s = timeout_s
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accepts connections on bound sockets."""
        for bound in sockets:
            server = await asyncio.start_server(self._accept, sock=bound, limit=HEAD_MAX_BYTES)
            self._servers.append(server)

    async def close(self) -> None:
        """Ends all connections."""
        for server in self._servers:
            server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                writer.write(await self._answer(reader))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return  # the client has left, or is too slow
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return self._response("431 Request Header Fields Too Large", b"")
        line = _REQUEST_LINE.fullmatch(head.partition(b"\r\n")[0])
        if line is None:
            return self._response("400 Bad Request", b"expected a request of HTTP/1.1\n")
        method, path = line.groups()
        if path != PATH.encode():
            return self._response("404 Not Found", f"metrics are at {PATH}\n".encode())
        if method not in {b"GET", b"HEAD"}:
            return self._response("405 Method Not Allowed", b"", "Allow: GET, HEAD")
        try:
            page = await self._make()
        except Exception:  # nobody awaits the task, so the error would be lost
            log.exception("the page of metrics cannot be made")
            return self._response("500 Internal Server Error", b"see the log of the service\n")
        response = self._response("200 OK", page, f"Content-Type: {self._content_type}")
        return response[: -len(page)] if method == b"HEAD" else response

    def _response(self, status: str, body: bytes, *headers: str) -> bytes:
        head = (
            f"HTTP/1.1 {status}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
            *headers,
        )
        return "\r\n".join((*head, "", "")).encode() + body
