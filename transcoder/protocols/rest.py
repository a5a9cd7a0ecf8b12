"""Serves JSON at the routes of HTTP rules.

A request takes these steps: route, call, binding, backend, codec, answer. registry.py has made all
that depends on descriptors when the service was registered.

Follows google/api/http.proto, "gRPC Transcoding", and google/rpc/code.proto.
Rule: a response that cannot be written as JSON is answered INTERNAL; only the log has the reason.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from transcoder.call import Backend
from transcoder.codec.codec import Codec
from transcoder.codec.scalars import Fault
from transcoder.errors import (
    TranscodeError,
    internal_error,
    precondition_failed,
    status_json,
    unimplemented,
    without_values,
)
from transcoder.http.body import JSON_TYPE, BodyHead, BodyReader, head_of
from transcoder.http.cors import Cors
from transcoder.http.exchange import HttpCall, HttpExchange
from transcoder.http.headers import http_code, initial_headers, trailer_headers
from transcoder.http.offload import Offload
from transcoder.http.response import NO_CONTENT, HeaderList
from transcoder.protocols import plain_text
from transcoder.protocols.protocol import WholeAnswer
from transcoder.registry import Registry, Route
from transcoder.routing.router import RouteMatch

logger = logging.getLogger(__name__)

AnswerUnrouted = Callable[[HttpExchange, TranscodeError], Awaitable[WholeAnswer]]
"""Answers a request that no route serves, or raises."""


class RestCall(HttpCall):
    """A call by a route, with one request that is bound from path, query and body."""

    __slots__ = ("_bodies", "_head", "_http", "_is_received", "_match")

    protocol = "json"

    def __init__(
        self, exchange: HttpExchange, match: RouteMatch[Route], bodies: BodyReader
    ) -> None:
        """Prepares a call.

        Raises:
            TranscodeError: a header is malformed, or the body is announced as no JSON.
        """
        route, request = match.target, exchange.request
        self._head: BodyHead | None = None
        if route.binder.reads_body and request.has_body:
            self._head = head_of(request)
        super().__init__(route.method, exchange)
        self._http = exchange
        self._match = match
        self._bodies = bodies
        self._is_received = False

    async def receive(self) -> Message | None:
        if self._is_received:
            return None
        self._is_received = True
        exchange, (route, variables) = self._http, self._match
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


class Rest:
    """Serves unary methods as JSON, and answers every request that is in no other protocol."""

    has_content_coding: Final = True

    def __init__(
        self,
        registry: Registry,
        backend: Backend,
        codec: Codec,
        *,
        bodies: BodyReader,
        cors: Cors,
        offload: Offload,
        inline_max_bytes: int,
        has_error_envelope: bool,
        unrouted: AnswerUnrouted,
    ) -> None:
        """Serves the methods of the registry, also those that are added later.

        Args:
            registry: the routes.
            backend: runs the calls.
            codec: writes details of errors.
            bodies: reads bodies.
            cors: answers preflights.
            offload: encodes large answers.
            inline_max_bytes: max bytes of a message that is encoded on the event loop.
            has_error_envelope: True writes errors in the envelope of AIP-193.
            unrouted: answers requests that no route serves.
        """
        self._router = registry.router
        self._backend = backend
        self._codec = codec
        self._bodies = bodies
        self._cors = cors
        self._offload = offload
        self._inline_max_bytes = inline_max_bytes
        self._has_error_envelope = has_error_envelope
        self._unrouted = unrouted

    async def answer(self, exchange: HttpExchange) -> WholeAnswer:
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
        if not route.method.is_unary:
            raise unimplemented(f"{route.method.path}: methods that stream are not served as JSON")
        call = RestCall(exchange, match, self._bodies)
        failure: TranscodeError | None = None
        try:
            await self._backend.run(call)
        except TranscodeError as error:
            failure = error.released()
            if error.code is grpc.StatusCode.ABORTED and "If-Match" in exchange.headers:
                failure = precondition_failed(failure)
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
        try:
            if route.size(call.response) <= self._inline_max_bytes:
                body = route.encode(call.response)
            else:
                body = await self._encode_in_thread(route, call.response)
        except Fault as fault:
            reason = without_values(fault.text("the message"))
            logger.error(
                "answer of %s has no JSON form: %s, request id %s",
                route.method.path,
                reason,
                exchange.request_id,
            )
            del out[1:]  # the headers of the answer that failed
            return self.failure(exchange, internal_error(exchange.request_id))
        out.append(("Content-Type", JSON_TYPE))
        return status, body

    async def _encode_in_thread(self, route: Route, response: Message) -> bytes:
        # A copy: a servicer may return a message that its next call changes.
        copy = route.method.response_type()
        type(copy).CopyFrom(copy, response)
        return await self._offload.answer(route.encode, copy)

    def refusal(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        if plain_text.is_connect(exchange):
            return plain_text.refuse(error, exchange.answer_headers)
        return self.error_answer(error, exchange.answer_headers)

    def failure(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        return self.error_answer(error, exchange.answer_headers)

    def error_answer(self, error: TranscodeError, out: HeaderList) -> WholeAnswer:
        """Makes the JSON of an error, and adds its headers to the answer's."""
        out += error.headers
        out.append(("Content-Type", JSON_TYPE))
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            out.append(("WWW-Authenticate", "Bearer"))
        body = status_json(error, self._details(error), has_envelope=self._has_error_envelope)
        return error.http_status, body

    def _details(self, error: TranscodeError) -> list[object]:
        if not error.details:
            return []
        try:
            return list(map(self._codec.any_json, Status.FromString(error.details).details))
        except DecodeError:
            logger.warning("dropped grpc-status-details-bin: not a google.rpc.Status")
            return []
