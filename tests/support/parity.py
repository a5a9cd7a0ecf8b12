"""One servicer, called under grpc.aio and in process; what the caller of each sees.

Knows grpc.health.v1.Health, of which Check is the unary call and Watch the stream. The request's
`service` names the case.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from transcoder.backends.inprocess import Handler, InProcess
from transcoder.call import Call, CallMetadata, Metadatum
from transcoder.errors import TranscodeError
from transcoder.registry import methods_of

CHECK: Final = "/grpc.health.v1.Health/Check"
WATCH: Final = "/grpc.health.v1.Health/Watch"
METADATA: Final = (("x-in", "text"), ("x-in-bin", b"\x00\x01"))
TIMEOUT_S: Final = 10

Interceptors = Sequence[grpc.aio.ServerInterceptor]


class Replacing(grpc.aio.ServerInterceptor):
    """Puts another handler in the place of the registered one."""

    def __init__(self, replace: Callable[[Any], Any]) -> None:
        self._replace = replace

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        return self._replace(await continuation(handler_call_details))


@dataclass
class Outcome:
    """The answer of one RPC, as its caller sees it.

    Attributes:
        responses: the status of each message.
    """

    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str = ""
    responses: list[int] = field(default_factory=list)
    initial: list[tuple[str, str | bytes]] = field(default_factory=list)
    trailing: list[tuple[str, str | bytes]] = field(default_factory=list)


def handlers_of(servicer: health_pb2_grpc.HealthServicer) -> dict[str, Handler]:
    """Returns the handlers that the generated code registers, by method path."""
    seen: dict[str, Handler] = {}

    class Recorder:
        def add_generic_rpc_handlers(self, handlers: object) -> None: ...

        def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
            seen.update({f"/{service}/{name}": handler for name, handler in handlers.items()})

    recorder: Any = Recorder()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, recorder)
    return seen


@asynccontextmanager
async def _stub(
    servicer: health_pb2_grpc.HealthServicer, interceptors: Interceptors
) -> AsyncIterator[Any]:
    server = grpc.aio.server(interceptors=list(interceptors))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield health_pb2_grpc.HealthStub(channel)
    finally:
        await server.stop(None)


async def native(
    servicer: health_pb2_grpc.HealthServicer,
    case: str,
    interceptors: Interceptors = (),
    *,
    path: str = CHECK,
) -> Outcome:
    """Calls Check, or Watch by its path, under grpc.aio."""
    outcome = Outcome()
    async with _stub(servicer, interceptors) as stub:
        method = stub.Check if path == CHECK else stub.Watch
        request = health_pb2.HealthCheckRequest(service=case)
        call = method(request, metadata=METADATA, timeout=TIMEOUT_S)
        try:
            if path == CHECK:
                outcome.responses.append((await call).status)
            else:
                async for response in call:
                    outcome.responses.append(response.status)
        except grpc.aio.AioRpcError as error:
            outcome.code, outcome.message = error.code(), error.details() or ""
        outcome.initial = [(key, value) for key, value in await call.initial_metadata()]
        outcome.trailing = [(key, value) for key, value in await call.trailing_metadata()]
    return outcome


class GivenCall(Call):
    """A call as a protocol makes it that has read the request; where responses go, a test says."""

    def __init__(
        self,
        path: str,
        request: Message,
        *,
        deadline: float | None = None,
        metadata: Sequence[tuple[str, str | bytes]] = METADATA,
    ) -> None:
        super().__init__(
            methods_of("grpc.health.v1.Health")[path],
            CallMetadata([Metadatum(*pair) for pair in metadata]),
            deadline=deadline,
            peername=("127.0.0.1", 5000),
        )
        self._requests = [request]

    async def receive(self) -> Message | None:
        return self._requests.pop() if self._requests else None


def _backend(servicer: health_pb2_grpc.HealthServicer, interceptors: Interceptors) -> InProcess:
    backend = InProcess(interceptors)
    backend.register(handlers_of(servicer))
    return backend


class CollectingCall(GivenCall):
    """Keeps what is sent, as the caller of a stream sees it."""

    def __init__(self, path: str, request: Message, outcome: Outcome) -> None:
        super().__init__(path, request)
        self._outcome = outcome

    async def start(self) -> None:
        self._outcome.initial = list(self.initial_metadata)

    async def send(self, message: Message) -> None:
        await self.start()
        self._outcome.responses.append(message.status)  # type: ignore[attr-defined]


async def in_process(
    servicer: health_pb2_grpc.HealthServicer,
    case: str,
    interceptors: Interceptors = (),
    *,
    path: str = CHECK,
) -> Outcome:
    """Calls Check, or Watch by its path, in this process."""
    outcome = Outcome()
    call = CollectingCall(path, health_pb2.HealthCheckRequest(service=case), outcome)
    try:
        await _backend(servicer, interceptors).run(call)
        if path == CHECK:
            outcome.responses.append(call.response.status)  # type: ignore[attr-defined]
    except TranscodeError as error:
        outcome.code, outcome.message = error.code, error.message
        if error.details:
            outcome.trailing.append(("grpc-status-details-bin", error.details))
    outcome.initial = list(call.initial_metadata)
    outcome.trailing += call.trailing_metadata
    return outcome
