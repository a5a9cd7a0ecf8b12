"""In-process calls, where grpc.aio differs or shows a test nothing."""

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2

from tests.support.parity import GivenCall
from tests.support.tables import cases
from transcoder.backends.inprocess import InProcess
from transcoder.backends.servicer_context import ServicerContext
from transcoder.errors import TranscodeError

CHECK = "/grpc.health.v1.Health/Check"
REQUEST = health_pb2.HealthCheckRequest.DESCRIPTOR.full_name
ANSWER = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
ANSWERED = ANSWER.DESCRIPTOR.full_name
Handle = Callable[[Any, Any], Awaitable[Any]] | Callable[[Any, Any], Any]


async def run(
    handle: Handle, *, timeout_s: float | None = None, backend: InProcess | None = None
) -> object:
    backend = backend or InProcess()
    handler = grpc.unary_unary_rpc_method_handler(
        handle,
        health_pb2.HealthCheckRequest.FromString,
        health_pb2.HealthCheckResponse.SerializeToString,
    )
    backend.register({CHECK: handler})
    call = GivenCall(
        CHECK,
        health_pb2.HealthCheckRequest(service="s"),
        deadline=None if timeout_s is None else time.monotonic() + timeout_s,
        metadata=[("x-request-id", "r1")],
    )
    await backend.run(call)
    return call.response


async def failure(*given: Any, **options: Any) -> TranscodeError:
    with pytest.raises(TranscodeError) as caught:
        await run(*given, **options)
    return caught.value


async def test_messages_pass_by_reference() -> None:
    async def handle(request: Any, context: Any) -> Any:
        return ANSWER

    assert await run(handle) is ANSWER


@cases(
    "exc",
    {
        "a timeout, which is not the call's deadline": TimeoutError("secret"),
        "what another call ended with": grpc.aio.AioRpcError(
            grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), "secret"
        ),
        "not implemented": NotImplementedError(),
    },
)
async def test_an_exception_that_looks_like_a_status_gives_internal(exc: Exception) -> None:
    async def handle(request: Any, context: Any) -> Any:
        raise exc

    error = await failure(handle, timeout_s=30)
    assert error.code is grpc.StatusCode.INTERNAL
    assert error.message == "internal error (request id r1)"


class Replacing(grpc.aio.ServerInterceptor):
    """Has something done while interceptors run."""

    def __init__(self) -> None:
        self.act: Callable[[], None] = lambda: None

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self.act()
        return await continuation(handler_call_details)


async def test_a_method_that_is_removed_while_interceptors_run_is_unimplemented() -> None:
    replacing = Replacing()
    backend = InProcess([replacing])
    replacing.act = lambda: backend.replace([CHECK], {})
    error = await failure(lambda request, context: ANSWER, backend=backend)
    assert (error.code, error.message) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


async def test_a_handler_of_newer_types_gets_them_and_its_caller_the_old_ones() -> None:
    request_type, response_type = in_another_pool(REQUEST), in_another_pool(ANSWERED)
    got: list[Any] = []

    async def newer(request: Any, context: Any) -> Any:
        got.append(request)
        return response_type(status=1)

    handler: Any = grpc.unary_unary_rpc_method_handler(
        newer, request_type.FromString, response_type.SerializeToString
    )
    replacing = Replacing()
    backend = InProcess([replacing])
    replacing.act = lambda: backend.replace([CHECK], {CHECK: handler})
    assert await run(lambda request, context: None, backend=backend) == ANSWER
    (request,) = got
    assert (type(request), request.service) == (request_type, "s")


def in_another_pool(name: str) -> Any:
    """Returns the class of a message of Health that another pool has."""
    pool = DescriptorPool()
    pool.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


