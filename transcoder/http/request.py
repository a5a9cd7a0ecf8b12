"""Describes a request as handlers and protocols see it, whichever way it arrived.

Its subclasses are the two ways: a request that aiohttp reads (`AiohttpRequest`), and one that was
whole when it arrived (`WholeRequest`). This file knows neither.

Follows RFC 9112 (messages) and RFC 9110 section 8.6 (Content-Length).
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion, hdrs
from grpc import StatusCode
from multidict import CIMultiDictProxy

from transcoder.call import Call
from transcoder.errors import TranscodeError
from transcoder.http.response import Answer, HeaderList


class Request(ABC):
    """One request, and the pieces of its answer.

    Attributes:
        method: the HTTP method.
        target: as received, still percent-encoded.
        version: of HTTP.
        headers: looked up by any case.
        peername: the client's address as a socket gives it.
        call: what the request makes, while it is answered.
    """

    __slots__ = ("call", "headers", "method", "peername", "target")

    method: str
    target: str
    version: HttpVersion
    headers: CIMultiDictProxy[str]
    peername: object
    call: Call | None

    @property
    @abstractmethod
    def has_body(self) -> bool: ...

    @property
    @abstractmethod
    def has_arrived(self) -> bool:
        """True if the whole body is here, as it is without one."""

    @property
    @abstractmethod
    def arrived_bytes(self) -> int: ...

    @property
    @abstractmethod
    def is_read(self) -> bool:
        """True if nothing of the body is left."""

    @property
    def is_inflated(self) -> bool:
        """True if a server has undone the body's Content-Encoding already."""
        return False

    @abstractmethod
    def arrived(self) -> bytes:
        """Returns what is here of the body.

        Raises:
            TranscodeError: the body is malformed.
        """

    @abstractmethod
    async def piece(self) -> bytes:
        """Waits for more of the body, which it asks for where its client waits to be asked.

        Returns nothing after the end.

        Raises:
            TranscodeError: the body is malformed, or the client left.
        """

    @abstractmethod
    def stop_reading(self) -> None:
        """Has the connection end with the answer: the rest of the body is not waited for."""

    @property
    @abstractmethod
    def is_begun(self) -> bool:
        """True once a part of the answer has been sent by `begin`."""

    @abstractmethod
    async def begin(self, status: int, headers: HeaderList) -> None:
        """Sends the head of an answer whose body is written in pieces.

        Raises:
            OSError: the client left; so do `write` and `finish`.
        """

    @abstractmethod
    async def write(self, piece: bytes) -> None:
        """Sends a piece of the body, and waits while the reader is slow."""

    @abstractmethod
    async def finish(self, piece: bytes) -> None:
        """Sends the last piece of the body."""

    @property
    def content_length(self) -> int | None:
        """Returns the bytes of the body that the headers declare; None if they do not."""
        return declared_bytes(self.headers.get(hdrs.CONTENT_LENGTH))

    def end_call(self) -> None:
        """Notes in the call of the request, if it has one, that it is about to be cancelled."""
        if self.call is not None:
            self.call.end(StatusCode.CANCELLED)


AnswerRequest = Callable[[Request], Awaitable[Answer | None]]
"""Answers a request; None if the answer was written in pieces."""

Refuse = Callable[[TranscodeError, Request | None], Answer]
"""Makes the answer to a request that no handler sees, or sees no more; None is one without form."""


def declared_bytes(content_length: str | None) -> int | None:
    """Returns a Content-Length as a number; the parser has found it to be one of 64 bits."""
    if content_length is None:
        return None
    # Python refuses to read more than 4,300 digits, and a length may begin with as many zeros.
    return int(content_length.lstrip("0") or "0")
