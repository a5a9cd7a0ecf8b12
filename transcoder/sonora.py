"""Serves gRPC-Web through sonora's ASGI application class.

`SonoraGrpcWeb` is a subclass of `sonora.asgi.grpcASGI` on top of the library's own gRPC-Web. It can
be mounted in an ASGI application, and given to a `Transcoder` as its class for gRPC-Web. It keeps
sonora's application class, registration of services and look-up by path. It overrides all else,
because each other step of sonora answers some client wrong (docs/grpc-web.md lists them).

Follows the ASGI specification, "HTTP & WebSocket ASGI Message Format".
Rule: nothing else of the library imports sonora, which is an extra.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NotRequired, TypedDict

import grpc
from multidict import CIMultiDict, CIMultiDictProxy
from sonora.asgi import grpcASGI

from transcoder.call import Backend, Call, Method
from transcoder.errors import TranscodeError, client_left
from transcoder.http.ceiling import Ceiling
from transcoder.http.exchange import Exchange
from transcoder.http.offload import Offload
from transcoder.options import COMPRESS_MIN_BYTES, Limits
from transcoder.protocols.grpcweb.handler import GrpcWeb
from transcoder.registry import Route
from transcoder.routing.router import Router


class AsgiScope(TypedDict):
    """The part of an ASGI scope that gRPC-Web reads."""

    type: str
    method: str
    path: str
    headers: Iterable[tuple[bytes, bytes]]
    client: NotRequired[object]


class AsgiEvent(TypedDict):
    """The part of ASGI's HTTP events that gRPC-Web reads and writes."""

    type: str
    body: NotRequired[bytes]
    more_body: NotRequired[bool]
    status: NotRequired[int]
    headers: NotRequired[Iterable[tuple[bytes, bytes]]]


AsgiReceive = Callable[[], Awaitable[AsgiEvent]]
AsgiSend = Callable[[AsgiEvent], Awaitable[None]]


class AsgiExchange(Exchange):
    """An exchange with a client of an ASGI server."""

    __slots__ = ("_receive", "_send")

    def __init__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        self.verb = scope["method"]
        self.path = scope["path"]
        self.query = ""
        self.headers = CIMultiDictProxy(CIMultiDict(pairs))
        self.request_id = ""
        self.peername = scope.get("client")
        self.forwarded_for = None
        self.forward_cookies = False
        self.answer_headers = []
        self._receive = receive
        self._send = send

    def hold(self, call: Call) -> None:
        """Does nothing: an ASGI server does not say why it cancels."""

    async def read(self) -> tuple[bytes, bool]:
        event = await self._receive()
        if event["type"] == "http.disconnect":
            raise client_left()
        return event.get("body", b""), event.get("more_body", False)

    async def begin(self, status: int) -> None:
        headers = [
            (name.lower().encode("ascii"), value.encode("latin-1"))
            for name, value in self.answer_headers
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def finish(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": False})


class ServedMethods(grpc.GenericRpcHandler):
    """Gives sonora the methods that it looks up by path."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._methods = methods

    # sonora passes the result on as it is: a method, not a handler, which the backend has.
    def service(  # type: ignore[override]
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> Method | None:
        return self._methods.get(handler_call_details.method)


class SonoraGrpcWeb(GrpcWeb, grpcASGI):  # type: ignore[misc]  # sonora is published without types
    """gRPC-Web as sonora's ASGI application."""

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
        """Serves methods, as `GrpcWeb` does."""
        grpcASGI.__init__(self, enable_cors=False)
        GrpcWeb.__init__(
            self,
            backend,
            methods,
            limits=limits,
            offload=offload,
            ceiling=ceiling,
            unknown_method=unknown_method,
            router=router,
            compress_min_bytes=compress_min_bytes,
        )
        self.add_generic_rpc_handlers((ServedMethods(methods),))

    def method_at(self, path: str) -> Method | None:
        method: Method | None = self._get_rpc_handler(path)
        return method

    async def __call__(self, scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answers a request as ASGI asks."""
        if scope["type"] != "http":
            raise RuntimeError(f"ASGI scope: expected type 'http', got {scope['type']!r}")
        exchange = AsgiExchange(scope, receive, send)
        try:
            answer = await self.answer(exchange)
        except TranscodeError as error:
            answer = self.refusal(exchange, error.released())
        if answer is not None:
            status, body = answer
            await exchange.begin(status)
            await exchange.finish(body)
