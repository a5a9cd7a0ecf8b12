"""Serves gRPC-Web: makes calls of requests, and frames of their responses.

Follows grpc/doc/PROTOCOL-WEB.md.
Rule 1: a gRPC-Web request gets HTTP 200 and a trailer frame, however its call ends. Only a request
that is not gRPC-Web gets another HTTP status, with plain text: clients take JSON for the Connect
protocol.
Rule 2: framing.py reads and writes frames, `HttpCall` reads metadata and deadline, the backend runs
the call.
"""

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import grpc
from google.protobuf.message import Message

from transcoder.call import Backend, Method
from transcoder.errors import (
    TranscodeError,
    shown,
    stopping,
    unimplemented,
    unsupported_media_type,
    wrong_method,
)
from transcoder.http.ceiling import Ceiling
from transcoder.http.encodings import IDENTITY
from transcoder.http.exchange import Exchange
from transcoder.http.headers import initial_headers
from transcoder.http.offload import Offload
from transcoder.options import COMPRESS_MIN_BYTES, Limits
from transcoder.protocols import plain_text
from transcoder.protocols.envelopes.compression import accepted_coding
from transcoder.protocols.envelopes.messages import MessageWriter
from transcoder.protocols.grpcweb.framing import (
    GRPC_WEB,
    Mode,
    answer_mode,
    mode_of,
    trailer_frame,
)
from transcoder.protocols.grpcweb.request import RequestReader
from transcoder.protocols.protocol import WholeAnswer
from transcoder.protocols.streams import StreamingCall
from transcoder.registry import Route
from transcoder.routing.router import NewRoute, Router

CONTENT_TYPE: Final = "application/grpc-web"
"""The beginning of every Content-Type of the protocol, in lower case."""

FORM: Final = "gRPC-Web"
"""The name of the protocol in the table of routes."""

Override = Callable[[Message], None]
"""Sets the fields of a parsed message that a REST path binds: the path wins."""


class GrpcWeb:
    """Serves unary methods, and those that stream their responses, as gRPC-Web."""

    has_content_coding: Final = False

    def __init__(
        self,
        backend: Backend,
        methods: Mapping[str, Method],
        *,
        limits: Limits,
        offload: Offload,
        ceiling: Ceiling,
        unknown_method: Callable[[str], TranscodeError],
        router: Router[Route] | None = None,
        compress_min_bytes: int = COMPRESS_MIN_BYTES,
    ) -> None:
        """Serves the methods of a mapping, also those that are added later.

        Args:
            backend: runs the calls.
            methods: by the path that gRPC calls them.
            limits: of messages.
            offload: inflates, deflates and parses large messages.
            ceiling: counts the bytes of bodies.
            unknown_method: returns the error for a path without a method.
            router: finds the method of a REST path; None serves methods at their own paths only.
            compress_min_bytes: messages from this size on are compressed where clients accept it.
        """
        self._backend = backend
        self._methods = methods
        self._router = router
        self._unknown_method = unknown_method
        self._offload = offload
        self._requests = RequestReader(limits, offload, ceiling)
        self._compress_min_bytes = compress_min_bytes

    def forms(self, route: NewRoute[Route]) -> Sequence[str]:
        method, called = route.target.method, self._methods.get(route.path)
        has_verb = route.verb == "POST" or (called is None and route.verb != "HEAD")
        is_own = called is None or called is method
        return (FORM,) if has_verb and is_own and _can_be_served(method) else ()

    def reads(self, content_type: str) -> bool:
        return content_type[: len(CONTENT_TYPE)].lower() == CONTENT_TYPE

    def takes(self, exchange: Exchange) -> bool:
        return True

    async def answer(self, exchange: Exchange) -> WholeAnswer | None:
        path, override = exchange.path, None
        if self._router is not None and path not in self._methods:
            try:
                path, override = self._routed(self._router, exchange)
            except TranscodeError as error:
                if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                    raise
                return self.failure(exchange, error)
        asked = _mode(exchange, is_routed=override is not None)
        headers, out = exchange.headers, exchange.answer_headers
        mode = answer_mode(asked, headers.get("Accept"))
        out.append(("Content-Type", mode.content_type))
        coding = accepted_coding(headers.get(GRPC_WEB.accept_encoding))
        if coding is not None:
            out.append((GRPC_WEB.encoding, coding))
        call: GrpcWebCall | None = None
        try:
            call = GrpcWebCall(
                self._method_to_serve(path),
                exchange,
                requests=self._requests,
                mode=asked,
                override=override,
                frames=_FrameWriter(
                    mode,
                    MessageWriter(self._offload, coding, min_bytes=self._compress_min_bytes),
                ),
            )
            await self._backend.run(call)
            body = b""
            if not call.method.server_streaming:
                body = await call.frames.payload(call.response_in_binary())
            body += mode.encoded(trailer_frame(metadata=call.trailing_metadata))
        except TranscodeError as error:
            error.released()
            if call is None or not call.is_started:
                out += error.headers
            trailing = () if call is None else call.trailing_metadata
            body = mode.encoded(
                trailer_frame(error.code, error.message, details=error.details, metadata=trailing)
            )
        if call is not None:
            if call.is_started:
                with contextlib.suppress(OSError):  # the client left before the end of the body
                    await exchange.finish(body)
                return None
            out += initial_headers(call.initial_metadata)
        return 200, body

    def failure(self, exchange: Exchange, error: TranscodeError) -> WholeAnswer:
        asked = mode_of(exchange.headers.get("Content-Type")) or Mode.BINARY
        mode = answer_mode(asked, exchange.headers.get("Accept"))
        exchange.answer_headers += (("Content-Type", mode.content_type), *error.headers)
        frame = trailer_frame(error.code, error.message, details=error.details)
        return 200, mode.encoded(frame)

    def refusal(self, exchange: Exchange, error: TranscodeError) -> WholeAnswer:
        return plain_text.refuse(error, exchange.answer_headers)

    def method_at(self, path: str) -> Method | None:
        """Returns the method that gRPC calls by a path."""
        return self._methods.get(path)

    def _routed(self, router: Router[Route], exchange: Exchange) -> tuple[str, Override | None]:
        """Returns the path of the method at a REST path, and the override of its fields.

        Raises:
            TranscodeError: no method has this route, or the path cannot be decoded.
        """
        try:
            route, variables = router.match(exchange.verb, exchange.path)
        except TranscodeError as error:
            is_missing = error.code is grpc.StatusCode.NOT_FOUND
            if is_missing and exchange.verb == "POST":
                return exchange.path, None
            raise
        return route.method.path, functools.partial(route.binder.bind_path, variables)

    def _method_to_serve(self, path: str) -> Method:
        method = self.method_at(path)
        if method is None:
            raise self._unknown_method(path)
        if not _can_be_served(method):
            raise unimplemented(f"{method.path} streams its requests, which gRPC-Web does not")
        return method


