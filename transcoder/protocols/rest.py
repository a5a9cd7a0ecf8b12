"""Serves JSON at the routes of HTTP rules.

A request takes these steps: route, call, binding, backend, codec, answer. registry.py has made all
that depends on descriptors when the service was registered.

Follows google/api/http.proto, "gRPC Transcoding", and google/rpc/code.proto.
Rule: a response that cannot be written as JSON is answered INTERNAL; only the log has the reason.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from google.protobuf.message import Message

from transcoder.binding.http_body import HttpBody
from transcoder.call import Backend
from transcoder.codec.scalars import Fault
from transcoder.errors import (
    TranscodeError,
)
from transcoder.http.body import JSON_TYPE, BodyReader
from transcoder.http.ceiling import Held
from transcoder.http.cors import Cors
from transcoder.http.exchange import HttpCall, HttpExchange
from transcoder.http.headers import http_code, initial_headers, trailer_headers
from transcoder.http.offload import Offload
from transcoder.http.response import NO_CONTENT
from transcoder.protocols import http_bodies, plain_text, stream_formats
from transcoder.protocols.failures import failure_of
from transcoder.protocols.json_errors import JsonErrors, unwritable
from transcoder.protocols.protocol import WholeAnswer
from transcoder.protocols.rest_requests import OneRequest, StreamedRequests, StreamReaders
from transcoder.protocols.rest_streams import RestStreams
from transcoder.protocols.stream_calls import Receive
from transcoder.registry import Registry, Route
from transcoder.routing.router import NewRoute

JSON, LINES, _ = stream_formats.FORMS
HTTP_BODY: Final = "HttpBody"
MULTIPART: Final = "multipart"

AnswerUnrouted = Callable[[HttpExchange, TranscodeError], Awaitable[WholeAnswer]]
"""Answers a request that no route serves, or raises."""


class RestCall(HttpCall):
    """A call by a route, with one response."""

    __slots__ = ("_receive",)

    protocol = "json"

    def __init__(self, exchange: HttpExchange, route: Route, receive: Receive) -> None:
        """Prepares a call; `receive` reads its requests.

        Raises:
            TranscodeError: a header is malformed.
        """
        super().__init__(route.method, exchange)
        self._receive = receive

    def receive(self) -> Coroutine[Any, Any, Message | None]:
        return self._receive()


class Rest:
    """Serves methods as JSON, and answers every request that is in no other protocol.

    Attributes:
        errors: writes errors.
    """

    has_content_coding: Final = True

    def __init__(
        self,
        registry: Registry,
        backend: Backend,
        errors: JsonErrors,
        streams: RestStreams,
        *,
        bodies: BodyReader,
        readers: StreamReaders,
        cors: Cors,
        offload: Offload,
        inline_max_bytes: int,
        unrouted: AnswerUnrouted,
    ) -> None:
        """Serves the methods of the registry, also those that are added later.

        Args:
            registry: the routes.
            backend: runs the calls.
            errors: writes errors.
            streams: answers methods that stream their responses.
            bodies: reads bodies.
            readers: reads streams of requests.
            cors: answers preflights.
            offload: encodes large answers.
            inline_max_bytes: max bytes of a message that is encoded on the event loop.
            unrouted: answers requests that no route serves.
        """
        self.errors: Final = errors
        self._router = registry.router
        self._methods = registry.methods
        self._backend = backend
        self._streams = streams
        self._bodies = bodies
        self._readers = readers
        self._cors = cors
        self._offload = offload
        self._inline_max_bytes = inline_max_bytes
        self._unrouted = unrouted

    def forms(self, route: NewRoute[Route]) -> Sequence[str]:
        method, binder = route.target.method, route.target.binder
        answers: Sequence[str] = stream_formats.FORMS if method.server_streaming else (JSON,)
        if route.target.http_body is not None:
            answers = (HTTP_BODY,)
        if binder.upload is not None:
            return tuple(dict.fromkeys((*answers, HTTP_BODY)))
        if method.client_streaming and binder.reads_body:
            return tuple(dict.fromkeys((*answers, LINES)))
        return answers if binder.form is None else (*answers, MULTIPART)

    async def answer(self, exchange: HttpExchange) -> WholeAnswer | None:
        if exchange.verb == "OPTIONS" and self._cors.is_preflight(exchange.headers):
            # Before the routes: a preflight is not for the service, even if a route takes OPTIONS.
            exchange.answer_headers += self._cors.preflight_headers(exchange.headers)
            return 204, b""
        missing: TranscodeError | None = None
        try:
            match = self._router.match(exchange.verb, exchange.path)
        except TranscodeError as error:
            missing = error.released()
        if missing is not None:
            return await self._unrouted(exchange, missing)
        route = match.target
        if route.method.client_streaming and route.binder.reads_body:
            with Held(self._readers.ceiling) as held:
                requests = StreamedRequests(exchange, match, readers=self._readers, held=held)
                return await self._answered(exchange, route, requests.receive)
        one = OneRequest(exchange, match, self._bodies)
        return await self._answered(exchange, route, one.receive)

    def _answered(
        self, exchange: HttpExchange, route: Route, receive: Receive
    ) -> Coroutine[Any, Any, WholeAnswer | None]:
        if route.method.server_streaming:
            return self._streams.answer(exchange, route, receive)
        return self._answer_once(exchange, route, receive)

    async def _answer_once(
        self, exchange: HttpExchange, route: Route, receive: Receive
    ) -> WholeAnswer:
        call = RestCall(exchange, route, receive)
        failure: TranscodeError | None = None
        try:
            await self._backend.run(call)
        except TranscodeError as error:
            failure = failure_of(call, error, exchange, route)
        out, status = exchange.answer_headers, 200
        if call.initial_metadata:
            out += initial_headers(call.initial_metadata)
            status = http_code(call.initial_metadata)
        if call.trailing_metadata:
            out += trailer_headers(call.trailing_metadata)
        if failure is not None:
            return self.failure(exchange, failure)
        if status in NO_CONTENT:
            return status, b""
        if route.http_body is not None:
            return self._http_body(exchange, call, route, route.http_body(call.response))
        try:
            if route.size(call.response) <= self._inline_max_bytes:
                body = route.encode(call.response)
            else:
                body = await self._encode_in_thread(route, call.response)
        except Fault as fault:
            del out[1:]  # the headers of the answer that failed
            return self.failure(exchange, unwritable(fault, route.method, exchange.request_id))
        out.append(("Content-Type", JSON_TYPE))
        return status, body

    def _http_body(
        self, exchange: HttpExchange, call: RestCall, route: Route, body: HttpBody
    ) -> WholeAnswer:
        try:
            content_type = http_bodies.content_type_of(body, route, exchange.request_id)
        except TranscodeError as error:
            del exchange.answer_headers[1:]  # those of the answer that failed
            return self.failure(exchange, error.released())
        status, headers = http_bodies.head_of(call, content_type)
        exchange.answer_headers += headers
        return status, body.data

    async def _encode_in_thread(self, route: Route, response: Message) -> bytes:
        # A copy: a servicer may return a message that its next call changes.
        copy = route.method.response_type()
        type(copy).CopyFrom(copy, response)
        return await self._offload.answer(route.encode, copy)

    def refusal(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        if plain_text.is_expected(exchange, self._methods):
            return plain_text.refuse(error, exchange.answer_headers)
        return self.errors.answer(error, exchange.answer_headers)

    def failure(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        if error.http_status == 415:  # of a chunked body, whose call had to begin
            return self.refusal(exchange, error)
        return self.errors.answer(error, exchange.answer_headers)
