"""gRPC-Web as an ASGI server calls it, over a backend that says what it was asked.

Knows grpc.health.v1.Health, of which Check is the unary call and Watch the stream.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from transcoder.call import Call, Method
from transcoder.http.ceiling import Ceiling
from transcoder.http.offload import Offload
from transcoder.http.unserved_paths import UnservedPaths
from transcoder.options import Limits
from transcoder.registry import Route, methods_of
from transcoder.routing.http_rule import HttpRule
from transcoder.routing.router import Router
from transcoder.routing.template import PathTemplate
from transcoder.sonora import AsgiEvent, AsgiScope, SonoraGrpcWeb

SERVICE: Final = "grpc.health.v1.Health"
CHECK: Final = "/grpc.health.v1.Health/Check"
WATCH: Final = "/grpc.health.v1.Health/Watch"
# HealthCheckRequest(service="a") and HealthCheckResponse(status=SERVING), framed.
ASKED: Final = b"\x00\x00\x00\x00\x03\x0a\x01a"
SERVING: Final = b"\x00\x00\x00\x00\x02\x08\x01"
OK: Final = b"\x80\x00\x00\x00\x0fgrpc-status:0\r\n"
LIMITS: Final = Limits(message_max_bytes=1000)

Handle = Callable[[Call, Message], Message]
Streaming = Callable[[Call], Awaitable[None]]


def serving(call: Call, request: Message) -> Message:
    return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


async def serving_twice(call: Call) -> None:
    message = serving(call, health_pb2.HealthCheckRequest())
    await call.send(message)
    await call.send(message)


@dataclass
class StandIn:
    """A backend that says what it was asked."""

    handle: Handle = serving
    streaming: Streaming = serving_twice
    requests: list[Message] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    async def run(self, call: Call) -> None:
        request = await call.receive()
        assert request is not None
        self.calls.append(call)
        self.requests.append(request)
        if call.method.server_streaming:
            await self.streaming(call)
        else:
            call.response = self.handle(call, request)


@dataclass
class Binding:
    """Binds the path of a route, as a Binder does."""

    bind: Callable[[Message], None]

    def bind_path(self, variables: Sequence[str], message: Message) -> None:
        self.bind(message)


def router_of(bind: Callable[[Message], None]) -> Router[Route]:
    """Leads from `/v1/health`, by every HTTP method, to Check."""
    binder: Any = Binding(bind)
    method = methods_of(SERVICE)[CHECK]
    template = PathTemplate.parse("/v1/health")
    route = Route(
        method,
        HttpRule("a test", "*", template, body="", response_body=""),
        binder,
        method.response_type.SerializeToString,
        method.response_type.ByteSize,
    )
    router: Router[Route] = Router()
    router.add("*", template, route, origin="a test")
    return router


@dataclass
class Answer:
    """An answer that the application sent in one piece."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Streamed:
    """An answer that the application sent piece by piece."""

    headers: list[tuple[str, str]]
    pieces: list[bytes]


def application_of(
    backend: StandIn,
    methods: Mapping[str, Method],
    *,
    limits: Limits = LIMITS,
    router: Router[Route] | None = None,
) -> SonoraGrpcWeb:
    """Makes the application alone, as a Transcoder makes it."""
    ceiling = Ceiling(max_bytes=limits.bodies_max_bytes, small_bytes=limits.inline_max_bytes)
    return SonoraGrpcWeb(
        backend,
        methods,
        limits=limits,
        offload=Offload(),
        ceiling=ceiling,
        unknown_method=UnservedPaths("").unknown_method,
        router=router,
    )


def with_type(*headers: tuple[str, str]) -> list[tuple[str, str]]:
    return [("content-type", "application/grpc-web+proto"), *headers]


async def ask(
    backend: StandIn,
    *events: AsgiEvent | bytes,
    path: str = CHECK,
    verb: str = "POST",
    headers: Iterable[tuple[str, str]] = (("content-type", "application/grpc-web+proto"),),
    router: Router[Route] | None = None,
) -> Answer:
    """Send the body in the pieces given, as an ASGI server would."""
    sent = await _exchange(backend, events, path=path, verb=verb, headers=headers, router=router)
    start, body = sent
    assert [event["type"] for event in sent] == ["http.response.start", "http.response.body"]
    assert not body["more_body"]
    return Answer(start["status"], _pairs(start), body["body"])


async def ask_stream(
    backend: StandIn,
    *events: AsgiEvent | bytes,
    headers: Iterable[tuple[str, str]] = (("content-type", "application/grpc-web+proto"),),
    fails_at: int | None = None,
) -> Streamed:
    """Call Watch.

    Args:
        backend: what is asked.
        events: the request's body.
        headers: the request's.
        fails_at: which event cannot be sent, and none from there on: the client has gone.
    """
    start, *bodies = await _exchange(
        backend, events, path=WATCH, verb="POST", headers=headers, fails_at=fails_at
    )
    assert start["type"] == "http.response.start"
    assert start["status"] == 200
    if fails_at is None:
        assert [body["more_body"] for body in bodies] == [*[True] * (len(bodies) - 1), False]
    return Streamed(_pairs(start), [body["body"] for body in bodies])


def _pairs(start: AsgiEvent) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in start["headers"]]


async def _exchange(
    backend: StandIn,
    events: Iterable[AsgiEvent | bytes],
    *,
    path: str,
    verb: str,
    headers: Iterable[tuple[str, str]],
    router: Router[Route] | None = None,
    fails_at: int | None = None,
) -> list[AsgiEvent]:
    given = list(events)

    async def received() -> AsyncIterator[AsgiEvent]:
        for at, event in enumerate(given, start=1):
            if isinstance(event, bytes):
                yield {"type": "http.request", "body": event, "more_body": at < len(given)}
            else:
                yield event

    async def send(event: AsgiEvent) -> None:
        if fails_at is not None and len(sent) >= fails_at:
            raise ConnectionResetError
        sent.append(event)

    sent: list[AsgiEvent] = []
    scope: AsgiScope = {
        "type": "http",
        "method": verb,
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 5000),
    }
    application = application_of(backend, methods_of(SERVICE), limits=LIMITS, router=router)
    await application(scope, received().__anext__, send)
    return sent
