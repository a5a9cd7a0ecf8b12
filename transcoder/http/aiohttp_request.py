"""Adapts a request that aiohttp reads, of the own listener or of an application, to `Request`."""

from collections.abc import Mapping
from typing import Any

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http import StreamWriter

from transcoder.errors import TranscodeError, client_left, malformed
from transcoder.http.half_closed import CONTINUE
from transcoder.http.request import Request
from transcoder.http.response import HeaderList, HeaderPairs, last_chunk, with_connection_close


class AiohttpRequest(Request):
    """A request whose body may still arrive, piece by piece.

    Attributes:
        begun: aiohttp's answer, if it is written in pieces; set when it begins.
    """

    begun: web.StreamResponse

    __slots__ = ("_content", "_is_invited", "_request", "begun", "version")

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._content = request.content
        self._is_invited = False
        self.method = request.method
        self.target = request.raw_path
        self.version = request.version
        self.headers = request.headers
        self.peername = request.protocol.peername
        self.call = None

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
        return self._content.total_compressed_bytes is not None

    def arrived(self) -> bytes:
        try:
            return self._content.read_nowait()
        except web.RequestPayloadError as exc:
            raise self._unreadable() from exc

    async def piece(self) -> bytes:
        self._invite()
        try:
            return await self._content.readany()
        except web.RequestPayloadError as exc:
            raise self._unreadable() from exc
        except ConnectionError as exc:
            raise client_left() from exc

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

    def cut(self) -> None:
        transport = self._request.transport
        if transport is not None:
            transport.close()

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
