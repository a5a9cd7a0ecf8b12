"""In-process streams, where grpc.aio differs or shows a test nothing."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from tests.support.parity import GivenCall
from tests.support.tables import cases
from transcoder.backends.inprocess import InProcess
from transcoder.errors import TranscodeError

WATCH = "/grpc.health.v1.Health/Watch"
WAIT_S = 10
Handle = Callable[[Any, Any], Any]


def reply(status: int) -> Any:
    return health_pb2.HealthCheckResponse(status=status)


class Recorder:
    """A sink that keeps what comes, in the order in which it came."""

    def __init__(self) -> None:
        self.came: list[object] = []
        self.is_gone = False
        self.is_slow = False

    async def start(self) -> None:
        self.came.append("start")

    async def send(self, message: Message) -> None:
        if self.is_gone:
            raise TranscodeError(grpc.StatusCode.CANCELLED, "the client left")
        self.came.append(message.status)  # type: ignore[attr-defined]
        if self.is_slow:
            await asyncio.Event().wait()


class RecordedCall(GivenCall):
    """Sends to a sink."""

    sink: Recorder

    async def start(self) -> None:
        await self.sink.start()

    async def send(self, message: Message) -> None:
        await self.sink.send(message)


@pytest.fixture
def sink() -> Recorder:
    return Recorder()


async def run(handle: Handle, sink: Recorder, *, timeout_s: float | None = None) -> None:
    backend = InProcess()
    handler = grpc.unary_stream_rpc_method_handler(
        handle,
        health_pb2.HealthCheckRequest.FromString,
        health_pb2.HealthCheckResponse.SerializeToString,
    )
    backend.register({WATCH: handler})
    call = RecordedCall(
        WATCH,
        health_pb2.HealthCheckRequest(service="s"),
        deadline=None if timeout_s is None else time.monotonic() + timeout_s,
        metadata=[("x-request-id", "r1")],
    )
    call.sink = sink
    async with asyncio.timeout(WAIT_S):
        await backend.run(call)


async def failure(*given: Any, **options: Any) -> TranscodeError:
    with pytest.raises(TranscodeError) as caught:
        await run(*given, **options)
    return caught.value


async def test_a_message_passes_by_reference_and_before_the_next_is_made() -> None:
    order: list[object] = []
    message = reply(0)

    class Ordered(Recorder):
        async def send(self, sent: Message) -> None:
            assert sent is message
            order.append(f"sent {sent.status}")

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        for status in (1, 2):
            order.append(f"made {status}")
            message.status = status
            yield message

    await run(handle, Ordered())
    assert order == ["made 1", "sent 1", "made 2", "sent 2"]


async def test_initial_metadata_goes_out_when_it_is_sent(sink: Recorder) -> None:

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        await context.send_initial_metadata((("x-first", "1"),))
        assert sink.came == ["start"]
        yield reply(1)

    await run(handle, sink)
    assert sink.came == ["start", 1]


@cases(
    "response, wrote",
    {
        "nothing": (None, "NoneType"),
        "bytes": (b"bytes", "bytes"),
        "a message": (health_pb2.HealthCheckRequest(), "grpc.health.v1.HealthCheckRequest"),
    },
)
async def test_a_message_of_another_type_gives_internal(
    sink: Recorder, response: object, wrote: str, caplog: pytest.LogCaptureFixture
) -> None:

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        yield response

    error = await failure(handle, sink)
    assert error.code is grpc.StatusCode.INTERNAL
    assert f"{WATCH} wrote {wrote}" in caplog.text
    assert sink.came == []


@pytest.mark.parametrize("is_plain", [False, True], ids=["async def", "def"])
@pytest.mark.parametrize("raised", [ValueError, StopIteration, SystemExit, asyncio.CancelledError])
async def test_any_exception_of_a_generator_is_internal_and_logged(
    sink: Recorder, raised: type[BaseException], is_plain: bool, caplog: pytest.LogCaptureFixture
) -> None:

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        yield reply(1)
        raise raised("secret")

    def plain(request: Any, context: Any) -> Iterator[Any]:
        yield reply(1)
        raise raised("secret")

    error = await failure(plain if is_plain else handle, sink, timeout_s=30)
    assert error.code is grpc.StatusCode.INTERNAL
    assert error.message == "internal error (request id r1)"
    assert f"{WATCH} failed, request id r1" in caplog.text
    assert "secret" in caplog.text
    assert sink.came == [1]


async def test_a_deadline_closes_the_generator(sink: Recorder) -> None:
    seen: asyncio.Queue[list[object]] = asyncio.Queue()

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            yield reply(1)
            await asyncio.Event().wait()
        finally:
            seen.put_nowait([context.code(), context.cancelled()])

    error = await failure(handle, sink, timeout_s=0.05)
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert sink.came == [1]
    assert await asyncio.wait_for(seen.get(), 5) == [grpc.StatusCode.DEADLINE_EXCEEDED, True]


async def test_a_deadline_ends_a_stream_whose_reader_is_slow(sink: Recorder) -> None:
    sink.is_slow = True
    closed = asyncio.Event()

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield reply(1)
        finally:
            closed.set()

    error = await failure(handle, sink, timeout_s=0.05)
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert sink.came == [1]
    await asyncio.wait_for(closed.wait(), 5)


async def test_a_handler_that_outlives_its_deadline_writes_no_more(sink: Recorder) -> None:

    async def handle(request: Any, context: Any) -> None:
        await context.write(reply(1))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await context.write(reply(2))

    error = await failure(handle, sink, timeout_s=0.05)
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert sink.came == [1]


async def test_cancelling_the_call_closes_the_generator_and_runs_callbacks() -> None:
    started = asyncio.Event()
    ended: list[object] = []

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        context.add_done_callback(lambda c: ended.append((c.done(), c.cancelled())))
        try:
            yield reply(1)
            started.set()
            await asyncio.Event().wait()
        finally:
            ended.append("closed")

    task = asyncio.create_task(run(handle, Recorder(), timeout_s=30))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["closed", (True, True)]


async def test_a_reader_that_has_gone_ends_the_stream_without_a_log(
    sink: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    sink.is_gone = True
    ended: list[object] = []

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        context.add_done_callback(lambda c: ended.append(c.cancelled()))
        try:
            while True:
                yield reply(1)
        finally:
            ended.append("closed")

    error = await failure(handle, sink)
    assert error.code is grpc.StatusCode.CANCELLED
    assert ended == ["closed", True]
    assert caplog.messages == []


async def test_nothing_is_written_once_the_call_is_over() -> None:
    kept: list[Any] = []

    async def handle(request: Any, context: Any) -> None:
        kept.append(context)

    await run(handle, Recorder())
    with pytest.raises(grpc.aio.UsageError):
        await kept[0].write(reply(1))


async def test_a_plain_generator_leaves_the_loop_and_waits_for_each_write(sink: Recorder) -> None:

    def handle(request: Any, context: Any) -> Iterator[Any]:
        for status in (1, 2):
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            yield reply(status)
            assert sink.came[-1] == status

    await run(handle, sink)
    assert sink.came == [1, 2]


@pytest.mark.parametrize("messages", [0, 3], ids=["before the first", "after the third"])
async def test_a_plain_generator_may_abort(sink: Recorder, messages: int) -> None:

    def handle(request: Any, context: Any) -> Iterator[Any]:
        for status in range(messages):
            yield reply(status)
        context.abort(grpc.StatusCode.NOT_FOUND, "gone")

    error = await failure(handle, sink)
    assert (error.code, error.message) == (grpc.StatusCode.NOT_FOUND, "gone")
    assert sink.came == [0, 1, 2][:messages]


async def test_a_plain_function_may_return_any_iterable(sink: Recorder) -> None:
    await run(lambda request, context: [reply(1), reply(2)], sink)
    assert sink.came == [1, 2]


@pytest.mark.parametrize("is_slow", [False, True], ids=["between writes", "in a write"])
async def test_a_plain_generator_is_closed_when_its_call_is_cancelled(
    sink: Recorder, is_slow: bool
) -> None:
    sink.is_slow = is_slow
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    may_go_on = threading.Event()
    closed = threading.Event()

    def handle(request: Any, context: Any) -> Iterator[Any]:
        try:
            if is_slow:
                loop.call_soon_threadsafe(started.set)
                yield reply(1)
            loop.call_soon_threadsafe(started.set)
            may_go_on.wait(WAIT_S)
            yield reply(2)
        finally:
            closed.set()

    task = asyncio.create_task(run(handle, sink))
    await started.wait()
    while is_slow and not sink.came:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_go_on.set()
    assert await asyncio.to_thread(closed.wait, WAIT_S)
    assert sink.came == ([1] if is_slow else [])
