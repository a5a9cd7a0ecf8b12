"""Calls beyond the limit are refused at once."""

import asyncio

import grpc
import pytest
from grpc.aio import AbortError

from server.domain.refusals import Kind, Refusal
from tests.support.layered import Context, Intercepted, answer, raising

WATCH = "/grpc.health.v1.Health/Watch"


async def test_call_over_the_limit_is_refused_at_once() -> None:
    intercepted = Intercepted(calls_max=1)
    started, release = asyncio.Event(), asyncio.Event()

    async def waiting(_request: object, _context: object) -> None:
        started.set()
        await release.wait()

    first = asyncio.create_task(intercepted.call(waiting, Context()))
    await started.wait()
    context = Context()
    with pytest.raises(AbortError):
        await intercepted.call(answer, context)
    assert context.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert context.message == "too many calls in flight, try again later"
    release.set()
    await first
    assert await intercepted.call(answer, Context()) == "answer"


async def test_failed_and_cancelled_calls_give_their_place_back() -> None:
    intercepted = Intercepted(calls_max=1)
    for error in (Refusal(Kind.NOT_FOUND, "no"), AbortError("no")):
        with pytest.raises(AbortError):
            await intercepted.call(raising(error), Context())
    started = asyncio.Event()

    async def waiting(_request: object, _context: object) -> None:
        started.set()
        await asyncio.Event().wait()

    left = asyncio.create_task(intercepted.call(waiting, Context()))
    await started.wait()
    left.cancel()
    await asyncio.wait([left])
    assert await intercepted.call(answer, Context()) == "answer"


async def test_streams_cannot_take_the_places_of_calls() -> None:
    intercepted = Intercepted(calls_max=20)
    both_started = asyncio.Barrier(3)

    async def watching(_request: object, _context: object) -> None:
        await both_started.wait()
        await asyncio.Event().wait()

    async def watch(context: Context) -> object:
        make = grpc.unary_stream_rpc_method_handler
        return await intercepted.call(watching, context, method=WATCH, make=make)

    watchers = [asyncio.create_task(watch(Context())) for _ in range(2)]
    await both_started.wait()
    context = Context()
    with pytest.raises(AbortError):
        await watch(context)
    assert context.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await intercepted.call(answer, Context()) == "answer"
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
