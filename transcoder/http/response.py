"""Writes HTTP answers: compressed if large, in one piece if small.

`aiohttp.web.Response` spends a third of a short request on choices that a JSON answer does not
have: compression, chunking, cookies, payload objects. This one knows its body, so headers and body
leave in one write. Bodies that should wait for a slow reader are left to `web.Response`.

Follows RFC 9112 (status line, Connection, Content-Length) and RFC 9110 sections 9.3.2 (HEAD) and
12.5.5 (Vary).
"""

from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDictProxy

from transcoder.http.encodings import DEFLATE_AT_ONCE_BYTES, IDENTITY, deflate, preferred
from transcoder.http.offload import Offload

ONE_PIECE_MAX_BYTES: Final = 64 << 10
"""Above this a write may fill the socket's buffer, and the reader's pace counts."""

NO_CONTENT: Final = frozenset({204, 205, 304})
"""Statuses without a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5)."""
_NO_LENGTH: Final = frozenset({204, 304})
"""Statuses without Content-Length too: that of a 304 is of the body it stands for (8.6)."""

CLOSE: Final = ("Connection", "close")

HeaderList = list[tuple[str, str]]

_STATUS_LINE: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
} | {499: "HTTP/1.1 499 Client Closed Request\r\n"}


async def compressed(
    body: bytes, headers: CIMultiDictProxy[str], out: HeaderList, offload: Offload
) -> bytes:
    """Returns a large body in the coding that its client prefers.

    Args:
        body: the body, as it is.
        headers: the request's.
        out: the answer's; what has to be said about the body is added.
        offload: compresses what is not small.
    """
    out.append(("Vary", "Accept-Encoding"))
    coding = preferred(headers.getall("Accept-Encoding", ()))
    if coding == IDENTITY:
        return body
    if len(body) <= DEFLATE_AT_ONCE_BYTES:
        smaller = deflate(body, coding)
    else:
        smaller = await offload.answer(deflate, body, coding)
    if len(smaller) >= len(body):
        return body
    out.append(("Content-Encoding", coding))
    return smaller


class Responses:
    """Makes answers, all with the same headers besides their own, which are written once."""

    def __init__(self, always: HeaderList) -> None:
        self._always = always
        self._always_text = "".join(f"{name}: {value}\r\n" for name, value in always)

    def one_piece(self, status: int, headers: HeaderList, body: bytes) -> web.StreamResponse:
        """Makes an answer for our own listener."""
        if len(body) > ONE_PIECE_MAX_BYTES:
            return self.buffered(status, headers, body)
        return OnePiece(status, headers, body, self._always_text)

    def buffered(self, status: int, headers: HeaderList, body: bytes) -> web.StreamResponse:
        """Makes an answer for an application with signals and middlewares of its own."""
        return web.Response(status=status, headers=[*headers, *self._always], body=body)

    def begun(self, status: int, headers: HeaderList) -> web.StreamResponse:
        """Makes an answer whose body is written as it comes."""
        return web.StreamResponse(status=status, headers=[*headers, *self._always])


class OnePiece(web.StreamResponse):
    """An answer whose headers and body are known, written at once.

    Its headers are a plain list, in the order given; nothing may add to them once it is made.
    """

    def __init__(self, status: int, headers: HeaderList, body: bytes, more: str) -> None:
        """Takes what is written; `more` are further lines of the head."""
        super().__init__(status=status)
        self._header_list = headers
        self._more = more
        self._content = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        closes = CLOSE in self._header_list
        self._keep_alive = keep_alive = request.keep_alive and not closes
        status, body = self._status, self._content
        lines = [f"{name}: {value}\r\n" for name, value in self._header_list]
        if status not in _NO_LENGTH:
            lines.append(f"Content-Length: {len(body)}\r\n")
        if not (keep_alive or closes) and request.version == HttpVersion11:
            lines.append("Connection: close\r\n")
        elif keep_alive and request.version == HttpVersion10:
            lines.append("Connection: keep-alive\r\n")
        status_line = _STATUS_LINE.get(status) or f"HTTP/1.1 {status} \r\n"
        date = rfc822_formatted_time()
        text = f"{status_line}{''.join(lines)}{self._more}Date: {date}\r\n\r\n"
        head = text.encode("latin-1")
        transport.write(head if request.method == "HEAD" else head + body)
        if request.protocol.writing_paused:
            await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: all is written."""
