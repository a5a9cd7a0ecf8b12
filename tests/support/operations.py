"""google.longrunning.Operations, served: a service that is not of this project's domain.

And a step of a table of what to ask it, as `everything_fixture` has.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
from aiohttp import web
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import error_details_pb2, status_pb2
from multidict import CIMultiDict

from transcoder import Transcoder
from transcoder.errors import CODE_BY_NUMBER

Server = tuple[aiohttp.ClientSession, "Operations"]


class Operations(operations_pb2_grpc.OperationsServicer):  # type: ignore[misc]  # published without types
    """google.longrunning.Operations; the last segment of a name says what happens."""

    def __init__(self) -> None:
        self.seen: Any = None
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def GetOperation(self, request: Any, context: Any) -> Any:
        self.seen = request
        case = request.name.rpartition("/")[2]
        if case == "rich":
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.RetryInfo(retry_delay={"seconds": 3}))
            unknown = any_pb2.Any(type_url="type.googleapis.com/no.Such", value=b"\x01")
            broken = any_pb2.Any(type_url=detail.type_url, value=b"\xff")
            status = status_pb2.Status(code=9, message="busy", details=[detail, unknown, broken])
            details = status.SerializeToString()
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                "busy",
                (("grpc-status-details-bin", details), ("x-left", "1")),
            )
        if case.startswith("code-"):
            await context.abort(CODE_BY_NUMBER[int(case.removeprefix("code-"))], "so it is")
        if case == "headers":
            await context.send_initial_metadata(
                (
                    *(("x-a", "1"), ("x-a", "2"), ("x-data-bin", b"\x01"), ("set-cookie", "a=b")),
                    *(("content-type", "text/html"), ("connection", "close"), ("date", "now")),
                    *(("server", "s"), ("grpc-status", "5"), ("x-bad", "caf\u00e9")),
                )
            )
            context.set_trailing_metadata((("x-cost", "7"), ("x-data-bin", b"\x02")))
        if case == "garbage-details":
            details = (("grpc-status-details-bin", b"\xff"),)
            await context.abort(grpc.StatusCode.ABORTED, "b\u00fcsy \U0001f600\0\r\n", details)
        if case == "surrogate":
            await context.abort(grpc.StatusCode.ABORTED, "\ud800")
        if case == "raises":
            raise ValueError("secret")
        if case == "unauthenticated":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, 'no\r\n"token"')
        if case == "waits":
            self.started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if case == "created":
            await context.send_initial_metadata((("x-http-code", "201"), ("location", "/v1/here")))
            context.set_trailing_metadata((("x-cost", "7"),))
        if case == "large":
            return operations_pb2.Operation(name="x" * 200_000)
        if case == "unwritable":
            await context.send_initial_metadata((("location", "/v1/here"),))
            unknown = any_pb2.Any(type_url="type.googleapis.com/no.Such")
            return operations_pb2.Operation(response=unknown)
        if case.isdecimal():
            await context.send_initial_metadata((("x-http-code", case),))
        if case == "metadata":
            sent = sorted((key, str(value)) for key, value in context.invocation_metadata())
            return operations_pb2.Operation(name=json.dumps(sent))
        return operations_pb2.Operation(name=request.name, done=True)

    async def ListOperations(self, request: Any, context: Any) -> Any:
        self.seen = request
        return operations_pb2.ListOperationsResponse(next_page_token="next")

    async def DeleteOperation(self, request: Any, context: Any) -> Any:
        self.seen = request
        return empty_pb2.Empty()

    async def CancelOperation(self, request: Any, context: Any) -> Any:
        self.seen = request
        return empty_pb2.Empty()

    async def WaitOperation(self, request: Any, context: Any) -> Any:
        self.seen = request
        return operations_pb2.Operation(name=request.name)


@asynccontextmanager
async def serving(*, prefixes: Sequence[str] = ("",), **options: Any) -> AsyncIterator[Server]:
    transcoder: Any = Transcoder(**options)
    servicer = Operations()
    for prefix in prefixes:
        operations_pb2_grpc.add_OperationsServicer_to_server(servicer, transcoder.at(prefix))
    address = await transcoder.start("127.0.0.1:0")
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            yield session, servicer
    finally:
        await transcoder.stop()


@asynccontextmanager
async def mounted(
    prefix: str, host: web.Application | None = None, **options: Any
) -> AsyncIterator[Server]:
    """Serves below a prefix of another application; without one, as an application by itself."""
    transcoder: Any = Transcoder(**options)
    servicer = Operations()
    operations_pb2_grpc.add_OperationsServicer_to_server(servicer, transcoder)
    app = transcoder.app()
    if prefix:
        host = web.Application() if host is None else host
        host.add_subapp(prefix, app)
        app = host
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = "http://{}:{}".format(*runner.addresses[0])
        async with aiohttp.ClientSession(url) as session:
            yield session, servicer
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what must be true of its answer.

    Attributes:
        request: HTTP method and target.
        headers: of the request.
        body: of the request, JSON.
        status: of the answer.
        answer: the JSON of the answer; any, unless said.
        said: headers of the answer; None for one that must not be there.
        options: of the Transcoder.
    """

    request: str
    headers: Sequence[tuple[str, str]] = ()
    body: str | None = None
    status: int = 200
    answer: object = ...
    said: Mapping[str, str | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    async def __call__(self) -> None:
        verb, _, target = self.request.partition(" ")
        named = {name for name, _ in self.headers}
        types = [] if "Content-Type" in named else [("Content-Type", "application/json")]
        async with (
            serving(**self.options) as (session, _),
            session.request(
                verb,
                target,
                data=None if self.body is None else io.BytesIO(self.body.encode()),
                headers=CIMultiDict([*types, *self.headers]),
                allow_redirects=False,
            ) as answer,
        ):
            text = await answer.text()
            assert answer.status == self.status, text
            if self.answer is not ...:
                assert (json.loads(text) if text else None) == self.answer
            for name, value in self.said.items():
                assert answer.headers.get(name) == value, name


@dataclass(frozen=True, slots=True)
class Told:
    """Headers of a request, and the metadata that its method is told."""

    headers: Sequence[tuple[str, str]]
    metadata: Sequence[tuple[str, str]]
    options: Mapping[str, Any] = field(default_factory=dict)

    async def __call__(self) -> None:
        async with (
            serving(**self.options) as (session, _),
            session.get("/v1/operations/metadata", headers=CIMultiDict(self.headers)) as answer,
        ):
            told = json.loads((await answer.json())["name"])
        clients_own = ("accept", "user-agent", "x-request-id")
        assert [tuple(pair) for pair in told if pair[0] not in clients_own] == [*self.metadata]
