"""What every call passes: request id, access log, error mapping, overload, authorization."""

import asyncio
from collections.abc import Callable
from typing import Any, Never

import grpc
import pytest
from grpc.aio import AbortError, UsageError
from structlog.testing import capture_logs

from server.domain.refusals import Kind, Refusal
from server.identity.caller import Caller
from server.rpc.call_info import CALL
from server.rpc.metadata import Metadata, Pairs
from server.store.errors import StorageError
from server.threads import TooManyWaiting
from tests.layered import GUARDED, OPEN, Context, Door, Indexed, answer

ALWAYS = (
    ("x-request-id", "abc"),
    ("cache-control", "no-store"),
    ("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("pragma", "no-cache"),
)
WATCH = "/grpc.health.v1.Health/Watch"
UNDECLARED = "/test.Service/Undeclared"
TOKEN = ("authorization", "Bearer act_" + "s" * 43)


@pytest.fixture
def door() -> Door:
    return Door()


def raising(error: BaseException) -> Callable[[object, object], Any]:
    async def handler(_request: object, _context: object) -> Never:
        raise error

    return handler


# Request ids.


async def request_id_seen(_request: object, _context: object) -> str:
    return CALL.get().request_id


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param((("a", "b"), ("x-request-id", "from-caller")), id="native"),
        pytest.param(Indexed({"x-request-id": "from-caller"}), id="in process"),
    ],
)
async def test_request_id_of_the_caller_is_kept(door: Door, metadata: Metadata) -> None:
    assert await door.call(request_id_seen, Context(metadata)) == "from-caller"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="empty"),
        pytest.param("a b", id="a space"),
        pytest.param("a\nb", id="a line break"),
        pytest.param("é", id="not ASCII"),
        pytest.param("x" * 129, id="129 characters"),
        pytest.param(b"bytes", id="bytes"),
    ],
)
async def test_unfit_request_id_is_replaced(door: Door, given: str | bytes) -> None:
    seen = await door.call(request_id_seen, Context((("x-request-id", given),)))
    assert isinstance(seen, str)
    assert len(seen) == 20


async def test_longest_request_id_is_kept(door: Door) -> None:
    longest = "x" * 128
    assert await door.call(request_id_seen, Context((("x-request-id", longest),))) == longest


async def test_native_caller_gets_what_every_answer_says_in_the_trailers(door: Door) -> None:
    context = Context((("x-request-id", "abc"),))
    await door.call(answer, context)
    assert context.trailing == ALWAYS


async def test_trailers_of_a_servicer_do_not_replace_what_every_answer_says(door: Door) -> None:
    async def handler(_request: object, context: Context) -> None:
        context.set_trailing_metadata((("a", "b"),))

    context = Context((("x-request-id", "abc"),))
    await door.call(handler, context)
    assert context.trailing == (("a", "b"), *ALWAYS)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        pytest.param((), ALWAYS, id="without trailers"),
        pytest.param((("a", "b"),), (("a", "b"), *ALWAYS), id="with trailers"),
    ],
)
async def test_abort_does_not_replace_what_every_answer_says(
    door: Door, given: Pairs, sent: Pairs
) -> None:
    async def handler(_request: object, context: Context) -> None:
        await context.abort(grpc.StatusCode.ABORTED, "no", given)

    context = Context((("x-request-id", "abc"),))
    with pytest.raises(AbortError):
        await door.call(handler, context)
    assert (context.code(), context.trailing) == (grpc.StatusCode.ABORTED, sent)


async def test_transcoder_returns_the_request_id_itself(door: Door) -> None:
    context = Context(Indexed({"x-request-id": "abc"}))
    await door.call(answer, context)
    assert context.trailing == ()


