"""Adapts a request that aiohttp reads, of the own listener or of an application, to `Request`."""

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http import StreamWriter

from transcoder.errors import TranscodeError, client_left, malformed
from transcoder.http.half_closed import CONTINUE
from transcoder.http.request import Request
from transcoder.http.response import (
    HeaderList,
    HeaderPairs,
    chunk,
    last_chunk,
    with_connection_close,
)
from transcoder.http.switched import Receiver, Wire

_SENT_AT_ONCE_BYTES: Final = 16 << 10
"""Bytes behind an upgrade that do not wait for more."""
_READER_WAIT_S: Final = 0.25
"""Max seconds that an answered request waits for what still reads its body."""
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER's value that makes the end of a connection a reset: on, for 0 s."""


class AiohttpRequest(Request):
    """A request whose body may still arrive, piece by piece.

    Attributes:
        begun: aiohttp's answer, if it is written in pieces; set when it begins.
        receiver: gets what follows the request, once it has left HTTP; else None.
        is_reading: True while a piece of the body is waited for.
    """

    begun: web.StreamResponse

    __slots__ = (
        "_content",
        "_is_invited",
        "_request",
        "_unread",
        "begun",
        "is_reading",
        "receiver",
        "version",
    )

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._content = request.content
        self._is_invited = False
        self._unread: asyncio.Future[None] | None = None
        self.is_reading = False
        self.method = request.method
        self.target = request.raw_path
        self.version = request.version
        self.headers = request.headers
        self.peername = request.protocol.peername
        self.call = None
        self.receiver: Receiver | None = None

    @property
    def is_known_version(self) -> bool:
        # aiohttp's parser accepts HTTP/0.9 and HTTP/2.0 too.
        return self.version.major == 1

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._request.get_extra_info("peercert")
        return found

    @property
    def has_body(self) -> bool:
        return self._request.body_exists

    @property
    def has_arrived(self) -> bool:
        return self._content.is_eof()

    @property
    def arrived_bytes(self) -> int:
        return self._content.total_bytes

    @property
    def is_read(self) -> bool:
        return self._content.at_eof()

    @property
    def is_inflated(self) -> bool:
        # aiohttp has decoded it if the application's `auto_decompress` is on.
        return self.has_body and self._content.total_compressed_bytes is not None

    def arrived(self) -> bytes:
        try:
            return self._content.read_nowait()
        except web.RequestPayloadError as exc:
            raise self._unreadable() from exc

    async def piece(self) -> bytes:
        self._invite()
        self.is_reading = True
        try:
            return await self._content.readany()
        except web.RequestPayloadError as exc:
            raise self._unreadable() from exc
        except (ConnectionError, TimeoutError) as exc:
            raise client_left() from exc
        finally:
            self.is_reading = False
            if self._unread is not None and not self._unread.done():
                self._unread.set_result(None)

    async def end_reading(self) -> None:
        """Waits until nothing reads the body; what reads too long gets an error.

        A handler whose deadline has passed reads on until its cancellation reaches it, while
        aiohttp drops the rest of the body, which has one reader at a time.
        """
        self._unread = asyncio.get_running_loop().create_future()
        await asyncio.wait((self._unread,), timeout=_READER_WAIT_S)
        if self.is_reading:
            # Of all errors, aiohttp takes this one for the end of its own patience.
            self._content.set_exception(TimeoutError("the call has ended"))

    def stop_reading(self) -> None:
        self._request.protocol.close()

    @property
    def is_begun(self) -> bool:
        return self._request.writer.output_size > 0

    async def begin(self, status: int, headers: HeaderList) -> None:
        self.begun = web.StreamResponse(status=status, headers=headers)
        await self.begun.prepare(self._request)

    async def write(self, piece: bytes) -> None:
        await self.begun.write(piece)

    async def finish(self, piece: bytes, trailers: HeaderPairs = ()) -> None:
        writer = self._request.writer
        if trailers and isinstance(writer, StreamWriter) and writer.chunked:
            await self.begun.write(piece)
            # aiohttp writes no trailers: so the last chunk is written as it is.
            writer.chunked = False
            piece = last_chunk(trailers)
        await self.begun.write_eof(piece)

    def finish_at_once(self, piece: bytes) -> None:
        writer, transport = self._request.writer, self._request.transport
        if isinstance(writer, StreamWriter) and transport is not None:
            octets = chunk(piece) + last_chunk(()) if writer.chunked else piece
            transport.write(octets)

    def cut(self) -> None:
        transport = self._request.transport
        if transport is None:
            return
        if self.version < HttpVersion11:
            # Without chunks the end of the connection is that of the body, unless it is reset.
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        else:
            transport.close()

    @property
    def may_switch(self) -> bool:
        return self.version >= HttpVersion11 and not self.has_body

    async def switch(self, headers: HeaderList, receiver: Receiver) -> Wire:
        self.begun = web.StreamResponse(status=101, headers=headers)
        self.begun.force_close()
        await self.begun.prepare(self._request)
        self.receiver = receiver
        self._request.protocol.set_parser(receiver)  # type: ignore[arg-type]  # has what it calls
        return AiohttpWire(self._request)

    def _invite(self) -> None:
        """Sends 100 Continue, once, to a client that waits for it (RFC 9110 section 10.1.1)."""
        if self._is_invited:
            return
        self._is_invited = True
        expected = self.headers.get(hdrs.EXPECT)
        transport = self._request.transport
        if (
            expected is not None
            and not self.is_begun
            and expected.lower() == "100-continue"
            and self.version >= HttpVersion11
            and transport is not None
        ):
            transport.write(CONTINUE)

    def _unreadable(self) -> TranscodeError:
        what = "it is not what its Content-Encoding says"
        if not self.is_inflated:
            what = "its chunks are malformed"
        return with_connection_close(malformed(f"request body: {what}"))


class AiohttpWire:
    """The connection of a request that has left HTTP."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._protocol = request.protocol
        self._writer = request.writer
        self._loop = asyncio.get_running_loop()
        self._unsent = bytearray()

    @property
    def is_full(self) -> bool:
        return self._protocol.writing_paused

    def write(self, octets: bytes) -> None:
        self.write_soon(octets)
        self._write_unsent()

    def write_soon(self, octets: bytes) -> None:
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        if not self._unsent:
            self._loop.call_soon(self._write_unsent)
        self._unsent += octets
        if len(self._unsent) >= _SENT_AT_ONCE_BYTES:
            self._write_unsent()

    def _write_unsent(self) -> None:
        transport, unsent = self._protocol.transport, self._unsent
        if unsent and transport is not None:
            self._unsent = bytearray()
            transport.write(unsent)

    async def drained(self) -> None:
        await self._writer.drain()

    def read_on(self, *, is_on: bool) -> None:
        if is_on:
            self._protocol.resume_reading()
        else:
            self._protocol.pause_reading()

    def close(self) -> None:
        self._write_unsent()
        if self._protocol.transport is not None:
            self._protocol.transport.close()

    def abort(self) -> None:
        if self._protocol.transport is not None:
            self._protocol.transport.abort()