@cases(
    "response, returned",
    {
        "nothing": (None, "NoneType"),
        "bytes": (b"bytes", "bytes"),
        "another message": (health_pb2.HealthCheckRequest(), f"{REQUEST}, "),
        "the class of a message": (health_pb2.HealthCheckResponse, "MessageMeta"),
        "the same message of another pool": (
            in_another_pool(ANSWERED)(),
            "grpc.health.v1.HealthCheckResponse of another descriptor pool",
        ),
    },
)
async def test_an_answer_of_another_type_gives_internal(
    response: object, returned: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(request: Any, context: Any) -> Any:
        return response

    with caplog.at_level(logging.ERROR):
        error = await failure(handle)
    assert error.code is grpc.StatusCode.INTERNAL
    assert f"{CHECK} returned {returned}" in caplog.text


@pytest.mark.parametrize("is_plain", [False, True], ids=["async def", "def"])
@pytest.mark.parametrize(
    "raised", [ValueError, StopIteration, StopAsyncIteration, SystemExit, asyncio.CancelledError]
)
async def test_any_exception_of_a_handler_is_internal_and_logged(
    raised: type[BaseException], is_plain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(request: Any, context: Any) -> Any:
        raise raised("secret")

    def plain(request: Any, context: Any) -> Any:
        raise raised("secret")

    error = await failure(plain if is_plain else handle, timeout_s=30)
    assert error.code is grpc.StatusCode.INTERNAL
    assert error.message == "internal error (request id r1)"
    assert f"{CHECK} failed, request id r1" in caplog.text
    assert "secret" in caplog.text


async def test_a_task_that_a_handler_waits_for_may_be_cancelled_without_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handle(request: Any, context: Any) -> Any:
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    error = await failure(handle)
    assert error.code is grpc.StatusCode.INTERNAL
    assert "CancelledError" in caplog.text


@cases(
    "misuse, complaint",
    {
        "details of an abort": (
            lambda context: context.end(grpc.StatusCode.ABORTED, 5, ()),
            "details: expected a str, got int",
        ),
        "details": (
            lambda context: context.set_details(b"gone"),
            "details: expected a str, got bytes",
        ),
        "trailing metadata": (
            lambda context: context.set_trailing_metadata((("x-cost", 7),)),
            "metadata: expected a str and a str or bytes, got ('x-cost', 7)",
        ),
        "metadata that is a dict": (
            lambda context: context.set_trailing_metadata({"ab": "c"}),
            "metadata: expected pairs of a key and a value, got a dict",
        ),
        "initial metadata": (
            lambda context: context.hold_initial_metadata(((b"x-cost", "7"),)),
            "metadata: expected a str and a str or bytes, got (b'x-cost', '7')",
        ),
        "metadata of an abort": (
            lambda context: context.end(grpc.StatusCode.ABORTED, "gone", (("x-cost", None),)),
            "metadata: expected a str and a str or bytes, got ('x-cost', None)",
        ),
    },
)
async def test_misuse_of_a_context_fails_where_it_happens(
    misuse: Callable[[Any], None], complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(request: Any, context: Any) -> Any:
        misuse(context)

    error = await failure(handle)
    assert error.code is grpc.StatusCode.INTERNAL
    assert f"TypeError: {complaint}" in caplog.text


async def test_a_callback_that_fails_leaves_answer_and_other_callbacks_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[bool] = []

    def fail(context: Any) -> None:
        raise ValueError("secret")

    async def handle(request: Any, context: Any) -> Any:
        context.add_done_callback(fail)
        context.add_done_callback(lambda c: ended.append(c.done()))
        return ANSWER

    assert await run(handle) is ANSWER
    assert ended == [True]
    assert f"a done callback of {CHECK} failed" in caplog.text


@cases(
    "code, raised, is_logged",
    {
        "a bug": (grpc.StatusCode.NOT_FOUND, ValueError("bug"), True),
        "generated code": (grpc.StatusCode.UNIMPLEMENTED, NotImplementedError(), False),
    },
)
async def test_an_exception_after_a_status_is_logged(
    code: grpc.StatusCode, raised: Exception, is_logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(request: Any, context: Any) -> Any:
        context.set_code(code)
        raise raised

    error = await failure(handle)
    assert error.code is code
    assert (f"{CHECK} failed" in caplog.text) is is_logged


@pytest.mark.parametrize("is_grouped", [False, True], ids=["alone", "by a group of tasks"])
async def test_an_abort_is_not_logged(is_grouped: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def handle(request: Any, context: Any) -> Any:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        except grpc.aio.AbortError as exc:
            raise ExceptionGroup("tasks", [exc]) if is_grouped else exc from None

    error = await failure(handle)
    assert error.message == "gone"
    assert caplog.messages == []


async def test_abort_with_ok_is_not_success() -> None:
    async def handle(request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.OK)

    error = await failure(handle)
    assert error.code is grpc.StatusCode.UNKNOWN


async def test_a_deadline_cancels_the_handler() -> None:
    seen: asyncio.Queue[list[object]] = asyncio.Queue()

    async def handle(request: Any, context: ServicerContext) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            seen.put_nowait([context.code(), context.cancelled()])

    error = await failure(handle, timeout_s=0.01)
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await asyncio.wait_for(seen.get(), 5) == [grpc.StatusCode.DEADLINE_EXCEEDED, True]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_handler_that_swallows_its_cancellation_is_still_late() -> None:
    async def handle(request: Any, context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return ANSWER

    error = await failure(handle, timeout_s=0.01)
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_deadline_that_has_passed_never_reaches_the_handler() -> None:
    async def handle(request: Any, context: Any) -> Any:
        pytest.fail("ran")

    error = await failure(handle, timeout_s=-1)
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_handler_within_its_deadline_knows_what_remains() -> None:
    async def handle(request: Any, context: ServicerContext) -> Any:
        remaining_s = context.time_remaining()
        assert remaining_s is not None
        assert 0 < remaining_s <= 30
        return ANSWER

    assert await run(handle, timeout_s=30) is ANSWER


async def test_cancelling_the_call_reaches_the_handler_and_its_callbacks() -> None:
    started = asyncio.Event()
    ended: list[tuple[bool, bool]] = []

    async def handle(request: Any, context: ServicerContext) -> Any:
        context.add_done_callback(lambda c: ended.append((c.done(), c.cancelled())))
        started.set()
        await asyncio.Event().wait()
        return ANSWER

    task = asyncio.create_task(run(handle, timeout_s=30))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [(True, True)]


async def test_a_synchronous_handler_leaves_the_loop_and_keeps_context_variables() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("kept")

    def handle(request: Any, context: Any) -> Any:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        assert variable.get() == "kept"
        assert context.is_active()
        assert context.peer() == "ipv4:127.0.0.1:5000"
        return ANSWER

    assert await run(handle) is ANSWER


@pytest.mark.parametrize("is_aborted", [False, True], ids=["fails", "aborts"])
async def test_a_plain_function_that_fails_when_its_call_is_over_is_logged(
    is_aborted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    backend, threads = InProcess(), list[threading.Thread]()
    may_end = threading.Event()
    ended = threading.Event()

    def handle(request: Any, context: Any) -> Any:
        threads.append(threading.current_thread())
        try:
            may_end.wait()
            if is_aborted:
                context.abort(grpc.StatusCode.ABORTED, "too late")
            raise ValueError("secret")
        finally:
            ended.set()

    error = await failure(handle, timeout_s=0.01, backend=backend)
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    may_end.set()
    backend.close()
    for thread in threads:
        await asyncio.to_thread(thread.join, 10)
    assert ended.is_set()
    assert caplog.messages == ([] if is_aborted else [f"{CHECK} failed after its end"])
    assert ("secret" in caplog.text) is not is_aborted


async def test_plain_functions_have_threads_of_their_own_which_end_with_their_owner() -> None:
    """Whatever fills the default executor of the host's loop does not hold them up."""
    may_end = threading.Event()
    loop = asyncio.get_running_loop()
    filling = [loop.run_in_executor(None, may_end.wait) for _ in range(64)]
    threads: list[threading.Thread] = []

    def handle(request: Any, context: Any) -> Any:
        threads.append(threading.current_thread())
        return ANSWER

    backend = InProcess()
    try:
        async with asyncio.timeout(10):
            assert await run(handle, backend=backend) is ANSWER
            assert await run(handle, backend=backend) is ANSWER
    finally:
        may_end.set()
        await asyncio.gather(*filling)
    backend.close()
    for thread in threads:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()
    assert await run(handle, backend=backend) is ANSWER
    backend.close()


async def test_reading_and_writing_are_for_streams() -> None:
    async def handle(request: Any, context: Any) -> Any:
        with pytest.raises(grpc.aio.UsageError):
            await context.read()
        with pytest.raises(grpc.aio.UsageError):
            await context.write(ANSWER)
        return ANSWER

    assert await run(handle) is ANSWER


@cases(
    "peername, expected",
    {
        "IPv4": (("127.0.0.1", 5000), "ipv4:127.0.0.1:5000"),
        "IPv6": (("::1", 5000, 0, 0), "ipv6:[::1]:5000"),
        "unix socket": ("/run/s", "unix:/run/s"),
        "unknown": (None, "unix:"),
    },
)
def test_the_peer_is_written_as_grpc_writes_it(peername: object, expected: str) -> None:
    call = GivenCall(CHECK, health_pb2.HealthCheckRequest())
    call.peername = peername
    assert call.peer == expected
