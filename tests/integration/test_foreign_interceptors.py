"""Interceptors of PyPI, unchanged: over every protocol they see what they see under grpc.aio.

Each stands behind `Ended`, which tells when it is done with a call, around one servicer with all
four kinds of calls.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, NoReturn, Protocol

import grpc
import grpc_interceptor.exception_to_status
import grpc_interceptor.exceptions
import pytest
import pytest_asyncio
import sentry_sdk
from opentelemetry.instrumentation.grpc import aio_server_interceptor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry
from py_async_grpc_prometheus.prometheus_async_server_interceptor import PromAsyncServerInterceptor
from sentry_sdk.integrations.grpc.aio.server import ServerInterceptor as SentryInterceptor
from sentry_sdk.transport import Transport

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support import documents
from tests.support.all_protocols import ASKS, Asked, Servers, serving_twice

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS: Final = {"Say": (3,), "Repeat": (3,), "Count": (3, 4, 5), "Talk": (3, 4, 5)}
CASES: Final = ("answers", "aborts", "sets_a_code", "raises", "raises_not_found")
TRACE_ID: Final = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID: Final = "b7ad6b7169203331"
TRACE: Final = {
    "traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01",
    "sentry-trace": f"{TRACE_ID}-{PARENT_ID}-1",
}
SENTRY_TRACE: Final = {"trace_id": TRACE_ID, "op": "grpc.server", "origin": "auto.grpc.grpc"}
RAISED: Final = {"exception.type": "ValueError", "exception.message": "secret"}
SAY: Final = "/echo.v1.Echo/Say"
WITHIN_S: Final = 30


class Cases(echo_pb2_grpc.EchoServicer):
    """The metadata `x-case` names what happens after the first answer."""

    async def Say(self, request: EchoRequest, context: Any) -> EchoReply:
        return [reply async for reply in _replies(_each(request), context)][-1]

    async def Repeat(self, request: EchoRequest, context: Any) -> AsyncIterator[EchoReply]:
        async for reply in _replies(_each(request), context):
            yield reply

    async def Count(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> EchoReply:
        return [reply async for reply in _replies(request_iterator, context)][-1]

    async def Talk(
        self, request_iterator: AsyncIterator[EchoRequest], context: Any
    ) -> AsyncIterator[EchoReply]:
        async for reply in _replies(request_iterator, context):
            yield reply


async def _each(request: EchoRequest) -> AsyncIterator[EchoRequest]:
    yield request


async def _replies(requests: AsyncIterator[EchoRequest], context: Any) -> AsyncIterator[EchoReply]:
    case = dict(context.invocation_metadata())["x-case"]
    async for request in requests:
        yield EchoReply(index=request.count)
        if case == "aborts":
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "enough", (("x-a", "1"),))
        if case == "sets_a_code":
            context.set_code(grpc.StatusCode.DATA_LOSS)
            context.set_details("lost")
        if case == "raises":
            raise ValueError("secret")
        if case == "raises_not_found":
            raise grpc_interceptor.exceptions.NotFound("gone")


class Plain(echo_pb2_grpc.EchoServicer):
    """Answers in a thread under grpc.aio without interceptors."""

    def Say(self, request: EchoRequest, context: Any) -> EchoReply:
        return EchoReply(index=request.count)

    def Repeat(self, request: EchoRequest, context: Any) -> Iterator[EchoReply]:
        yield EchoReply(index=request.count)

    def Count(self, request_iterator: Iterator[EchoRequest], context: Any) -> EchoReply:
        return EchoReply(index=len(list(request_iterator)))

    def Talk(self, request_iterator: Iterator[EchoRequest], context: Any) -> Iterator[EchoReply]:
        yield EchoReply(index=len(list(request_iterator)))


class Ended(grpc.aio.ServerInterceptor):
    """Tells of each call that everything behind it has ended."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[str] = asyncio.Queue()

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        handler: Any = await continuation(handler_call_details)
        over = str(dict(handler_call_details.invocation_metadata)["x-over"])
        kind = "stream" if handler.request_streaming else "unary"
        options = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            behind = getattr(handler, f"{kind}_stream")
            try:
                async for response in behind(request, context):
                    yield response
            finally:
                self.calls.put_nowait(over)

        async def answer(request: Any, context: Any) -> Any:
            behind = getattr(handler, f"{kind}_unary")
            try:
                return await behind(request, context)
            finally:
                self.calls.put_nowait(over)

        if handler.response_streaming:
            return getattr(grpc, f"{kind}_stream_rpc_method_handler")(stream, **options)
        return getattr(grpc, f"{kind}_unary_rpc_method_handler")(answer, **options)


