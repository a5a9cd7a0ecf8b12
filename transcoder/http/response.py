"""Writes HTTP answers whose body is known: compressed if large, small ones in one piece.

`aiohttp.web.Response` spends a third of a short request on choices that a JSON answer does not
have: compression, chunking, cookies, payload objects. An `Answer` knows its body, so headers and
body leave together, by the same bytes whichever way its request arrived.
Rule: a large body is written as its client reads it. What waits in a connection is a copy, which
many clients that do not read would multiply.

Follows RFC 9112 (status line, Connection, Content-Length) and RFC 9110 sections 9.3.2 (HEAD) and
12.5.5 (Vary).
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDictProxy

from transcoder.errors import TranscodeError
from transcoder.http.encodings import DEFLATE_AT_ONCE_BYTES, IDENTITY, deflate, preferred
from transcoder.http.offload import Offload

_PIECE_MAX_BYTES: Final = 64 << 10
"""Max bytes of a body that is written behind its head at once, and of a piece of a larger one."""

NO_CONTENT: Final = frozenset({204, 205, 304})
"""Statuses without a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5)."""
_NO_LENGTH: Final = frozenset({204, 304})
"""Statuses without Content-Length too: that of a 304 is of the body it stands for (8.6)."""

_COMPRESSIBLE: Final = re.compile(
    r"text/|[^;]*[/+.-](?:javascript|json|ndjson|text|wasm|xml|yaml)\b", re.ASCII | re.IGNORECASE
)
"""Matches the content types that get much smaller by compression."""
_AS_THEY_ARE: Final = frozenset({"accept-ranges", "content-encoding", "content-range"})
"""Headers of bodies that must keep their bytes."""

CLOSE: Final = ("Connection", "close")

HeaderList = list[tuple[str, str]]
HeaderPairs = Sequence[tuple[str, str]]

_SIZE_LINES: Final = [b"%x\r\n" % size for size in range(2048)]
"""The lines before small chunks: to format one costs as much as to copy a kilobyte."""

_STATUS_LINE: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
} | {499: "HTTP/1.1 499 Client Closed Request\r\n"}


async def compressed(
    body: bytes, headers: CIMultiDictProxy[str], out: HeaderList, offload: Offload
) -> bytes:
    """Returns a large body in the coding that its client prefers.

    A body of a type that is compressed already stays as it is, and so does one that has a coding,
    is a range, or may be asked for in ranges.

    Args:
        body: the body, as it is.
        headers: the request's.
        out: the answer's; what has to be said about the body is added.
        offload: compresses what is not small.
    """
    if not all(_may_be_compressed(name.lower(), value) for name, value in out):
        return body
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


def _may_be_compressed(name: str, value: str) -> bool:
    if name == "content-type":
        return _COMPRESSIBLE.match(value) is not None
    return name not in _AS_THEY_ARE


def with_connection_close(error: TranscodeError) -> TranscodeError:
    """Returns the same error, whose answer closes the connection."""
    error.headers = (*error.headers, CLOSE)
    return error


class Answer(NamedTuple):
    """An answer in one piece.

    Attributes:
        headers: all but those that every answer has, and those that its connection needs.
    """

    status: int
    headers: HeaderList
    body: bytes

    @property
    def closes(self) -> bool:
        """True if no request may follow."""
        return CLOSE in self.headers


def head_of_pieces(status: int, headers: HeaderList, *, has_body: bool) -> bytes:
    """Writes the head of an answer whose body comes in chunks, as aiohttp does."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    if has_body:
        lines += "Transfer-Encoding: chunked\r\n"
    text = f"{_status_line(status)}{lines}Date: {rfc822_formatted_time()}\r\n\r\n"
    return text.encode("latin-1")


def chunk(piece: bytes) -> bytes:
    """Writes a piece of a body in chunks (RFC 9112 section 7.1)."""
    size = len(piece)
    line = _SIZE_LINES[size] if size < len(_SIZE_LINES) else b"%x\r\n" % size
    return b"".join((line, piece, b"\r\n"))


def last_chunk(trailers: HeaderPairs) -> bytes:
    """Writes the end of a body in chunks (RFC 9112 section 7.1)."""
    if not trailers:
        return b"0\r\n\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
    return f"0\r\n{lines}\r\n".encode("latin-1")


def _status_line(status: int) -> str:
    return _STATUS_LINE.get(status) or f"HTTP/1.1 {status} \r\n"


class Responses:
    """Writes answers, all with the same headers besides their own, which are written once.

    Attributes:
        always: the headers that all answers have.
    """

    def __init__(self, always: HeaderList) -> None:
        self.always = always
        self._always_text = "".join(f"{name}: {value}\r\n" for name, value in always)

    def head(self, answer: Answer, connection: str = "") -> bytes:
        """Writes the status line and the headers of an answer.

        Args:
            answer: the answer.
            connection: a line about its connection, with its end.
        """
        status, headers, body = answer
        text = _status_line(status)
        for name, value in headers:
            text += f"{name}: {value}\r\n"
        if status not in _NO_LENGTH:
            text += f"Content-Length: {len(body)}\r\n"
        date = rfc822_formatted_time()
        text += f"{connection}{self._always_text}Date: {date}\r\n\r\n"
        return text.encode("latin-1")

    def headers(self, answer: Answer) -> HeaderList:
        """Returns all headers of an answer but those that its host adds."""
        status, headers, body = answer
        length = [] if status in _NO_LENGTH else [("Content-Length", str(len(body)))]
        return [*headers, *length, *self.always]

    def one_piece(self, answer: Answer) -> web.StreamResponse:
        """Makes an answer for aiohttp's part of our own listener."""
        return OnePiece(answer, self)

    def buffered(self, answer: Answer) -> web.StreamResponse:
        """Makes an answer for an application with signals and middlewares of its own."""
        status, headers, body = answer
        return web.Response(status=status, headers=[*headers, *self.always], body=body)


class OnePiece(web.StreamResponse):
    """An answer whose headers and body are known, written at once.

    Its headers are a plain list, in the order given; nothing may add to them once it is made.
    """

    def __init__(self, answer: Answer, responses: Responses) -> None:
        super().__init__(status=answer.status)
        self._answer = answer
        self._responses = responses

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        answer = self._answer
        closes = answer.closes
        self._keep_alive = keep_alive = request.keep_alive and not closes
        connection = ""
        if not (keep_alive or closes) and request.version == HttpVersion11:
            connection = "Connection: close\r\n"
        elif keep_alive and request.version == HttpVersion10:
            connection = "Connection: keep-alive\r\n"
        head = self._responses.head(answer, connection)
        rest = write_start(transport, head, b"" if request.method == "HEAD" else answer.body)
        for piece in rest:
            # Counted as aiohttp counts what it writes: an answer that has begun.
            request.writer.output_size += len(piece)
            if request.protocol.writing_paused:
                await request.writer.drain()
            transport.write(piece)
        if request.protocol.writing_paused:
            await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: all is written."""


def write_start(
    transport: asyncio.WriteTransport, head: bytes, body: bytes
) -> Iterable[memoryview]:
    """Writes the head of an answer, and a small body with it.

    Returns:
        The pieces of a large body, to write one after another as the client reads.
    """
    if len(body) <= _PIECE_MAX_BYTES:
        transport.write(head + body)
        return ()
    transport.write(head)
    view = memoryview(body)
    starts = range(0, len(body), _PIECE_MAX_BYTES)
    return (view[start : start + _PIECE_MAX_BYTES] for start in starts)
