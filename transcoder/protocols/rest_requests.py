"""Reads the requests of a call at a route of HTTP rules: path, query and body make messages.

Follows google/api/http.proto, "gRPC Transcoding".
Rule: each message in the body of a stream is bound as the body of a unary call is, so the fields
that path and query bind are the same in all of them.
"""

import functools
from typing import Final, NamedTuple

from google.protobuf.message import Message

from transcoder.binding.binder import Binder, ReadBody
from transcoder.binding.form import Form
from transcoder.binding.http_body import Upload
from transcoder.errors import (
    InvalidHeader,
    TranscodeError,
    malformed,
    shown,
    unsupported_media_type,
)
from transcoder.http.body import (
    JSON_TYPE,
    BodyHead,
    BodyReader,
    check_transfer_coding,
    head_of,
    head_of_any,
    is_json_type,
)
from transcoder.http.ceiling import Ceiling, Held
from transcoder.http.encodings import IDENTITY
from transcoder.http.exchange import HttpExchange
from transcoder.http.multipart import FORM_TYPE, is_form_type, parts_of
from transcoder.http.offload import Offload
from transcoder.http.request import Request
from transcoder.options import Limits
from transcoder.protocols.byte_splitting import PIECE_MAX_BYTES, Pieces
from transcoder.protocols.inflated_body import coding_of, inflated
from transcoder.protocols.json_splitting import Elements, Lines
from transcoder.protocols.stream_formats import NDJSON
from transcoder.protocols.streams import FED_AT_ONCE_BYTES, RequestMessages, Splitter, Turn
from transcoder.registry import Route
from transcoder.routing.router import RouteMatch

_LINES_TYPES: Final = frozenset(
    {NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)


class OneRequest:
    """The one request of a call, read when the call asks for it."""

    __slots__ = ("_bodies", "_exchange", "_head", "_is_received", "_match", "_read")

    def __init__(
        self, exchange: HttpExchange, match: RouteMatch[Route], bodies: BodyReader
    ) -> None:
        """Prepares to read.

        Raises:
            TranscodeError: the body is announced in another type than the rule takes.
        """
        request, binder = exchange.request, match.target.binder
        self._head: BodyHead | None = None
        self._read: ReadBody | None = None
        if binder.reads_body and request.has_body:
            if binder.takes_json_alone:
                self._head = head_of(request)
            elif (read := _reader_of(request, binder)) is None:
                self._head = head_of(request, FORM_TYPE)
            else:
                self._read = read
                self._head = head_of_any(request, is_costly=binder.form is not None)
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
            bind = functools.partial(route.binder.bind, variables, exchange.query, read=self._read)
            return await self._bodies.read(exchange.request, self._head, bind)
        except TranscodeError as error:
            exchange.log_refusal(error)
            raise


class StreamedRequests:
    """The requests of a call that streams them: lines of JSON, the elements of an array, or pieces.

    Pieces are those of any body, at most 64 KiB each, where the rule's body is an HttpBody.
    """

    __slots__ = ("_count", "_exchange", "_match", "_messages", "_read", "_readers")

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
            TranscodeError: 415, the body is announced as none of them, or in a content coding.
        """
        limits, request, upload = readers.limits, exchange.request, match.target.binder.upload
        check_transfer_coding(request)
        if upload is not None:
            _refuse_codings(request)
        self._read = None if upload is None else _uploaded(upload, request)
        self._exchange = exchange
        self._match = match
        self._readers = readers
        self._count = 0
        self._messages = RequestMessages(
            inflated(exchange) if upload is None else exchange,
            _splitter(request, max_bytes=limits.body_max_bytes) if upload is None else Pieces(),
            limits=limits,
            held=held,
            turn=Turn(),
            fed_max_bytes=FED_AT_ONCE_BYTES if upload is None else PIECE_MAX_BYTES,
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
            if len(text) <= readers.limits.inline_max_bytes or self._read is not None:
                return self._bind(text)
            return await readers.offload.request(self._bind, text)
        except TranscodeError as error:
            exchange.log_refusal(error)
            raise

    def _bind(self, text: bytes) -> Message:
        route, variables = self._match
        try:
            return route.binder.bind(variables, self._exchange.query, text, self._read)
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


def _reader_of(request: Request, binder: Binder) -> ReadBody | None:
    """Returns what makes a request of a body that is not JSON; None for JSON.

    Raises:
        TranscodeError: the content type is not ASCII.
    """
    if binder.upload is not None:
        return _uploaded(binder.upload, request)
    content_type = request.headers.get("Content-Type", "")
    if binder.form is not None and is_form_type(content_type):
        return functools.partial(_filled, binder.form, content_type)
    return None


def _filled(form: Form, content_type: str, body: bytes) -> Message:
    return form.read(parts_of(body, content_type))


def _uploaded(upload: Upload, request: Request) -> ReadBody:
    """Returns what makes a request of the bytes of an upload.

    Raises:
        TranscodeError: the content type is not ASCII.
    """
    content_type = request.headers.get("Content-Type", "")
    if not (content_type.isascii() and content_type.isprintable()):
        raise InvalidHeader("content-type")
    return functools.partial(upload, content_type)


def _refuse_codings(request: Request) -> None:
    """Raises TranscodeError, 415, if a body that is a file is announced in a content coding."""
    encoding = coding_of(request)
    if encoding != IDENTITY:
        message = f"content encoding {shown(encoding)}: expected none for a stream of requests"
        raise unsupported_media_type(message, ("Accept-Encoding", IDENTITY))


def _splitter(request: Request, *, max_bytes: int) -> Splitter[bytes]:
    """Returns what divides the body of a request.

    Raises:
        TranscodeError: 415.
    """
    content_type = request.headers.get("Content-Type")
    if content_type is None or not request.has_body or is_json_type(content_type):
        return Elements(max_bytes=max_bytes)
    if content_type.partition(";")[0].strip().lower() in _LINES_TYPES:
        return Lines(max_bytes=max_bytes)
    message = f"content type {shown(content_type)}: expected {NDJSON} or {JSON_TYPE}"
    raise unsupported_media_type(message, ("Accept", f"{NDJSON}, {JSON_TYPE}"))
