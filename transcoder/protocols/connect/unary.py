"""Answers unary calls of Connect: one message in the body, or in the query of a GET.

Follows connectrpc.com, "Connect Protocol Reference" (Unary-Request, Unary-Response).
Rule: a call that fails is answered with the HTTP status of its code, and the error as JSON.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from transcoder.call import Backend
from transcoder.errors import TranscodeError
from transcoder.http.body import BodyHead, BodyReader, codings_on
from transcoder.http.ceiling import Ceiling
from transcoder.http.encodings import codings_of, decode_body
from transcoder.http.exchange import HttpCall, HttpExchange
from transcoder.http.headers import initial_headers
from transcoder.http.offload import Offload
from transcoder.http.response import compressed
from transcoder.options import Limits
from transcoder.protocols.connect import timeout
from transcoder.protocols.connect.errors import ConnectErrors
from transcoder.protocols.connect.form import Form, Messages
from transcoder.protocols.connect.query import GetRequest
from transcoder.protocols.protocol import WholeAnswer
from transcoder.registry import Route

_TRAILER_PREFIX: Final = "trailer-"

T = TypeVar("T")


class _Read(Protocol):
    def __call__(self, parse: Callable[[bytes], T]) -> Awaitable[T]:
        """Returns what is made of the bytes of a request."""
        ...


class UnaryCall(HttpCall):
    """A call with one request and one response."""

    __slots__ = ("_form", "_is_received", "_messages", "_read")

    protocol = "connect"
    deadline_asked = staticmethod(timeout.deadline_of)

    def __init__(
        self, exchange: HttpExchange, route: Route, messages: Messages, form: Form, read: _Read
    ) -> None:
        """Prepares a call.

        Args:
            exchange: the request and its answer.
            route: of the method.
            messages: makes the request of its bytes.
            form: of both messages.
            read: reads the bytes.

        Raises:
            TranscodeError: a header is malformed.
        """
        super().__init__(route.method, exchange)
        self._messages = messages
        self._form = form
        self._read = read
        self._is_received = False

    async def receive(self) -> Message | None:
        if self._is_received:
            return None
        return await self._received(self._messages.parse)

    @property
    def passes_bytes(self) -> bool:
        return self._form is Form.PROTO

    async def receive_bytes(self) -> bytes:
        return await self._received(bytes)

    async def _received(self, parse: Callable[[bytes], T]) -> T:
        self._is_received = True
        try:
            return await self._read(parse)
        except TranscodeError as error:
            self.exchange.log_refusal(error)
            raise


class Unary:
    """Answers unary calls."""

    def __init__(
        self,
        backend: Backend,
        errors: ConnectErrors,
        *,
        limits: Limits,
        offload: Offload,
        ceiling: Ceiling,
        compress_min_bytes: int,
    ) -> None:
        """Prepares; bodies from `compress_min_bytes` on are compressed for who accepts it."""
        self._compress_min_bytes = compress_min_bytes
        self._backend = backend
        self._errors = errors
        self._offload = offload
        self._max_bytes = {
            Form.JSON: limits.body_max_bytes,
            Form.PROTO: limits.message_max_bytes,
        }
        self._bodies = {
            form: BodyReader(replace(limits, body_max_bytes=max_bytes), offload, ceiling)
            for form, max_bytes in self._max_bytes.items()
        }

    async def answer(
        self,
        exchange: HttpExchange,
        route: Route,
        messages: Messages,
        *,
        form: Form,
        got: GetRequest | None,
    ) -> WholeAnswer:
        """Answers a call.

        Args:
            exchange: the request and its answer.
            route: of the method.
            messages: reads the request, and writes the response.
            form: of both messages.
            got: the request of a GET; None if it is in the body.

        Raises:
            TranscodeError: the request cannot become a call.
        """
        read = self._body_read(exchange, form) if got is None else self._query_read(got)
        call = UnaryCall(exchange, route, messages, form, read)
        failure: TranscodeError | None = None
        body = b""
        try:
            await self._backend.run(call)
            if form is Form.PROTO:
                body = call.response_in_binary()
            else:
                body = await messages.write(call.response)
        except TranscodeError as error:
            failure = error.released()
        out = exchange.answer_headers
        out += initial_headers(call.initial_metadata)
        for key, text in initial_headers(call.trailing_metadata):
            out.append((_TRAILER_PREFIX + key, text))
        status = 200
        if failure is None:
            out.append(("Content-Type", form.unary_type))
        else:
            status, body = self._errors.answer(failure, out)
        if len(body) >= self._compress_min_bytes:
            body = await compressed(body, exchange.headers, out, self._offload)
        return status, body

    def _body_read(self, exchange: HttpExchange, form: Form) -> _Read:
        request, bodies = exchange.request, self._bodies[form]
        head = BodyHead(fault=None, codings=_supported(codings_on, request))

        async def read(parse: Callable[[bytes], T]) -> T:
            return await bodies.read(request, head, parse)

        return read

    def _query_read(self, got: GetRequest) -> _Read:
        codings = _supported(codings_of, (got.compression,))
        max_bytes = self._max_bytes[got.form]

        def parse_decoded(parse: Callable[[bytes], T]) -> T:
            return parse(decode_body(got.message, codings, max_bytes=max_bytes))

        async def read(parse: Callable[[bytes], T]) -> T:
            if not codings:
                return parse(got.message)
            return await self._offload.request(parse_decoded, parse)

        return read


def _supported(codings: Callable[[T], Sequence[str]], said: T) -> Sequence[str]:
    """Returns the codings that were said; UNIMPLEMENTED, as Connect has it, in place of 415."""
    try:
        return codings(said)
    except TranscodeError as error:
        raise TranscodeError(
            grpc.StatusCode.UNIMPLEMENTED, error.message, headers=error.headers
        ) from None
