"""Clients of the gRPC port that hold calls: their message never comes, or no answer is taken.

Knows HTTP/2 frames (RFC 9113), and nothing of what is called. A call that is ended is followed by
the next one a moment later, and so is a connection.
"""

import asyncio
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import grpc

from tests.bench.http2 import PREFACE, frame, header_block
from tests.support.grpc_frames import framed
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import ManagementServiceStub

HEALTHZ: Final = "/zitadel.management.v1.ManagementService/Healthz"
WATCH: Final = "/grpc.health.v1.Health/Watch"
REFLECT: Final = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
GOOD_EVERY_S: Final = 0.02
AGAIN_S: Final = 1.0
HELD_S: Final = 10.0
CALL_S: Final = 10.0

_HEADERS, _RST, _SETTINGS, _PING, _CONTINUATION = 0x1, 0x3, 0x4, 0x6, 0x9
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1
_REFUSED_STREAM: Final = 7

Hold = Literal["message", "answer"]
"""The part that the client holds back: the message of a call, or the window for its answer."""


class Holder(asyncio.Protocol):
    """A connection with calls that it holds.

    Attributes:
        ended: calls that the server ended.
        held: set when the server has read all calls, or is gone.
        closed: set when the connection is lost.
    """

    def __init__(self, path: str, hold: Hold, *, calls: int) -> None:
        self.ended = 0
        self.held = asyncio.Event()
        self.closed = asyncio.Event()
        self._headers = header_block(path)
        self._hold = hold
        self._calls = calls
        self._stream = -1
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        self._transport = transport
        window = 0 if self._hold == "answer" else 65535
        settings = frame(_SETTINGS, 0, 0, struct.pack(">HLHLHL", 1, 0, 2, 0, 4, window))
        calls = b"".join(self._call() for _ in range(self._calls))
        transport.write(PREFACE + settings + calls + frame(_PING, 0, 0, bytes(8)))

    def connection_lost(self, exc: Exception | None) -> None:
        self.held.set()
        self.closed.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        out = b""
        while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3])):
            out += self._control(data[3], data[4], data[9:end])
            data = data[end:]
        self._buffer = data
        if out and self._transport is not None:
            self._transport.write(out)

    def _control(self, kind: int, flags: int, payload: bytes) -> bytes:
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            return frame(kind, _ACK, 0, payload if kind == _PING else b"")
        if kind == _PING:
            self.held.set()
        is_refused = kind == _RST and int.from_bytes(payload) == _REFUSED_STREAM
        if is_refused or (kind == _HEADERS and flags & _END_STREAM):
            self.ended += 1
            asyncio.get_running_loop().call_later(AGAIN_S, self._call_again)
        return b""

    def _call_again(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._call())

    def _call(self) -> bytes:
        self._stream += 2
        headers = frame(_HEADERS, _END_HEADERS, self._stream, self._headers)
        if self._hold == "message":
            return headers
        return headers + frame(0, _END_STREAM, self._stream, framed(b""))


@dataclass(slots=True)
class Seen:
    """The outcome of an attack.

    Attributes:
        good_s: of each call of the good caller over gRPC.
        healthz_s: of each /healthz over HTTP.
        refused: codes that the good caller got instead of an answer.
        ended: calls of the attackers that were ended.
        cut: connections of the attackers that were ended.
    """

    good_s: list[float] = field(default_factory=list)
    healthz_s: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    ended: int = 0
    cut: int = 0


async def hold(address: str, path: str, what: Hold, *, calls: int = 100) -> Holder:
    loop = asyncio.get_running_loop()
    made = Holder(path, what, calls=calls)
    host, _, port = address.rpartition(":")
    if host == "unix":
        _, holder = await loop.create_unix_connection(lambda: made, port)
    else:
        _, holder = await loop.create_connection(lambda: made, host, int(port))
    try:
        async with asyncio.timeout(HELD_S):
            await holder.held.wait()
    except BaseException:
        holder.close()
        raise
    return holder


async def keep_holding(address: str, path: str, what: Hold, seen: Seen) -> None:
    """Holds calls on one connection after the other, until cancelled."""
    while True:
        holder = await hold(address, path, what)
        try:
            await holder.closed.wait()
            seen.cut += 1
            await asyncio.sleep(AGAIN_S)
        finally:
            seen.ended += holder.ended
            holder.close()


async def call_well(address: str, token: str, seen: Seen) -> None:
    """Asks for actions again and again, on a connection for each call, until cancelled."""
    alone = [("grpc.use_local_subchannel_pool", 1)]
    while True:
        async with grpc.aio.insecure_channel(address, options=alone) as channel:
            await call_well_once(channel, token, seen)
        await asyncio.sleep(GOOD_EVERY_S)


async def call_well_once(channel: grpc.aio.Channel, token: str, seen: Seen) -> None:
    stub: Any = ManagementServiceStub(channel)
    metadata = (("authorization", f"Bearer {token}"),)
    began_at = time.perf_counter()
    try:
        await stub.ListActions(pb.ListActionsRequest(), metadata=metadata, timeout=CALL_S)
        seen.good_s.append(time.perf_counter() - began_at)
    except grpc.aio.AioRpcError as error:
        seen.refused.append(f"{error.code().name}: {error.details()}")


async def continue_headers(address: str, *, connections: int, frames: int, size: int) -> None:
    """Sends headers that go on and on, on connections of their own, and closes these."""
    host, _, port = address.rpartition(":")
    writers = []
    for _ in range(connections):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(PREFACE + frame(_SETTINGS, 0, 0, b"") + frame(_HEADERS, 0, 1, b""))
        writers.append(writer)
    # A literal without indexing (RFC 7541 section 6.2.2) of a name of one octet and a value.
    more = frame(_CONTINUATION, 0, 1, b"\0\x01a" + b"\x64" + b"a" * 100) * (size // 104)
    for _ in range(frames):
        for writer in writers:
            if not writer.is_closing():
                writer.write(more)
        await asyncio.gather(*(writer.drain() for writer in writers), return_exceptions=True)
    for writer in writers:
        writer.close()
