"""Defines the request that handlers and protocols see.

There are three subclasses: a request that aiohttp reads (`AiohttpRequest`), one that arrived in one
piece (`WholeRequest`), and one that an ASGI host reads (`AsgiRequest`). This file knows none.

Follows RFC 9112 (messages) and RFC 9110 section 8.6 (Content-Length).
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import hdrs
from grpc import StatusCode
from multidict import CIMultiDictProxy

from transcoder.call import Call
from transcoder.errors import TranscodeError, unimplemented
from transcoder.http.response import Answer, HeaderList, HeaderPairs
from transcoder.http.switched import MessageReceiver, MessageWire, Receiver, Wire


class Request(ABC):
    """One request, by which its body is read and its answer may be sent in pieces.

    Attributes:
        method: the HTTP method.
        target: as received, still percent-encoded.
        headers: looked up by any case.
        peername: the client's address as a socket gives it.
        call: the call of the request, while it is answered; None without one.
    """

    __slots__ = ("call", "headers", "method", "peername", "target")

    method: str
    target: str
    headers: CIMultiDictProxy[str]
    peername: object
    call: Call | None

    @property
    def is_known_version(self) -> bool:
        """True if the request line has a version of HTTP that is served."""
        return True

    @property
    @abstractmethod
    def certificate(self) -> Mapping[str, Any] | None:
        """Returns the verified certificate of the client, as `getpeercert` has it."""

    @property
    @abstractmethod
    def has_body(self) -> bool: ...

    @property
    @abstractmethod
    def has_arrived(self) -> bool:
        """True if the whole body has been received, or there is none."""

    @property
    @abstractmethod
    def arrived_bytes(self) -> int: ...

    @property
    @abstractmethod
    def is_read(self) -> bool:
        """True if the whole body has been read."""

    @property
    def is_inflated(self) -> bool:
        """True if the body's Content-Encoding has been decoded already."""
        return False

    @abstractmethod
    def arrived(self) -> bytes:
        """Returns the unread bytes of the body that have been received.

        Raises:
            TranscodeError: the body is malformed.
        """

    @abstractmethod
    async def piece(self) -> bytes:
        """Waits for more of the body, and returns it; b"" after the end.

        Sends 100 Continue to a client that waits for it.

        Raises:
            TranscodeError: the body is malformed, or the client left.
        """

    @abstractmethod
    def stop_reading(self) -> None:
        """Has the connection close after the answer, without reading the rest of the body."""

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
        """Sends a piece of the body, and waits while the client reads slowly."""

    @abstractmethod
    async def finish(self, piece: bytes, trailers: HeaderPairs = ()) -> None:
        """Sends the last piece of the body, and trailers."""

    @abstractmethod
    def finish_at_once(self, piece: bytes) -> None:
        """Sends the last piece of the body without a wait, before the connection is closed."""

    @abstractmethod
    def cut(self) -> None:
        """Closes the connection after what was written, without the last chunk."""

    @property
    def may_switch(self) -> bool:
        """True if `switch` can take over the connection of the request."""
        return False

    async def switch(self, headers: HeaderList, receiver: Receiver) -> Wire:
        """Accepts an Upgrade (101); all that follows belongs to another protocol.

        Args:
            headers: of the answer.
            receiver: gets what the client sends from now on.

        Raises:
            OSError: the client left.
        """
        raise unimplemented(f"a request of {type(self).__name__} cannot change the protocol")

    @property
    def is_websocket(self) -> bool:
        """True if a host has read the handshake of a WebSocket, which `accept` opens."""
        return False

    async def accept(
        self, subprotocol: str, headers: HeaderList, receiver: MessageReceiver
    ) -> MessageWire:
        """Opens a WebSocket.

        Args:
            subprotocol: the one that both sides know; "" for none.
            headers: of the answer, besides those of the handshake.
            receiver: gets what the client sends.

        Raises:
            OSError: the client left.
        """
        raise unimplemented(f"a request of {type(self).__name__} opens no WebSocket")

    @property
    def content_length(self) -> int | None:
        """Returns the bytes of the body that the headers declare; None if they do not."""
        return declared_bytes(self.headers.get(hdrs.CONTENT_LENGTH))

    def end_call(self) -> None:
        """Sets the ending of the request's call, if it has one, before it is cancelled."""
        if self.call is not None:
            self.call.end(StatusCode.CANCELLED)

    def stop_call(self) -> None:
        """Ends the request's stream, if it has begun one, before it is cancelled."""
        if self.call is None or not self.is_begun:
            return
        end = self.call.end_at_stop()
        if end is not None:
            with contextlib.suppress(OSError):  # the client left
                self.finish_at_once(end)


AnswerRequest = Callable[[Request], Awaitable[Answer | None]]
"""Answers a request; None if the answer was written in pieces."""

Refuse = Callable[[TranscodeError, Request | None], Answer]
"""Makes the answer to a request that is refused before its handler, or ended after it began; the
request is None if it could not be parsed."""


def declared_bytes(content_length: str | None) -> int | None:
    """Returns a Content-Length, which the parser has found to be a number of 64 bits."""
    if content_length is None:
        return None
    # Python refuses to read more than 4,300 digits, and a length may begin with as many zeros.
    return int(content_length.lstrip("0") or "0")