class Watched(Protocol):
    """An interceptor, and what it has seen."""

    @property
    def interceptor(self) -> grpc.aio.ServerInterceptor: ...

    def seen(self) -> Any:
        """Returns what it saw of the last call, and forgets it."""


class OpenTelemetry:
    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        make: Any = aio_server_interceptor  # has no types
        self.interceptor: Any = make(tracer_provider=provider)

    def seen(self) -> list[Any]:
        spans = self._exporter.get_finished_spans()
        self._exporter.clear()
        return [self._told(span) for span in spans]

    def _told(self, span: ReadableSpan) -> Any:
        attributes = dict(span.attributes or {})
        # These are each client's own.
        own = {name: attributes.pop(name) for name in ("net.peer.port", "rpc.user_agent")}
        events = [(event.name, dict(event.attributes or {})) for event in span.events]
        for _, attributes_of_event in events:
            del attributes_of_event["exception.stacktrace"]
        return (
            span.name,
            span.kind,
            f"{span.context.trace_id:032x}",
            span.parent and f"{span.parent.span_id:016x}",
            span.status.status_code,
            span.status.description,
            attributes,
            sorted(own),
            events,
        )


class Kept(Transport):
    """Keeps what Sentry would send."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.events += [item.payload.json for item in envelope.items]


class Sentry:
    def __init__(self) -> None:
        self._transport = Kept()
        sentry_sdk.init(
            dsn="http://key@127.0.0.1/1",
            transport=self._transport,
            traces_sample_rate=1.0,
            default_integrations=False,
            auto_enabling_integrations=False,
        )
        self.interceptor = SentryInterceptor()

    def seen(self) -> list[Any]:
        events = self._transport.events[:]
        self._transport.events.clear()
        return [self._told(event) for event in events]

    def _told(self, event: Any) -> Any:
        trace = event["contexts"]["trace"]
        return (
            event.get("type", "error"),
            event["transaction"],
            {name: trace.get(name) for name in ("trace_id", "op", "status", "origin")},
            [
                (each["type"], each["value"], each["mechanism"], _frame(each))
                for each in event.get("exception", {}).get("values", [])
            ],
        )


def _frame(exception: Any) -> str:
    """Returns the function that raised."""
    return str(exception["stacktrace"]["frames"][-1]["function"])


class Noted(grpc_interceptor.exception_to_status.AsyncExceptionToStatusInterceptor):
    """Notes each call and each exception on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Any] = []

    async def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        self.notes.append(
            (method_name, context.code(), dict(context.invocation_metadata())["x-case"])
        )
        answer = await super().intercept(method, request_or_iterator, context, method_name)
        self.notes.append(answer.index if isinstance(answer, EchoReply) else "responses")
        return answer

    async def handle_exception(
        self, ex: Exception, request_or_iterator: Any, context: Any, method_name: str
    ) -> NoReturn:
        self.notes.append((type(ex), str(ex), context.code()))
        await super().handle_exception(ex, request_or_iterator, context, method_name)


class GrpcInterceptor:
    def __init__(self) -> None:
        self.interceptor = self._noted = Noted()

    def seen(self) -> list[Any]:
        notes = self._noted.notes[:]
        self._noted.notes.clear()
        return notes


class Prometheus:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.interceptor = PromAsyncServerInterceptor(
            enable_handling_time_histogram=True, registry=self._registry
        )
        self._before: dict[str, float] = {}

    def seen(self) -> dict[str, float]:
        """Returns by how much each number grew; durations are left out."""
        now = {
            f"{sample.name} {sample.labels}": sample.value
            for metric in self._registry.collect()
            for sample in metric.samples
            if not sample.name.endswith(("_created", "_sum", "_bucket"))
        }
        before, self._before = self._before, now
        grown = {name: value - before.get(name, 0) for name, value in now.items()}
        return {name: by for name, by in grown.items() if by}


