"""Speaks gRPC-Web: sonora's ASGI application in front of a backend.

Of sonora stays what is sound: the application class, and the registration of services with its
look-up by path. All else happens in `__call__`, which is overridden whole, because each step of
sonora's own answers some client wrong (docs/grpc-web.md lists them).

Follows grpc/doc/PROTOCOL-WEB.md.
Rule 1: a request that is gRPC-Web is answered in gRPC-Web, HTTP 200 and a trailer frame, however
its call ends. Only one that is not gets another HTTP status, with a text: clients take JSON for
the Connect protocol.
Rule 2: framing is `grpcweb`'s, metadata and deadline are `headers`', the call is the backend's.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Final

import grpc
from aiohttp import web
from google.protobuf.message import Message
from multidict import CIMultiDict, CIMultiDictProxy
from sonora.asgi import grpcASGI

from transcoder.call import Backend, Call, Method
from transcoder.errors import (
    TranscodeError,
    shown,
    unimplemented,
    unsupported_media_type,
    wrong_method,
)
from transcoder.http.asgi_bridge import (
    EXTENSION,
    AsgiReceive,
    AsgiScope,
    AsgiSend,
    Begin,
    Bridge,
    Routed,
    decode_headers,
)
from transcoder.http.ceiling import Ceiling
from transcoder.http.encodings import DEFLATE_AT_ONCE_BYTES, GZIP, IDENTITY, deflate
from transcoder.http.headers import HttpMetadata, deadline_of, initial_headers
from transcoder.http.offload import Offload
from transcoder.http.response import HeaderList
from transcoder.options import COMPRESS_MIN_BYTES, Limits
from transcoder.protocols.grpcweb.compression import accepts_gzip
from transcoder.protocols.grpcweb.framing import (
    Mode,
    answer_mode,
    message_frame,
    mode_of,
    trailer_frame,
)
from transcoder.protocols.grpcweb.request import RequestReader

_UNROUTED: Final = Routed()
_PLAIN_TEXT: Final = "text/plain; charset=utf-8"
_TURN_S: Final = 0.002
"""How long a stream may go on before others have their turn."""


class ServedMethods(grpc.GenericRpcHandler):
    """Methods as sonora registers them."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._methods = methods

    # sonora only hands on what it looks up; a method, since the backend has the handlers.
    def service(  # type: ignore[override]
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> Method | None:
        return self._methods.get(handler_call_details.method)


class GrpcWeb(grpcASGI):  # type: ignore[misc]  # sonora is published without types
    """gRPC-Web for the methods of one backend."""

    def __init__(
        self,
        backend: Backend,
        methods: Mapping[str, Method],
        *,
        limits: Limits,
        offload: Offload,
        ceiling: Ceiling,
        forward_cookies: bool = False,
        compress_min_bytes: int = COMPRESS_MIN_BYTES,
        unknown_method: Callable[[str], TranscodeError],
    ) -> None:
        """Serve `methods`, by path; what is added to the mapping later is served too.

        `unknown_method` returns the error for any other path.
        """
        super().__init__(enable_cors=False)
        self._compress_min_bytes = compress_min_bytes
        self._unknown_method = unknown_method
        self._backend = backend
        self._limits = limits
        self._offload = offload
        self._requests = RequestReader(limits, offload, ceiling)
        self._forward_cookies = forward_cookies
        self.add_generic_rpc_handlers((ServedMethods(methods),))

    async def answer(
        self, request: web.BaseRequest, path: str, *, routed: Routed, begin: Begin
    ) -> web.StreamResponse | tuple[int, HeaderList, bytes]:
        """Answer an aiohttp request.

        Args:
            request: its content type begins with "application/grpc-web".
            path: of the method; on a REST route that of the method it leads to.
            routed: what the route adds.
            begin: called once there is a part of the body to send before the rest.

        Returns:
            What `begin` made, written to its end; or HTTP status, headers and the whole body.
        """
        bridge = Bridge(request, self._limits, begin)
        scope: AsgiScope = {
            "type": "http",
            "method": request.method,
            "path": path,
            "headers": request.raw_headers,
            "client": request.protocol.peername,
            "extensions": {EXTENSION: routed},
        }
        await self(scope, bridge.receive, bridge.send)
        if bridge.response is not None:
            return bridge.response
        return bridge.status, bridge.headers, bridge.body

    @staticmethod
    def failure(error: TranscodeError, headers: Mapping[str, str]) -> tuple[int, HeaderList, bytes]:
        """The answer, in gRPC-Web, to a request that failed before or outside this protocol.

        Args:
            error: how it failed.
            headers: the request's.
        """
        asked = mode_of(headers.get("Content-Type")) or Mode.BINARY
        mode = answer_mode(asked, headers.get("Accept"))
        frame = trailer_frame(error.code, error.message, details=error.details)
        return 200, [("Content-Type", mode.content_type), *error.headers], mode.encoded(frame)

    @staticmethod
    def refusal(error: TranscodeError) -> tuple[int, HeaderList, bytes]:
        """Returns the answer to a gRPC-Web request that is no call."""
        headers = [("Content-Type", _PLAIN_TEXT), *error.headers]
        return error.http_status, headers, error.message.encode("utf-8", "replace")

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer as ASGI asks."""
        if scope["type"] != "http":
            raise RuntimeError(f"ASGI scope {scope['type']!r}: only 'http' is served here")
        routed = scope.get("extensions", {}).get(EXTENSION, _UNROUTED)
        headers = routed.headers
        if headers is None:
            headers = CIMultiDictProxy(CIMultiDict(decode_headers(scope["headers"])))
        try:
            asked = _mode(scope["method"], headers, routed)
        except TranscodeError as error:
            status, out, body = self.refusal(error)
            await _send_head(send, status, out)
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        mode = answer_mode(asked, headers.get("Accept"))
        out = [("Content-Type", mode.content_type)]
        gzip_min_bytes = None
        if accepts_gzip(headers.get("grpc-accept-encoding")):
            gzip_min_bytes = self._compress_min_bytes
            out.append(("grpc-encoding", GZIP))
        call: Call | None = None
        stream: _Stream | None = None
        try:
            call = self._call(scope, headers, routed.request_id)
            if routed.hold is not None:
                routed.hold(call)
            request_type = call.method.request_type

            async def read() -> Message:
                message = await self._requests.read(request_type, receive, headers, asked)
                if routed.override is not None:
                    routed.override(message)
                return message

            if call.method.server_streaming:
                stream = _Stream(
                    send, mode, out, call, self._offload, gzip_min_bytes=gzip_min_bytes
                )
                await self._backend.stream(call, read, stream)
                body = b""
            else:
                response = await self._backend.unary(call, read)
                body = mode.encoded(await _message_frame(response, gzip_min_bytes, self._offload))
            body += mode.encoded(trailer_frame(metadata=call.trailing_metadata))
        except TranscodeError as error:
            error.released()
            out += error.headers
            trailing = () if call is None else call.trailing_metadata
            body = mode.encoded(
                trailer_frame(error.code, error.message, details=error.details, metadata=trailing)
            )
        if stream is not None and stream.is_started:
            await stream.finish(body)
            return
        if call is not None:
            out += initial_headers(call.initial_metadata)
        await _send_head(send, 200, out)
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _call(self, scope: AsgiScope, headers: CIMultiDictProxy[str], request_id: str) -> Call:
        method = self._get_rpc_handler(scope["path"])
        if method is None:
            raise self._unknown_method(scope["path"])
        if method.client_streaming:
            raise unimplemented(f"{method.path} streams its requests, which gRPC-Web does not")
        metadata = HttpMetadata(
            headers, request_id=request_id, forward_cookies=self._forward_cookies
        )
        return Call(method, metadata, deadline=deadline_of(headers), peername=scope.get("client"))


def _mode(verb: str, headers: Mapping[str, str], routed: Routed) -> Mode:
    content_type = headers.get("Content-Type")
    mode = mode_of(content_type)
    if mode is None:
        expected = " or ".join(known.content_type for known in Mode)
        raise unsupported_media_type(f"content type {shown(content_type)}: expected {expected}")
    encoding = headers.get("Content-Encoding", IDENTITY)
    if encoding.lower() != IDENTITY:  # frames may be compressed, the body around them not
        message = f"content encoding {shown(encoding)}: expected none"
        raise unsupported_media_type(message, ("Accept-Encoding", IDENTITY))
    if verb == "HEAD" or (verb != "POST" and routed.override is None):
        raise wrong_method(("POST",))
    return mode


async def _send_head(send: AsgiSend, status: int, headers: HeaderList) -> None:
    encoded = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _message_frame(message: Message, gzip_min_bytes: int | None, offload: Offload) -> bytes:
    """A message's frame; the message is encoded before anything is waited for."""
    payload = type(message).SerializeToString(message)
    if gzip_min_bytes is not None and len(payload) >= gzip_min_bytes:
        if len(payload) <= DEFLATE_AT_ONCE_BYTES:
            compressed = deflate(payload)
        else:
            compressed = await offload.answer(deflate, payload)
        if len(compressed) < len(payload):
            return message_frame(compressed, is_compressed=True)
    return message_frame(payload)


class _Stream:
    """The sink of one stream: a frame a message, each a part of the body as it comes."""

    def __init__(
        self,
        send: AsgiSend,
        mode: Mode,
        headers: HeaderList,
        call: Call,
        offload: Offload,
        *,
        gzip_min_bytes: int | None,
    ) -> None:
        self._send = send
        self._gzip_min_bytes = gzip_min_bytes
        self._offload = offload
        self._mode = mode
        self._headers = headers
        self._call = call
        self._turn_began = time.monotonic()
        self.is_started = False

    async def start(self) -> None:
        await self._write(b"")

    async def send(self, message: Message) -> None:
        frame = await _message_frame(message, self._gzip_min_bytes, self._offload)
        await self._write(self._mode.encoded(frame))
        if time.monotonic() - self._turn_began > _TURN_S:
            # A handler that never waits, and a reader that keeps up, would hold the loop.
            await asyncio.sleep(0)
            self._turn_began = time.monotonic()

    async def finish(self, body: bytes) -> None:
        """Send the rest of a body that has begun; a client that has gone has none."""
        with contextlib.suppress(OSError):
            await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _write(self, body: bytes) -> None:
        try:
            if not self.is_started:
                self.is_started = True
                self._headers += initial_headers(self._call.initial_metadata)
                await _send_head(self._send, 200, self._headers)
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
        except OSError as exc:  # what ASGI has a server raise
            raise TranscodeError(grpc.StatusCode.CANCELLED, "the client left") from exc
