"""echo.v1.Echo: a service with every kind of call, and every way that one ends.

Knows what tests/proto/echo.proto says of each case; knows neither callers nor protocols.

Rule: no case waits for time to pass. What must be waited for is an event, under the call's name.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from tests.proto import echo_pb2, echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from transcoder import Transcoder

FILES: Final = (echo_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)
"""The files of the service, and of its error details' types."""
SAY: Final = "/echo.v1.Echo/Say"
REPEAT: Final = "/echo.v1.Echo/Repeat"
COUNT: Final = "/echo.v1.Echo/Count"
TALK: Final = "/echo.v1.Echo/Talk"

ERROR_MESSAGE: Final = "zu groß: 100%"
"""The message of CASE_ERROR; its detail is ErrorInfo(reason="BUSY", domain="größer")."""
SECRET: Final = "secret"
"""The text of CASE_RAISE, which no caller may see."""
_INITIAL: Final = (("x-first", "1"), ("x-first-bin", b"\x00\xff"))
_TRAILING: Final = (("x-name", "plain"), ("x-name-bin", "größer".encode()))
_BAD_TRAILING: Final = (("x-bad", "größer"), ("x-bad", "a\r\ngrpc-status: 13"), ("x-name", "plain"))


def _events() -> defaultdict[str, asyncio.Event]:
    return defaultdict(asyncio.Event)


class Echo(echo_pb2_grpc.EchoServicer):
    """The service.

    Attributes:
        seen: the requests, in the order of their calls.
        started, cancelled, ended: set under the name of a call when it has begun, when it was
            cancelled, and when it is over whatever became of it.
        sent: how many messages a stream has made, under its name.
    """

    def __init__(self) -> None:
        self.seen: list[EchoRequest] = []
        self.started = _events()
        self.cancelled = _events()
        self.ended = _events()
        self.sent: Counter[str] = Counter()

    async def Say(self, request: EchoRequest, context: Any) -> EchoReply:
        async with self._noted(request):
            await context.send_initial_metadata(_INITIAL)
            await self._end(request, context)
            return _reply(request, 1)

    async def Repeat(self, request: EchoRequest, context: Any) -> AsyncIterator[EchoReply]:
        async with self._noted(request):
            await context.send_initial_metadata(_INITIAL)
            index = 0
            while index < request.count or request.case == echo_pb2.CASE_ENDLESS:
                index += 1
                self.sent[request.name] = index
                yield _reply(request, index)
            await self._end(request, context)

    async def Count(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> EchoReply:
        requests = [request async for request in request_iterator]
        return EchoReply(index=len(requests))

    async def Talk(
        self, request_iterator: AsyncIterator[EchoRequest], context: Any
    ) -> AsyncIterator[EchoReply]:
        async for request in request_iterator:
            yield _reply(request, 1)

    @asynccontextmanager
    async def _noted(self, request: EchoRequest) -> AsyncIterator[None]:
        self.seen.append(request)
        self.started[request.name].set()
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled[request.name].set()
            raise
        finally:
            self.ended[request.name].set()

    async def _end(self, request: EchoRequest, context: Any) -> None:
        case = request.case
        if case in (echo_pb2.CASE_WAIT, echo_pb2.CASE_ENDLESS):
            await asyncio.Event().wait()
        if case == echo_pb2.CASE_RAISE:
            raise ValueError(SECRET)
        if case == echo_pb2.CASE_BAD_TRAILERS:
            context.set_trailing_metadata(_BAD_TRAILING)
            return
        context.set_trailing_metadata(_TRAILING)
        if case == echo_pb2.CASE_ERROR:
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.ErrorInfo(reason="BUSY", domain="größer"))
            status = status_pb2.Status(code=9, message=ERROR_MESSAGE, details=[detail])
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                ERROR_MESSAGE,
                (*_TRAILING, ("grpc-status-details-bin", status.SerializeToString())),
            )


def _reply(request: EchoRequest, index: int) -> EchoReply:
    return EchoReply(name=request.name, index=index, payload=b"x" * request.size)


@dataclass(frozen=True)
class Server:
    """A Transcoder that serves the service.

    Attributes:
        address: "host:port".
    """

    address: str
    servicer: Echo

    @property
    def url(self) -> str:
        return f"http://{self.address}"


@asynccontextmanager
async def serving(servicer: Echo | None = None, **options: Any) -> AsyncIterator[Server]:
    """Serve on a free port.

    Args:
        servicer: another than a new Echo.
        options: of the Transcoder: cors_origins, limits.
    """
    transcoder: Any = Transcoder(**options)
    servicer = servicer or Echo()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    try:
        yield Server(await transcoder.start("127.0.0.1:0"), servicer)
    finally:
        await transcoder.stop()
