"""Serves methods over WebSocket, at the paths of their HTTP rules.

A request takes these steps: route, origin, handshake, metadata, call, end. Whatever fails before
the handshake is answered over HTTP; afterwards the last message has the status.

Follows RFC 6455; docs/streams.md has what messages are.
Rule 1: a page of an origin that is not allowed opens nothing: CORS does not hold for WebSocket.
Rule 2: the call runs in a task of its own, so that its connection can end it and still be closed
as RFC 6455 says.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import orjson
from multidict import CIMultiDict, CIMultiDictProxy

from transcoder.call import Backend
from transcoder.errors import TranscodeError, foreign_origin, malformed, shown, too_large
from transcoder.http.ceiling import Ceiling, Held
from transcoder.http.cors import Cors
from transcoder.http.exchange import HttpExchange
from transcoder.http.offload import Offload
from transcoder.http.switched import Kind, MessageWire
from transcoder.options import Limits
from transcoder.protocols.json_errors import JsonErrors
from transcoder.protocols.protocol import WholeAnswer
from transcoder.protocols.websocket.call import SocketCall
from transcoder.protocols.websocket.framed_wire import FramedWire
from transcoder.protocols.websocket.handshake import (
    Subprotocol,
    answer_headers,
    is_handshake,
    subprotocol_of,
)
from transcoder.protocols.websocket.socket import Socket
from transcoder.registry import Registry, Route
from transcoder.routing.router import NewRoute, RouteMatch
from transcoder.tasks import Tasks

FORM: Final = "WebSocket"
"""The name of the protocol in the table of routes."""
METADATA_MAX_BYTES: Final = 16 << 10
"""Max bytes of a message with metadata, as of the headers that gRPC takes."""
_VERBS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class WebSockets:
    """Serves the methods of a registry."""

    has_content_coding: Final = True

    def __init__(
        self,
        registry: Registry,
        backend: Backend,
        errors: JsonErrors,
        *,
        limits: Limits,
        offload: Offload,
        ceiling: Ceiling,
        cors: Cors,
        tasks: Tasks,
    ) -> None:
        """Serves the methods of the registry, also those that are added later.

        Args:
            registry: the routes.
            backend: runs the calls.
            errors: writes errors.
            limits: of messages and waits.
            offload: reads and writes large messages.
            ceiling: counts the bytes that wait.
            cors: knows the origins that may call.
            tasks: keeps calls whose clients left until they have ended.
        """
        self._router = registry.router
        self._backend = backend
        self._errors = errors
        self._limits = limits
        self._offload = offload
        self._ceiling = ceiling
        self._cors = cors
        self._tasks = tasks
        self._open: set[Socket] = set()

    def forms(self, route: NewRoute[Route]) -> Sequence[str]:
        match = self._match(route.sample_path)
        return (FORM,) if match is not None and match.target is route.target else ()

    def reads(self, content_type: str) -> bool:
        return content_type == ""

    def takes(self, exchange: HttpExchange) -> bool:
        request = exchange.request
        return (
            request.is_websocket
            or (
                "Upgrade" in exchange.headers
                and request.may_switch
                and is_handshake(exchange.verb, exchange.headers)
            )
        ) and self._match(exchange.path) is not None

    async def answer(self, exchange: HttpExchange) -> WholeAnswer | None:
        headers = exchange.headers
        match = self._match(exchange.path)
        if match is None:
            raise malformed("path: expected that of a method")
        origin = headers.get("Origin")
        if self._cors.refuses_page(origin, headers):
            raise foreign_origin(origin)
        subprotocol = subprotocol_of(headers)
        with Held(self._ceiling) as held:
            socket = Socket(self._limits, self._errors, held)
            try:
                wire = await _opened(exchange, subprotocol, socket)
            except OSError:
                return None
            self._open.add(socket)
            serving = asyncio.create_task(self._serve(exchange, match, subprotocol, socket))
            self._tasks.keep(serving)

            def end() -> None:
                exchange.request.end_call()
                serving.cancel()

            socket.open(wire, end)
            try:
                await asyncio.wait((serving,))
                if not serving.cancelled():
                    serving.result()
                await socket.closed()
            finally:
                socket.feed_eof()
                self._open.discard(socket)
        return None

    def stop(self) -> None:
        """Tells all clients that the server stops, and ends their calls."""
        for socket in tuple(self._open):
            socket.stop()
            socket.feed_eof()

    async def _serve(
        self,
        exchange: HttpExchange,
        match: RouteMatch[Route],
        subprotocol: Subprotocol,
        socket: Socket,
    ) -> None:
        call: SocketCall | None = None
        failure: TranscodeError | None = None
        try:
            if subprotocol.has_metadata:
                exchange.headers = await self._with_metadata(exchange.headers, socket)
            call = SocketCall(
                exchange,
                match,
                socket,
                is_binary=True if subprotocol.is_binary else None,
                limits=self._limits,
                offload=self._offload,
            )
            await self._backend.run(call)
            if not call.method.server_streaming:
                await call.send(call.response)
        except TranscodeError as error:
            failure = error.released()
            if call is None:
                exchange.log_refusal(failure)
        if call is None:
            socket.end(failure)
        else:
            socket.end(failure, call.trailing_metadata, before=call.opening())

    async def _with_metadata(
        self, headers: CIMultiDictProxy[str], socket: Socket
    ) -> CIMultiDictProxy[str]:
        """Returns the headers of the handshake with those of the first message in their place.

        Raises:
            TranscodeError: the message is no metadata, too large or too slow, or the client left.
        """
        timeout_s = self._limits.body_timeout_s
        kind, data = await socket.next(begin_s=timeout_s, what="the metadata")
        if len(data) > METADATA_MAX_BYTES:
            raise too_large("the metadata", limit_bytes=METADATA_MAX_BYTES)
        if kind is not Kind.TEXT:
            raise malformed("metadata: expected a text message, got a binary one")
        merged = CIMultiDict(headers)
        for name, values in _metadata_of(data).items():
            merged.popall(name, None)
            merged.extend((name, value) for value in values)
        return CIMultiDictProxy(merged)

    def _match(self, path: str) -> RouteMatch[Route] | None:
        """Returns the route of a path: a handshake is always GET, whatever the rule says."""
        for verb in _VERBS:
            try:
                return self._router.match(verb, path)
            except TranscodeError as error:
                error.released()
        return None

    def refusal(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        return self._errors.answer(error, exchange.answer_headers)

    def failure(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        return self._errors.answer(error, exchange.answer_headers)


async def _opened(exchange: HttpExchange, subprotocol: Subprotocol, socket: Socket) -> MessageWire:
    """Accepts a handshake.

    Raises:
        TranscodeError: it is malformed.
        OSError: the client left.
    """
    if exchange.request.is_websocket:
        return await exchange.accept(subprotocol.name, socket)
    out = answer_headers(exchange.headers, subprotocol)
    return FramedWire(await exchange.switch(out, socket))


def _metadata_of(data: bytes) -> dict[str, list[str]]:
    """Reads a JSON object of metadata; a value is a text, or a list of them.

    Raises:
        TranscodeError: it is something else.
    """
    expected = "expected a JSON object of texts, or of lists of texts"
    try:
        given = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise malformed(f"metadata: {expected}, got no JSON") from None
    if not isinstance(given, dict):
        raise malformed(f"metadata: {expected}, got another value")
    out: dict[str, list[str]] = {}
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in values):
            expected = "expected a text or a list of texts"
            raise malformed(f"metadata {shown(name)}: {expected}, got another value")
        out[name] = values
    return out
