"""Measures a stream over WebSocket against bare aiohttp that sends the same messages.

A connection is one call, so each stream has one of its own. Follows RFC 6455 as far as servers here
use it: the bytes behind the head of the answer are known.
"""

import asyncio
import functools
from collections.abc import Sequence
from typing import Final

from tests.bench.callers import STREAM_MESSAGES, STREAM_NAME, STREAM_PAYLOAD_BYTES
from tests.bench.load import Connection, Load
from tests.bench.ratios import cpu
from tests.bench.servers import Servers
from tests.bench.streams import ASKED, pieces
from tests.bench.work import Open, Work
from tests.support.grpcweb_fixture import REPEAT
from tests.support.websocket_by_hand import CLOSE, KEY, TEXT, masked, text

BARE_PATH: Final = "/sockets/"
_FIRST: Final = b'{"headers":{"x-first":["1"],"x-first-bin":["AP8"]}}'
_LAST: Final = b'{"status":{"code":0},"trailers":{"x-name":["plain"],"x-name-bin":["Z3LDtsOfZXI"]}}'
_END_OF_HEAD: Final = b"\r\n\r\n"


@functools.cache
def messages() -> Sequence[str]:
    """Returns all texts that a stream sends."""
    results = [line.decode().rstrip() for line in pieces("lines")]
    return [_FIRST.decode(), *results, _LAST.decode()]


@functools.cache
def _answer() -> bytes:
    """Returns all that comes behind the handshake: frames without masks."""
    frames = [masked(TEXT, message.encode(), mask=None) for message in messages()]
    return b"".join([*frames, masked(CLOSE, b"\x03\xe8OK", mask=None)])


class SocketCaller(asyncio.Protocol):
    """Makes one call after another, each on a connection of its own."""

    def __init__(self, load: Load, address: str, path: str, token: str) -> None:
        self._load = load
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\n\r\n"
        )
        asked = {"name": STREAM_NAME, "count": STREAM_MESSAGES, "size": STREAM_PAYLOAD_BYTES}
        self._request = head.encode() + text(asked)
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[object] | None = None

    def start(self) -> None:
        self._load.in_flight += 1
        self._open()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _open(self) -> None:
        self._received.clear()
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(
            loop.create_connection(lambda: self, self._host, self._port)
        )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self._transport = transport
        transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._end(f"connection lost: {exc}")

    def data_received(self, data: bytes) -> None:
        self._load.has_received = True
        self._received += data
        expected = _answer()
        if len(self._received) < len(expected):
            return
        head, _, body = bytes(self._received).partition(_END_OF_HEAD)
        if not head.startswith(b"HTTP/1.1 101 "):
            self._end(f"a wrong answer: {head[:300]!r}")
        elif len(body) >= len(expected):
            self._answered(is_right=body == expected)

    def _answered(self, *, is_right: bool) -> None:
        transport, self._transport = self._transport, None
        assert transport is not None
        transport.write(masked(CLOSE, b"\x03\xe8"))
        transport.close()
        if not is_right:
            self._end(f"wrong messages: ... {bytes(self._received[-300:])!r}")
            return
        self._load.answered += 1
        if self._load.is_running:
            self._open()
        else:
            self._end()

    def _end(self, failure: str = "") -> None:
        if failure:
            self._load.fail(failure)
        self._transport = None
        self._load.in_flight -= 1
        if not self._load.in_flight:
            self._load.idle.set()


def _sockets(servers: Servers, name: str, *, path: str) -> Open:
    target = servers.target(name)

    async def open_connections(load: Load) -> Sequence[Connection]:
        return [SocketCaller(load, target.http, path, target.token)]

    return open_connections


SOCKETS: Final = (
    Work(
        "websocket",
        "WebSocket, a stream as JSON, all interceptors (each message)",
        "constant",
        functools.partial(_sockets, path=REPEAT),
        STREAM_MESSAGES,
    ),
    Work(
        "websocket-bare",
        "... bare aiohttp, the same messages (each message)",
        "bare",
        functools.partial(_sockets, path=BARE_PATH),
        STREAM_MESSAGES,
    ),
)

RATIOS: Final = (
    cpu(
        "websocket",
        "CPU, a stream over WebSocket to bare",
        "websocket",
        "websocket-bare",
        asked=ASKED,
    ),
)
