"""Load over HTTP/1.1: keep-alive connections, one request in flight on each.

Reads no more of an answer than its status, length and body, so that one core drives a server that
is many times slower. Follows RFC 9112 as far as servers here use it: every answer has a
Content-Length.
"""

import asyncio
import re
from typing import Final, Protocol

from tests.bench.load import Load

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_STATUS: Final = slice(9, 12)


class HttpCaller(Protocol):
    def ask(self) -> bytes:
        """The next request, whole."""
        ...

    def accepts(self, body: bytes) -> bool:
        """Whether this is the answer to what was last asked."""
        ...


class HttpConnection(asyncio.Protocol):
    """One caller on one connection."""

    __slots__ = ("_buffer", "_caller", "_load", "_transport")

    def __init__(self, load: Load, caller: HttpCaller) -> None:
        self._load = load
        self._caller = caller
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._load.is_running:
            self._load.fail(f"connection lost: {exc}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def start(self) -> None:
        self._load.in_flight += 1
        self._write(self._caller.ask())

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        head_end = data.find(b"\r\n\r\n")
        length = _LENGTH.search(data, 0, head_end) if head_end >= 0 else None
        if length is None:
            if head_end >= 0:
                self._fail(f"an answer without Content-Length: {data[:400]!r}")
            self._buffer = data
            return
        end = head_end + 4 + int(length[1])
        if len(data) < end:
            self._buffer = data
            return
        self._buffer = b""
        load = self._load
        if (
            data[_STATUS] != b"200"
            or len(data) != end
            or not self._caller.accepts(data[head_end + 4 :])
        ):
            self._fail(f"a wrong answer: {data[:600]!r}")
            return
        load.answered += 1
        if load.is_running:
            self._write(self._caller.ask())
        else:
            self._rest()

    def _write(self, request: bytes) -> None:
        if self._transport is not None:
            self._transport.write(request)

    def _fail(self, reason: str) -> None:
        self._load.fail(reason)
        self._rest()

    def _rest(self) -> None:
        load = self._load
        load.in_flight -= 1
        if not load.in_flight:
            load.idle.set()
