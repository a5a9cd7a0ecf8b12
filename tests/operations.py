"""google.longrunning.Operations, served: a service that is not of this project's domain."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import error_details_pb2, status_pb2

from transcoder import Transcoder

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
async def serving(**options: Any) -> AsyncIterator[Server]:
    transcoder: Any = Transcoder(**options)
    servicer = Operations()
    operations_pb2_grpc.add_OperationsServicer_to_server(servicer, transcoder)
    address = await transcoder.start("127.0.0.1:0")
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            yield session, servicer
    finally:
        await transcoder.stop()
