"""An exception in a call ends it with a status."""

import asyncio
from typing import Never

import grpc
import pytest
from grpc.aio import AbortError, UsageError
from structlog.testing import capture_logs

from server.domain.refusals import Kind, Refusal
from server.store.errors import StorageError
from server.threads import TooManyWaiting
from tests.support.layered import OPEN, Context, Intercepted, raising
from tests.support.tables import cases


@cases(
    "error, code, message",
    {
        "refusal": (
            Refusal(Kind.NOT_FOUND, "Errors.Action.NotFound", "COMMAND-Aa22g"),
            grpc.StatusCode.NOT_FOUND,
            "Action not found (COMMAND-Aa22g)",
        ),
        "storage": (
            StorageError("disk full"),
            grpc.StatusCode.UNAVAILABLE,
            "storage is unavailable, try again",
        ),
        "no place in a pool of threads": (
            TooManyWaiting("callers' work: 512 calls wait already"),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "too many calls of this size are waiting, try again later",
        ),
        **{
            type(error).__name__: (
                error,
                grpc.StatusCode.INTERNAL,
                "internal error (request id abc)",
            )
            for error in (
                ValueError("secret"),
                UsageError("secret"),
                NotImplementedError("secret"),
                asyncio.CancelledError("secret"),
            )
        },
    },
)
async def test_exception_ends_the_call_with_a_status(
    intercepted: Intercepted, error: BaseException, code: grpc.StatusCode, message: str
) -> None:
    context = Context((("x-request-id", "abc"),))
    with capture_logs(), pytest.raises(AbortError):
        await intercepted.call(raising(error), context)
    assert (context.code(), context.message) == (code, message)


async def test_text_of_an_exception_is_for_the_log(intercepted: Intercepted) -> None:
    error = ValueError("secret")
    with capture_logs() as lines, pytest.raises(AbortError):
        await intercepted.call(raising(error), Context())
    assert lines == [
        {"event": "call failed", "log_level": "error", "method": OPEN, "exc_info": error}
    ]


async def test_operator_reads_why_storage_failed(intercepted: Intercepted) -> None:
    with capture_logs() as lines, pytest.raises(AbortError):
        await intercepted.call(raising(StorageError("disk full")), Context())
    assert lines == [
        {"event": "storage failed", "log_level": "error", "method": OPEN, "reason": "disk full"}
    ]


async def test_refusal_is_no_line_in_the_log(intercepted: Intercepted) -> None:
    with capture_logs() as lines, pytest.raises(AbortError):
        await intercepted.call(
            raising(Refusal(Kind.NOT_FOUND, "Errors.Action.NotFound", "X")), Context()
        )
    assert lines == []


async def test_abort_of_a_servicer_passes_untouched(intercepted: Intercepted) -> None:
    error = AbortError("Locally aborted.")
    with pytest.raises(AbortError) as caught:
        await intercepted.call(raising(error), Context())
    assert caught.value is error


async def test_cancellation_of_the_call_passes(intercepted: Intercepted) -> None:
    started = asyncio.Event()

    async def handler(_request: object, _context: object) -> None:
        started.set()
        await asyncio.Event().wait()

    context = Context()
    task = asyncio.create_task(intercepted.call(handler, context))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert context.code() is None


async def test_method_that_the_servicer_leaves_out_is_unimplemented(
    intercepted: Intercepted,
) -> None:
    def generated(_request: object, context: Context) -> Never:
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        raise NotImplementedError("Method not implemented!")

    context = Context()
    with pytest.raises(AbortError):
        await intercepted.call(generated, context)
    assert context.code() is grpc.StatusCode.UNIMPLEMENTED
    assert context.message == "Check is not implemented"
