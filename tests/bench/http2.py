"""Load over gRPC: HTTP/2 connections with several unary calls in flight on each.

grpc.aio's own client needs as much CPU as the server under load, so frames are written and read
here. Follows RFC 9113 (frames), RFC 7541 (HPACK) and grpc/doc/PROTOCOL-HTTP2.md.
Rule 1: the server is told to keep no header table (SETTINGS_HEADER_TABLE_SIZE 0), so that every
header block stands for itself and `grpc-status: 0` is always the same bytes.
Rule 2: what this client does not expect of a gRPC server is a failure, never skipped.
"""

import asyncio
import struct
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from tests.bench.load import Load

_DATA: Final = 0x0
_HEADERS: Final = 0x1
_SETTINGS: Final = 0x4
_PING: Final = 0x6
_WINDOW_UPDATE: Final = 0x8
_END_STREAM: Final = 0x1
_ACK: Final = 0x1
_END_HEADERS: Final = 0x4
_PADDED: Final = 0x8

_HEAD: Final = struct.Struct(">HBBBL")  # a frame's length in 16 and 8 bits, type, flags, stream
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_WINDOW_DEFAULT: Final = 65535
_WINDOW_MAX: Final = 2**31 - 1
# The octets of `grpc-status: 0` as a literal; its name is not in HPACK's static table.
_STATUS_OK: Final = b"\x0bgrpc-status\x010"


class GrpcCaller(Protocol):
    def ask(self) -> tuple[bytes, bytes]:
        """The next call: its header block and its message, as `header_block` and `framed` give."""
        ...

    def accepts(self, message: bytes) -> bool:
        """True if this is the right answer to the last request; without gRPC's five bytes."""
        ...


def header_block(path: str, metadata: Mapping[str, str] | None = None) -> bytes:
    """The headers of a unary call, each a literal without indexing."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "bench",
        "grpc-accept-encoding": "identity",
        **(metadata or {}),
    }
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in headers.items())


def _string(text: str) -> bytes:
    octets = text.encode("ascii")
    if len(octets) < 127:
        return bytes([len(octets)]) + octets
    rest = len(octets) - 127  # RFC 7541 section 5.1, a 7-bit prefix; two octets reach 16,510
    if rest < 128:
        return bytes([127, rest]) + octets
    return bytes([127, 0x80 | rest & 0x7F, rest >> 7]) + octets


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """An HTTP/2 frame."""
    length = len(payload)
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


class GrpcConnection(asyncio.Protocol):
    """Callers who share one connection, each with one call in flight."""

    def __init__(self, load: Load, callers: Sequence[GrpcCaller]) -> None:
        self._load = load
        self._callers = callers
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._last_stream = -1
        self._window = _WINDOW_DEFAULT
        self._calls: dict[int, GrpcCaller] = {}
        self._messages: dict[int, bytes] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self._transport = transport
        # HEADER_TABLE_SIZE 0, ENABLE_PUSH 0, INITIAL_WINDOW_SIZE: as large as it may be.
        settings = struct.pack(">HLHLHL", 1, 0, 2, 0, 4, _WINDOW_MAX)
        window = struct.pack(">L", _WINDOW_MAX - _WINDOW_DEFAULT)
        transport.write(
            PREFACE + frame(_SETTINGS, 0, 0, settings) + frame(_WINDOW_UPDATE, 0, 0, window)
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if self._load.is_running:
            self._load.fail(f"connection lost: {exc}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def start(self) -> None:
        self._load.in_flight += len(self._callers)
        self._write([self._call(caller) for caller in self._callers])

    def _call(self, caller: GrpcCaller) -> bytes:
        headers, message = caller.ask()
        self._last_stream = stream = self._last_stream + 2
        self._window -= len(message)
        if self._window < 0:
            self._load.fail("the server does not widen its window")
        self._calls[stream] = caller
        return frame(_HEADERS, _END_HEADERS, stream, headers) + frame(
            _DATA, _END_STREAM, stream, message
        )

    def data_received(self, data: bytes) -> None:
        self._load.has_received = True
        if self._buffer:
            data = self._buffer + data
        position, available = 0, len(data)
        out: list[bytes] = []
        while available - position >= 9:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, position)
            end = position + 9 + (high << 8 | low)
            if end > available:
                break
            payload = data[position + 9 : end]
            position = end
            if kind == _HEADERS:
                if flags & _END_STREAM:
                    self._end(stream, flags, payload, out)
            elif kind == _DATA:
                if flags & (_END_STREAM | _PADDED):
                    self._load.fail(f"DATA with flags {flags:#x}")
                self._messages[stream] = self._messages.get(stream, b"") + payload
            else:
                self._control(kind, flags, stream, payload, out)
        self._buffer = data[position:]
        self._write(out)

    def _end(self, stream: int, flags: int, block: bytes, out: list[bytes]) -> None:
        load = self._load
        caller = self._calls.pop(stream)
        message = self._messages.pop(stream, b"")
        is_right = (
            flags == _END_STREAM | _END_HEADERS
            and _STATUS_OK in block
            and message[:1] == b"\0"
            and int.from_bytes(message[1:5]) == len(message) - 5
            and caller.accepts(message[5:])
        )
        if is_right:
            load.answered += 1
            if load.is_running:
                out.append(self._call(caller))
                return
        else:
            load.fail(f"a wrong answer: {message[:200]!r}, trailers {block[:400]!r}")
        load.in_flight -= 1
        if not load.in_flight:
            load.idle.set()

    def _control(
        self, kind: int, flags: int, stream: int, payload: bytes, out: list[bytes]
    ) -> None:
        if kind == _WINDOW_UPDATE:
            if stream == 0:  # a call's own window outlasts its one message
                self._window += int.from_bytes(payload)
        elif kind in (_SETTINGS, _PING):
            if not flags & _ACK:
                out.append(frame(kind, _ACK, 0, payload if kind == _PING else b""))
        else:
            self._load.fail(f"frame of type {kind:#x}: {payload[:200]!r}")

    def _write(self, frames: Sequence[bytes]) -> None:
        if frames and self._transport is not None:
            self._transport.write(b"".join(frames))
