"""Reads the requests of a call at a route of HTTP rules: path, query and body make messages.

Follows google/api/http.proto, "gRPC Transcoding".
"""

import functools

from google.protobuf.message import Message

from transcoder.errors import TranscodeError
from transcoder.http.body import BodyHead, BodyReader, head_of
from transcoder.http.exchange import HttpExchange
from transcoder.registry import Route
from transcoder.routing.router import RouteMatch


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