# Errors.


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        pytest.param(
            Refusal(Kind.NOT_FOUND, "Errors.Action.NotFound", "COMMAND-Aa22g"),
            grpc.StatusCode.NOT_FOUND,
            "Action not found (COMMAND-Aa22g)",
            id="refusal",
        ),
        pytest.param(
            StorageError("disk full"),
            grpc.StatusCode.UNAVAILABLE,
            "storage is unavailable, try again",
            id="storage",
        ),
        pytest.param(
            TooManyWaiting("callers' work: 512 calls wait already"),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "too many calls of this size are waiting, try again later",
            id="no place in a pool of threads",
        ),
        *(
            pytest.param(
                error,
                grpc.StatusCode.INTERNAL,
                "internal error (request id abc)",
                id=type(error).__name__,
            )
            for error in (
                ValueError("secret"),
                UsageError("secret"),
                NotImplementedError("secret"),
                asyncio.CancelledError("secret"),
            )
        ),
    ],
)
async def test_exception_ends_the_call_with_a_status(
    door: Door, error: BaseException, code: grpc.StatusCode, message: str
) -> None:
    context = Context((("x-request-id", "abc"),))
    with capture_logs(), pytest.raises(AbortError):
        await door.call(raising(error), context)
    assert (context.code(), context.message) == (code, message)


async def test_text_of_an_exception_is_for_the_log(door: Door) -> None:
    error = ValueError("secret")
    with capture_logs() as lines, pytest.raises(AbortError):
        await door.call(raising(error), Context())
    assert lines == [
        {"event": "call failed", "log_level": "error", "method": OPEN, "exc_info": error}
    ]


async def test_operator_reads_why_storage_failed(door: Door) -> None:
    with capture_logs() as lines, pytest.raises(AbortError):
        await door.call(raising(StorageError("disk full")), Context())
    assert lines == [
        {"event": "storage failed", "log_level": "error", "method": OPEN, "reason": "disk full"}
    ]


async def test_refusal_is_no_line_in_the_log(door: Door) -> None:
    with capture_logs() as lines, pytest.raises(AbortError):
        await door.call(raising(Refusal(Kind.NOT_FOUND, "Errors.Action.NotFound", "X")), Context())
    assert lines == []


async def test_abort_of_a_servicer_passes_untouched(door: Door) -> None:
    error = AbortError("Locally aborted.")
    with pytest.raises(AbortError) as caught:
        await door.call(raising(error), Context())
    assert caught.value is error


async def test_cancellation_of_the_call_passes(door: Door) -> None:
    started = asyncio.Event()

    async def handler(_request: object, _context: object) -> None:
        started.set()
        await asyncio.Event().wait()

    context = Context()
    task = asyncio.create_task(door.call(handler, context))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert context.code() is None


async def test_method_that_the_servicer_leaves_out_is_unimplemented(door: Door) -> None:
    def generated(_request: object, context: Context) -> Never:
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        raise NotImplementedError("Method not implemented!")

    context = Context()
    with pytest.raises(AbortError):
        await door.call(generated, context)
    assert context.code() is grpc.StatusCode.UNIMPLEMENTED
    assert context.message == "Check is not implemented"


# Overload.


async def test_call_over_the_limit_is_refused_at_once() -> None:
    door = Door(calls_max=1)
    started, release = asyncio.Event(), asyncio.Event()

    async def waiting(_request: object, _context: object) -> None:
        started.set()
        await release.wait()

    first = asyncio.create_task(door.call(waiting, Context()))
    await started.wait()
    context = Context()
    with pytest.raises(AbortError):
        await door.call(answer, context)
    assert context.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert context.message == "too many calls in flight, try again later"
    release.set()
    await first
    assert await door.call(answer, Context()) == "answer"


async def test_failed_and_cancelled_calls_give_their_place_back() -> None:
    door = Door(calls_max=1)
    for error in (Refusal(Kind.NOT_FOUND, "no"), AbortError("no")):
        with pytest.raises(AbortError):
            await door.call(raising(error), Context())
    started = asyncio.Event()

    async def waiting(_request: object, _context: object) -> None:
        started.set()
        await asyncio.Event().wait()

    left = asyncio.create_task(door.call(waiting, Context()))
    await started.wait()
    left.cancel()
    await asyncio.wait([left])
    assert await door.call(answer, Context()) == "answer"


