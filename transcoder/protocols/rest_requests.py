"""Reads the requests of a call at a route of HTTP rules: path, query and body make messages.

Follows google/api/http.proto, "gRPC Transcoding".
Rule: each message in the body of a stream is bound as the body of a unary call is, so the fields
that path and query bind are the same in all of them.
"""

import functools
from typing import Final, NamedTuple

from google.protobuf.message import Message

from transcoder.errors import TranscodeError, malformed, shown, unsupported_media_type
from transcoder.http.body import (
    JSON_TYPE,
    BodyHead,
    BodyReader,
    check_transfer_coding,
    head_of,
    is_json_type,
)
from transcoder.http.ceiling import Ceiling, Held
from transcoder.http.encodings import IDENTITY
from transcoder.http.exchange import HttpExchange
from transcoder.http.offload import Offload
from transcoder.http.request import Request
from transcoder.options import Limits
from transcoder.protocols.json_splitting import Elements, Lines
from transcoder.protocols.stream_formats import NDJSON
from transcoder.protocols.streams import RequestMessages, Splitter, Turn
from transcoder.registry import Route
from transcoder.routing.router import RouteMatch

_LINES_TYPES: Final = frozenset(
    {NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)


class OneRequest:
    """The one request of a call, read when the call asks for it."""

    __slots__ = ("_bodies", "_exchange", "_head", "_is_received", "_match")

    def __init__(
        self, exchange: HttpExchange, match: RouteMatch[Route], bodies: BodyReader
    ) -> None:
        """Prepares to read.

        Raises:
            TranscodeError: the body is announced as no JSON.
        """
        request = exchange.request
        self._head: BodyHead | None = None
        if match.target.binder.reads_body and request.has_body:
            self._head = head_of(request)
        self._exchange = exchange
        self._match = match
        self._bodies = bodies
        self._is_received = False

    async def receive(self) -> Message | None:
        """Returns the request, then None.

        Raises:
            TranscodeError: the request is malformed, too large or too slow, or the client left.
        """
        if self._is_received:
            return None
        self._is_received = True
        exchange, (route, variables) = self._exchange, self._match
        try:
            if self._head is None:
                return route.binder.bind(variables, exchange.query, b"")
            body = self._bodies.received(exchange.request, self._head)
            if body is not None:
                return route.binder.bind(variables, exchange.query, body)
            bind = functools.partial(route.binder.bind, variables, exchange.query)
            return await self._bodies.read(exchange.request, self._head, bind)
        except TranscodeError as error:
            exchange.log_refusal(error)
            raise


class StreamedRequests:
    """The requests of a call that streams them: lines of JSON, or the elements of an array."""

    __slots__ = ("_count", "_exchange", "_match", "_messages", "_readers")

    def __init__(
        self,
        exchange: HttpExchange,
        match: RouteMatch[Route],
        *,
        readers: "StreamReaders",
        held: Held,
    ) -> None:
        """Prepares to read.

        Raises:
            TranscodeError: 415, the body is announced as neither of both, or in a content coding.
        """
        limits = readers.limits
        check_transfer_coding(exchange.request)
        self._exchange = exchange
        self._match = match
        self._readers = readers
        self._count = 0
        self._messages = RequestMessages(
            exchange,
            _splitter(exchange.request, max_bytes=limits.body_max_bytes),
            limits=limits,
            held=held,
            turn=Turn(),
        )

    async def receive(self) -> Message | None:
        """Returns the next request; None after the last.

        Raises:
            TranscodeError: the body or a message in it is malformed, too large or too slow, or the
                client left.
        """
        exchange, readers = self._exchange, self._readers
        try:
            text = await self._messages.next()
            if text is None:
                return None
            self._count += 1
            if len(text) <= readers.limits.inline_max_bytes:
                return self._bind(text)
            return await readers.offload.request(self._bind, text)
        except TranscodeError as error:
            exchange.log_refusal(error)
            raise

    def _bind(self, text: bytes) -> Message:
        route, variables = self._match
        try:
            return route.binder.bind(variables, self._exchange.query, text)
        except TranscodeError as error:
            raise malformed(f"message {self._count}: {error.message}") from None


class StreamReaders(NamedTuple):
    """The parts by which all streams of requests are read.

    Attributes:
        limits: of messages and waits.
        offload: parses large messages.
        ceiling: counts the bytes of bodies.
    """

    limits: Limits
    offload: Offload
    ceiling: Ceiling


def _splitter(request: Request, *, max_bytes: int) -> Splitter[bytes]:
    """Returns what divides the body of a request.

    Raises:
        TranscodeError: 415.
    """
    headers = request.headers
    content_type = headers.get("Content-Type")
    encoding = headers.get("Content-Encoding", IDENTITY)
    if encoding.lower() != IDENTITY:
        message = f"content encoding {shown(encoding)}: expected none for a stream of requests"
        raise unsupported_media_type(message, ("Accept-Encoding", IDENTITY))
    if content_type is None or not request.has_body or is_json_type(content_type):
        return Elements(max_bytes=max_bytes)
    if content_type.partition(";")[0].strip().lower() in _LINES_TYPES:
        return Lines(max_bytes=max_bytes)
    message = f"content type {shown(content_type)}: expected {NDJSON} or {JSON_TYPE}"
    raise unsupported_media_type(message, ("Accept", f"{NDJSON}, {JSON_TYPE}"))
