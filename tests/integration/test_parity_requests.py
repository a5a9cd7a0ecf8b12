"""One servicer that streams its requests, under grpc.aio and over JSON: callers must see the same.

In each of the forms that grpc.aio takes: an iterator of requests or `context.read`, a generator or
`context.write`, asynchronous or plain in a thread. The first request's `name` is the case.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import grpc
import pytest

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.grpcweb_fixture import COUNT, TALK
from tests.support.tables import cases
from transcoder import Transcoder

WAIT_S: Final = 30


@dataclass
class Outcome:
    """The end of a call, as its caller sees it, and the `index` of each reply."""

    code: int = 0
    message: str = ""
    replies: list[int] = field(default_factory=list)


class Generating(echo_pb2_grpc.EchoServicer):
    async def Count(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> EchoReply:
        count = 0
        async for request in request_iterator:
            count += 1
            if request.name == "answers after the first":
                break
            if request.name == "aborts":
                await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
            if request.name == "sets a code":
                context.set_code(grpc.StatusCode.OUT_OF_RANGE)
                context.set_details("too far")
        return EchoReply(index=count)

    async def Talk(
        self, request_iterator: AsyncIterator[EchoRequest], context: Any
    ) -> AsyncIterator[EchoReply]:
        count = 0
        async for request in request_iterator:
            count += 1
            yield EchoReply(index=count)
            if request.name == "answers after the first":
                break
            if request.name == "aborts":
                await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
            if request.name == "sets a code":
                context.set_code(grpc.StatusCode.OUT_OF_RANGE)
                context.set_details("too far")


class Reading(Generating):
    """Reads from its context, and writes to it."""

    async def Count(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> EchoReply:
        return await super().Count(_read(context), context)

    async def Talk(  # type: ignore[override]  # grpc.aio takes a coroutine, too
        self, request_iterator: AsyncIterator[EchoRequest], context: Any
    ) -> None:
        async for reply in super().Talk(_read(context), context):
            await context.write(reply)


async def _read(context: Any) -> AsyncIterator[EchoRequest]:
    while (request := await context.read()) is not grpc.aio.EOF:
        yield request


class Plain(echo_pb2_grpc.EchoServicer):
    """Runs in threads. Aborts nothing: grpc.aio goes on in the thread after it told the client."""

    def Count(self, request_iterator: Iterator[EchoRequest], context: Any) -> EchoReply:
        count = 0
        for request in request_iterator:
            count += 1
            if request.name == "sets a code":
                context.set_code(grpc.StatusCode.OUT_OF_RANGE)
                context.set_details("too far")
        return EchoReply(index=count)

    def Talk(self, request_iterator: Iterator[EchoRequest], context: Any) -> Iterator[EchoReply]:
        for count, request in enumerate(request_iterator, start=1):
            yield EchoReply(index=count)
            if request.name == "sets a code":
                context.set_code(grpc.StatusCode.OUT_OF_RANGE)
                context.set_details("too far")


async def native(servicer: Any, path: str, names: list[str]) -> Outcome:
    server = grpc.aio.server()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    outcome = Outcome()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = echo_pb2_grpc.EchoStub(channel)
            requests = [EchoRequest(name=name) for name in names]
            try:
                if path == COUNT:
                    outcome.replies.append((await stub.Count(iter(requests), timeout=WAIT_S)).index)
                else:
                    async for reply in stub.Talk(iter(requests), timeout=WAIT_S):
                        outcome.replies.append(reply.index)
            except grpc.aio.AioRpcError as error:
                outcome.code, outcome.message = error.code().value[0], error.details() or ""
    finally:
        await server.stop(None)
    return outcome


@asynccontextmanager
async def transcoding(servicer: Any) -> AsyncIterator[str]:
    transcoder: Any = Transcoder()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    try:
        yield f"http://{await transcoder.start('127.0.0.1:0')}"
    finally:
        await transcoder.stop()


async def over_json(servicer: Any, path: str, names: list[str]) -> Outcome:
    body = "".join(json.dumps({"name": name}) + "\n" for name in names)
    headers = {"Content-Type": "application/x-ndjson"}
    outcome = Outcome()
    async with (
        transcoding(servicer) as url,
        aiohttp.ClientSession(url) as session,
        session.post(path, data=body, headers=headers) as answer,
    ):
        for line in (await answer.text()).splitlines():
            said = json.loads(line)
            error = said if answer.status != 200 else said.get("error")
            if error is not None:
                outcome.code, outcome.message = error["code"], error["message"]
            else:
                outcome.replies.append(said.get("result", said).get("index", 0))
    return outcome


THREE: Final = ["a", "b", "c"]


def _name(servicer: object) -> str:
    return type(servicer).__name__


@pytest.mark.parametrize("path", [COUNT, TALK])
@pytest.mark.parametrize(
    "servicer", [Generating(), Reading(), Plain()], ids=lambda of: type(of).__name__
)
@cases(
    "names",
    {
        "all are read": THREE,
        "none is sent": list[str](),
        "a code, and on": ["a", "sets a code", "c"],
    },
)
async def test_a_stream_of_requests_is_the_same_over_json_as_natively(
    servicer: Any, path: str, names: list[str]
) -> None:
    assert await over_json(servicer, path, names) == await native(servicer, path, names)


@pytest.mark.parametrize("path", [COUNT, TALK])
@pytest.mark.parametrize("servicer", [Generating(), Reading()], ids=_name)
@pytest.mark.parametrize("case", ["aborts", "answers after the first"])
async def test_a_call_that_ends_before_its_requests_is_the_same_over_json_as_natively(
    servicer: Any, path: str, case: str
) -> None:
    asked = [case, "b", "c"]
    assert await over_json(servicer, path, asked) == await native(servicer, path, asked)
