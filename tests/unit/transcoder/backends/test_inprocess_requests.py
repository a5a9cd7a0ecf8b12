"""Streams of requests in process, as a protocol that carries them hands them to the backend."""

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from tests.support.parity import CHECK, GivenCall, Replacing
from transcoder.backends.inprocess import InProcess
from transcoder.errors import TranscodeError, malformed

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


async def test_a_plain_function_gets_an_iterator_of_requests_in_its_thread() -> None:
    def gather(requests: Any, context: Any) -> Any:
        assert threading.current_thread() is not threading.main_thread()
        assert [request.service for request in requests] == ["a", "b", "c"]
        return LAST

    assert (await run(gather, server_streaming=False)).response is LAST


async def test_a_plain_generator_may_answer_each_request_as_it_comes() -> None:
    def echo(requests: Any, context: Any) -> Iterator[Any]:
        for number, _ in enumerate(requests, start=1):
            yield health_pb2.HealthCheckResponse(status=number)

    call = await run(echo, server_streaming=True)
    assert [message.status for message in call.sent] == [1, 2, 3]  # type: ignore[attr-defined]


async def test_a_plain_function_that_waits_for_a_request_ends_with_its_call() -> None:
    waiting, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Silent(StreamedCall):
        async def receive(self) -> Message | None:
            waiting.set()
            await asyncio.Event().wait()
            return None

    def gather(requests: Any, context: Any) -> Any:
        try:
            return list(requests)
        finally:
            ended.set()

    handler: Any = grpc.stream_unary_rpc_method_handler(gather)
    backend = InProcess()
    backend.register({CHECK: handler})
    task = loop.create_task(backend.run(Silent(server_streaming=False)))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 30)
    backend.close()


async def test_a_request_that_fails_within_a_task_group_ends_the_call_with_its_status() -> None:
    class Broken(StreamedCall):
        async def receive(self) -> Message | None:
            raise malformed("message 1: broken")

    async def gather(requests: Any, context: Any) -> Any:
        async with asyncio.TaskGroup() as group:
            group.create_task(anext(requests))
        return LAST

    handler: Any = grpc.stream_unary_rpc_method_handler(gather)
    backend = InProcess()
    backend.register({CHECK: handler})
    with pytest.raises(TranscodeError, match="message 1: broken"):
        await backend.run(Broken(server_streaming=False))


async def test_a_handler_of_one_request_needs_one_in_the_stream() -> None:
    async def answer(request: Any, context: Any) -> Any:
        return LAST

    registered: Any = grpc.stream_unary_rpc_method_handler(answer)
    replaced: Any = grpc.unary_unary_rpc_method_handler(answer)
    backend = InProcess([Replacing(lambda _: replaced)])
    backend.register({CHECK: registered})
    call = StreamedCall(server_streaming=False)
    call._requests = []  # noqa: SLF001
    with pytest.raises(TranscodeError, match="expected a message, got none"):
        await backend.run(call)
