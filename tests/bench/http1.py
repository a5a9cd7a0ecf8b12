"""Load over HTTP/1.1: keep-alive connections, one request in flight on each.

Reads no more of an answer than its status, length and body, so that one core drives a server that
is many times slower. Follows RFC 9112 as far as servers here use it: every answer has a
Content-Length, or is chunked without trailer fields.
"""

import asyncio
import re
import time
from typing import Final, Protocol

from tests.bench.load import Load

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_CHUNK_HEAD: Final = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_CHUNK_HEAD_BYTES: Final = 10
_STATUS: Final = slice(9, 12)


class HttpCaller(Protocol):
    def ask(self) -> bytes:
        """The next request, whole."""
        ...

    def accepts(self, body: bytes) -> bool:
        """True if this is the right answer to the last request."""
        ...


class Chunks:
    """A chunked body, fed as it comes (RFC 9112 section 7.1)."""

    __slots__ = ("_chunks", "_rest")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._rest = b""

    def feed(self, data: bytes) -> bytes | None:
        """The whole body, once it is over.

        Raises:
            ValueError: it is not chunked as it must be, or goes on after its end.
        """
        if self._rest:
            data = self._rest + data
        position, available = 0, len(data)
        while head := _CHUNK_HEAD.match(data, position):
            size = int(head[1], 16)
            begin = head.end()
            end = begin + size + 2
            if end > available:
                break
            if data[end - 2 : end] != b"\r\n":
                raise ValueError(f"a chunk of {size} bytes that goes on: {data[position:end]!r}")
            position = end
            if not size:
                if end < available:
                    raise ValueError(f"more after the last chunk: {data[end:]!r}")
                return b"".join(self._chunks)
            self._chunks.append(data[begin : end - 2])
        self._rest = data[position:]
        if head is None and len(self._rest) >= _CHUNK_HEAD_BYTES:
            raise ValueError(f"no chunk's size: {self._rest[:40]!r}")
        return None


class HttpConnection(asyncio.Protocol):
    """One caller on one connection."""

    __slots__ = ("_buffer", "_caller", "_chunks", "_load", "_transport")

    def __init__(self, load: Load, caller: HttpCaller) -> None:
        self._load = load
        self._caller = caller
        self._buffer = b""
        self._chunks: Chunks | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._load.in_flight:
            self._fail(f"connection lost: {exc}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def start(self) -> None:
        self._load.in_flight += 1
        self._write(self._caller.ask())

    def data_received(self, data: bytes) -> None:
        self._load.has_received = True
        if self._chunks is not None:
            self._chunk_received(data)
            return
        if self._buffer:
            data = self._buffer + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            self._buffer = data
            return
        begin = head_end + 4
        if data[_STATUS] != b"200":
            self._fail(f"a wrong answer: {data[:600]!r}")
            return
        length = _LENGTH.search(data, 0, head_end)
        if length is None:
            if not _CHUNKED.search(data, 0, begin):
                self._fail(f"an answer without Content-Length: {data[:400]!r}")
                return
            self._buffer = b""
            self._chunks = Chunks()
            self._chunk_received(data[begin:])
            return
        end = begin + int(length[1])
        if len(data) < end:
            self._buffer = data
            return
        self._buffer = b""
        self._answered(data[begin:])  # what is more than its length is wrong as a body

    def _chunk_received(self, data: bytes) -> None:
        assert self._chunks is not None
        try:
            body = self._chunks.feed(data)
        except ValueError as error:
            self._fail(str(error)[:600])
            return
        if body is not None:
            self._chunks = None
            self._answered(body)

    def _answered(self, body: bytes) -> None:
        load = self._load
        if not self._caller.accepts(body):
            self._fail(f"a wrong answer: {body[:300]!r} ... {body[-300:]!r}")
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


class Timed(HttpConnection):
    """Keeps what each call took."""

    __slots__ = ("_asked_at",)

    def _write(self, request: bytes) -> None:
        self._asked_at = time.perf_counter()
        super()._write(request)

    def _answered(self, body: bytes) -> None:
        self._load.took_s.append(time.perf_counter() - self._asked_at)
        super()._answered(body)
