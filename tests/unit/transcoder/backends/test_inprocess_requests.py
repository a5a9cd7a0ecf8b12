"""Streams of requests in process, as a protocol that carries them hands them to the backend."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from tests.support.parity import CHECK, GivenCall
from transcoder.backends.inprocess import InProcess
from transcoder.errors import TranscodeError

REQUESTS = [health_pb2.HealthCheckRequest(service=name) for name in ("a", "b", "c")]
LAST = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


class StreamedCall(GivenCall):
    """A call of a method that streams its requests; keeps what is sent."""

    def __init__(self, *, server_streaming: bool) -> None:
        super().__init__(CHECK, REQUESTS[0])
        self.method = dataclasses.replace(
            self.method, client_streaming=True, server_streaming=server_streaming
        )
        self._requests = list(reversed(REQUESTS))
        self.sent: list[Message] = []

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def run(function: Callable[[Any, Any], Any], *, server_streaming: bool) -> StreamedCall:
    make: Callable[..., Any] = grpc.stream_unary_rpc_method_handler
    if server_streaming:
        make = grpc.stream_stream_rpc_method_handler
    handler = make(
        function,
        health_pb2.HealthCheckRequest.FromString,
        health_pb2.HealthCheckResponse.SerializeToString,
    )
    backend = InProcess()
    backend.register({CHECK: handler})
    call = StreamedCall(server_streaming=server_streaming)
    await backend.run(call)
    return call


async def test_a_handler_gets_each_request_by_reference_and_answers_once() -> None:
    got: list[object] = []

    async def gather(requests: Any, context: Any) -> Any:
        async for request in requests:
            got.append(request)
        return LAST

    call = await run(gather, server_streaming=False)
    assert [id(request) for request in got] == [id(request) for request in REQUESTS]
    assert call.response is LAST


async def test_a_handler_that_reads_gets_eof_after_the_last_request() -> None:
    got: list[object] = []

    async def gather(requests: Any, context: Any) -> Any:
        while (request := await context.read()) is not grpc.aio.EOF:
            got.append(request.service)
        got.append(await context.read())
        return LAST

    await run(gather, server_streaming=False)
    assert got == ["a", "b", "c", grpc.aio.EOF]


async def test_a_handler_may_answer_each_request_as_it_comes() -> None:
    order: list[str] = []

    async def echo(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            order.append(request.service)
            yield health_pb2.HealthCheckResponse(status=len(order))

    call = await run(echo, server_streaming=True)
    assert order == ["a", "b", "c"]
    assert [message.status for message in call.sent] == [1, 2, 3]  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", ["start", "send"])
async def test_a_protocol_without_streams_of_responses_says_so(step: str) -> None:
    call = GivenCall(CHECK, REQUESTS[0])
    with pytest.raises(TranscodeError) as caught:
        await (call.start() if step == "start" else call.send(LAST))
    assert caught.value.code is grpc.StatusCode.UNIMPLEMENTED
    assert caught.value.message == f"{CHECK}: streams are not served by this protocol"