PACKAGES: Final[Mapping[str, Callable[[], Watched]]] = {
    "opentelemetry-instrumentation-grpc": OpenTelemetry,
    "sentry-sdk": Sentry,
    "grpc-interceptor": GrpcInterceptor,
    "py-async-grpc-prometheus": Prometheus,
}


COUNTED: Final = {"grpc_type": "UNARY", "grpc_service": "echo.v1.Echo", "grpc_method": "Say"}
SEEN: Final[Mapping[str, Any]] = {
    "opentelemetry-instrumentation-grpc": [
        (
            SAY,
            SpanKind.SERVER,
            TRACE_ID,
            PARENT_ID,
            StatusCode.UNSET,
            None,
            {
                "rpc.system": "grpc",
                "rpc.grpc.status_code": 0,
                "rpc.method": "Say",
                "rpc.service": "echo.v1.Echo",
                "net.peer.ip": "127.0.0.1",
                "net.peer.name": "localhost",
            },
            ["net.peer.port", "rpc.user_agent"],
            # By the span, and by the interceptor itself.
            [("exception", {**RAISED, "exception.escaped": "False"})] * 2,
        )
    ],
    "sentry-sdk": [
        (
            "error",
            SAY,
            {**SENTRY_TRACE, "status": None},
            [("ValueError", "secret", {"type": "grpc", "handled": False}, "_replies")],
        ),
        ("transaction", SAY, {**SENTRY_TRACE, "status": "internal_error"}, []),
    ],
    "grpc-interceptor": [(SAY, None, "raises"), (ValueError, "secret", None)],
    "py-async-grpc-prometheus": {
        f"grpc_server_started_total {COUNTED}": 1,
        f"grpc_server_handled_total {dict(COUNTED, grpc_code='UNKNOWN')}": 1,
        f"grpc_server_handling_seconds_count {COUNTED}": 1,
    },
}
"""All that each package records of a unary call whose handler raises."""


@dataclass(frozen=True)
class Service:
    """A servicer behind an interceptor; `package` has the interceptor.

    Attributes:
        plain: the same methods as plain functions, behind the same interceptor.
    """

    package: str
    servers: Servers
    plain: Servers
    watched: Watched
    ended: Ended


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(PACKAGES))
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    watched, ended = PACKAGES[request.param](), Ended()
    try:
        async with (
            serving_twice(Cases(), [ended, watched.interceptor]) as servers,
            serving_twice(Plain(), [watched.interceptor]) as plain,
        ):
            yield Service(request.param, servers, plain, watched, ended)
    finally:
        sentry_sdk.get_global_scope().set_client(None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
async def test_an_interceptor_sees_a_call_alike_over_every_protocol(
    service: Service, kind: str, case: str
) -> None:
    seen, told = {}, {}
    for over, ask in ASKS[kind].items():
        asked = Asked(KINDS[kind], {"x-case": case, "x-over": over, **TRACE})
        outcome = await ask(service.servers, kind, asked)
        assert await asyncio.wait_for(service.ended.calls.get(), WITHIN_S) == over
        seen[over] = service.watched.seen()
        told[over] = (outcome.code, outcome.message, outcome.responses)
    assert seen == dict.fromkeys(seen, seen["gRPC"])
    if (kind, case) == ("Say", "raises"):
        assert seen["gRPC"] == SEEN[service.package]
    if outcome.code is not grpc.StatusCode.INTERNAL:  # we do not tell of exceptions; grpc.aio does
        assert told == dict.fromkeys(told, told["gRPC"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plain_function_fails_behind_an_interceptor_as_under_grpc_aio(
    service: Service, kind: str
) -> None:
    codes = {}
    for over, ask in ASKS[kind].items():
        codes[over] = (await ask(service.plain, kind, Asked(KINDS[kind], {}))).code
    assert codes.pop("gRPC") is grpc.StatusCode.UNKNOWN
    assert set(codes.values()) == {grpc.StatusCode.INTERNAL}


async def test_the_page_names_the_packages_with_the_versions_that_are_tried() -> None:
    page = (documents.ROOT / "docs/interceptors.md").read_text("utf-8")
    named = dict(re.findall(r"^\| ([a-z-]+) ([0-9][0-9.a-z]*) \|", page, re.MULTILINE))
    assert named == {package: version(package) for package in PACKAGES}