class GrpcWebCall(StreamingCall):
    """A call with one request; its responses are frames.

    Attributes:
        frames: writes messages as they travel.
    """

    __slots__ = ("_is_received", "_mode", "_override", "_requests", "frames")

    protocol = "grpc-web"

    def __init__(
        self,
        method: Method,
        exchange: Exchange,
        *,
        requests: RequestReader,
        mode: Mode,
        override: Override | None,
        frames: "_FrameWriter",
    ) -> None:
        """Prepares a call.

        Raises:
            TranscodeError: a header is malformed.
        """
        super().__init__(method, exchange)
        self._requests = requests
        self._mode = mode
        self._override = override
        self._is_received = False
        self.frames = frames

    async def receive(self) -> Message | None:
        if self._is_received:
            return None
        self._is_received = True
        message = await self._requests.read(self.method.request_type, self.exchange, self._mode)
        if self._override is not None:
            self._override(message)
        return message

    @property
    def passes_bytes(self) -> bool:
        return self._override is None and self.method.is_unary

    async def receive_bytes(self) -> bytes:
        self._is_received = True
        return await self._requests.read_bytes(self.exchange, self._mode)

    def end_at_stop(self) -> bytes | None:
        error = stopping()
        return self.frames.last(trailer_frame(error.code, error.message))

    async def piece_of(self, message: Message) -> bytes:
        return await self.frames.message(message)


class _FrameWriter:
    """Makes frames of the messages of one answer."""

    __slots__ = ("_messages", "_mode")

    def __init__(self, mode: Mode, messages: MessageWriter) -> None:
        self._mode = mode
        self._messages = messages

    def last(self, trailer: bytes) -> bytes:
        """Returns the trailer frame as it travels."""
        return self._mode.encoded(trailer)

    async def message(self, message: Message) -> bytes:
        """Returns a message's frame; the message is encoded before the first wait."""
        return await self.payload(type(message).SerializeToString(message))

    async def payload(self, payload: bytes) -> bytes:
        """Returns the frame of a message that is encoded."""
        return self._mode.encoded(await self._messages.envelope(payload))


def _can_be_served(method: Method) -> bool:
    return not method.client_streaming


def _mode(exchange: Exchange, *, is_routed: bool) -> Mode:
    """Returns the mode of a request.

    Raises:
        TranscodeError: 415 or 405, the request is not gRPC-Web.
    """
    headers = exchange.headers
    content_type = headers.get("Content-Type")
    mode = mode_of(content_type)
    if mode is None:
        expected = " or ".join(known.content_type for known in Mode)
        raise unsupported_media_type(f"content type {shown(content_type)}: expected {expected}")
    encoding = headers.get("Content-Encoding", IDENTITY)
    if encoding.lower() != IDENTITY:  # only messages may be compressed, not the whole body
        message = f"content encoding {shown(encoding)}: expected none"
        raise unsupported_media_type(message, ("Accept-Encoding", IDENTITY))
    if exchange.verb == "HEAD" or (exchange.verb != "POST" and not is_routed):
        raise wrong_method(("POST",))
    return mode