async def test_streams_cannot_take_the_places_of_calls() -> None:
    door = Door(calls_max=20)
    both_started = asyncio.Barrier(3)

    async def watching(_request: object, _context: object) -> None:
        await both_started.wait()
        await asyncio.Event().wait()

    async def watch(context: Context) -> object:
        make = grpc.unary_stream_rpc_method_handler
        return await door.call(watching, context, method=WATCH, make=make)

    watchers = [asyncio.create_task(watch(Context())) for _ in range(2)]
    await both_started.wait()
    context = Context()
    with pytest.raises(AbortError):
        await watch(context)
    assert context.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await door.call(answer, Context()) == "answer"
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)


# Authorization.


async def caller_seen(_request: object, _context: object) -> Caller | None:
    return CALL.get().caller


@pytest.mark.parametrize(
    "metadata",
    [pytest.param((TOKEN,), id="native"), pytest.param(Indexed(dict([TOKEN])), id="in process")],
)
async def test_servicer_sees_the_caller(door: Door, metadata: Metadata) -> None:
    for _ in range(2):
        seen = await door.call(caller_seen, Context(metadata), method=GUARDED)
        assert seen == Caller("2", "1")
    assert door.accounts.looked_up == 1


async def test_organisation_is_taken_from_the_metadata(door: Door) -> None:
    context = Context((TOKEN, ("x-zitadel-orgid", "9")))
    with pytest.raises(AbortError):
        await door.call(caller_seen, context, method=GUARDED)
    assert context.message == "membership not found (AUTHZ-cdgFk)"


async def test_guarded_method_needs_a_token(door: Door) -> None:
    context = Context()
    with pytest.raises(AbortError):
        await door.call(answer, context, method=GUARDED)
    assert context.code() is grpc.StatusCode.UNAUTHENTICATED
    assert context.message == "auth header missing"


async def test_public_method_needs_none(door: Door) -> None:
    assert await door.call(answer, Context(), method=OPEN) == "answer"


async def test_method_without_permission_that_is_not_public_is_refused(door: Door) -> None:
    context = Context((TOKEN,))
    with pytest.raises(AbortError):
        await door.call(answer, context, method=UNDECLARED)
    assert context.code() is grpc.StatusCode.PERMISSION_DENIED
    assert context.message == "/test.Service/Undeclared is neither public nor has a permission"


async def test_the_token_is_judged_before_overload() -> None:
    context = Context()
    with pytest.raises(AbortError):
        await Door(calls_max=0).call(answer, context, method=GUARDED)
    assert context.code() is grpc.StatusCode.UNAUTHENTICATED


# The access log.


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        pytest.param(answer, "OK", id="an answer"),
        pytest.param(raising(Refusal(Kind.NOT_FOUND, "no")), "NOT_FOUND", id="a refusal"),
    ],
)
async def test_access_log_has_one_line_a_call(
    handler: Callable[[object, object], Any], code: str
) -> None:
    door = Door(access_log=True)
    with capture_logs() as lines:
        await asyncio.gather(
            door.call(handler, Context((TOKEN,)), method=GUARDED), return_exceptions=True
        )
    (line,) = lines
    assert isinstance(line.pop("ms"), float)
    assert line == {
        "event": "call",
        "log_level": "info",
        "method": GUARDED,
        "code": code,
        "org": "1",
        "user": "2",
        "peer": "ipv4:127.0.0.1:5000",
    }


async def test_access_log_knows_a_code_that_was_set_as_a_number() -> None:
    async def handler(_request: object, context: Context) -> None:
        context.set_code(5)

    with capture_logs() as lines:
        await Door(access_log=True).call(handler, Context())
    assert lines[0]["code"] == "NOT_FOUND"


async def test_access_log_says_when_the_caller_left() -> None:
    started = asyncio.Event()

    async def handler(_request: object, _context: object) -> None:
        started.set()
        await asyncio.Event().wait()

    with capture_logs() as lines:
        task = asyncio.create_task(Door(access_log=True).call(handler, Context()))
        await started.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [line["code"] for line in lines] == ["CANCELLED"]


async def test_access_log_can_be_left_out(door: Door) -> None:
    with capture_logs() as lines:
        await door.call(answer, Context())
    assert lines == []
