"""One servicer with all four kinds of calls: callers of every protocol see what gRPC's see.

It runs in the process of the transcoder, or behind a server of gRPC that calls are forwarded to.
The transcoder listens itself, or an ASGI host does.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.all_protocols import PATH, Servers, begin, compare, serving_twice
from tests.support.asgi_hosts import HOSTS
from tests.support.echo_kinds import (
    KINDS,
    STREAMING_REQUESTS,
    Cases,
    Kinds,
    ReadingCases,
    Replies,
    asking,
    noted,
    of,
)
from tests.support.tables import cases
from tests.support.waiting import until_async

pytestmark = pytest.mark.asyncio(loop_scope="module")

Replace = Callable[[Any], Any]


def around(
    requests_of: Callable[[Any, Any], Any] = lambda requests, _: requests,
    context_of: Callable[[Any], Any] = lambda context: context,
) -> Replace:
    """Returns a replacement that gives the handler other requests, or another context."""

    def replace(handler: Any) -> Any:
        if handler.response_streaming:

            async def stream(requests: Any, context: Any) -> Replies:
                given = requests_of(requests, context)
                async for reply in handler.stream_stream(given, context_of(context)):
                    yield reply

            return like(handler, grpc.stream_stream_rpc_method_handler, stream)

        async def answer(requests: Any, context: Any) -> Any:
            return await handler.stream_unary(requests_of(requests, context), context_of(context))

        return like(handler, grpc.stream_unary_rpc_method_handler, answer)

    return replace


def like(handler: Any, make: Any, function: Any) -> Any:
    return make(function, handler.request_deserializer, handler.response_serializer)


async def doubled(requests: Any, context: Any) -> AsyncIterator[EchoRequest]:
    async for request in requests:
        yield EchoRequest(count=request.count * 2)


async def only_even(requests: Any, context: Any) -> AsyncIterator[EchoRequest]:
    async for request in requests:
        if request.count % 2 == 0:
            yield request


async def behind_the_first(requests: Any, context: Any) -> AsyncIterator[EchoRequest]:
    first = await context.read()
    context.set_trailing_metadata((("x-first-read", str(first.count)),))
    async for request in requests:
        yield request


async def refused_at_four(requests: Any, context: Any) -> AsyncIterator[EchoRequest]:
    async for request in requests:
        if request.count == 4:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "four", (("x-a", "1"),))
        yield request


async def cut_after_the_first(requests: Any, context: Any) -> AsyncIterator[EchoRequest]:
    async for request in requests:
        yield request
        return


class Loud:
    """A context that reads and says more than the one it is made of."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def read(self) -> Any:
        request = await self._context.read()
        return request if request is grpc.aio.EOF else EchoRequest(count=request.count + 100)

    def set_trailing_metadata(self, pairs: Any) -> None:
        self._context.set_trailing_metadata((*pairs, ("x-loud", "1")))

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> None:
        await self._context.abort(code, details.upper(), (*trailing_metadata, ("x-loud", "1")))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def writing(handler: Any) -> Any:
    """A coroutine that writes what a generator yields."""
    if not handler.response_streaming:
        return handler

    async def write(requests: Any, context: Any) -> None:
        async for reply in handler.stream_stream(requests, context):
            await context.write(reply)

    return like(handler, grpc.stream_stream_rpc_method_handler, write)


def ended_early(handler: Any) -> Any:
    """Reads one request, answers, and never asks the handler."""
    if handler.response_streaming:

        async def stream(requests: Any, context: Any) -> Replies:
            yield EchoReply(index=(await context.read()).count + 1000)

        return like(handler, grpc.stream_stream_rpc_method_handler, stream)

    async def answer(requests: Any, context: Any) -> EchoReply:
        return EchoReply(index=(await context.read()).count + 1000)

    return like(handler, grpc.stream_unary_rpc_method_handler, answer)


def refused(handler: Any) -> Any:
    """Refuses the call, with what has no serializers."""

    async def refuse(requests: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no", (("x-a", "1"),))

    if handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(refuse)
    return grpc.stream_unary_rpc_method_handler(refuse)


def in_octets(handler: Any) -> Any:
    """Reads and answers octets."""

    async def total(requests: Any) -> bytes:
        counts = [EchoRequest.FromString(each).count async for each in requests]
        return EchoReply(index=sum(counts)).SerializeToString()

    if handler.response_streaming:

        async def stream(requests: Any, context: Any) -> AsyncIterator[bytes]:
            yield await total(requests)

        return grpc.stream_stream_rpc_method_handler(stream)

    async def answer(requests: Any, context: Any) -> bytes:
        return await total(requests)

    return grpc.stream_unary_rpc_method_handler(answer)


def in_other_types(handler: Any) -> Any:
    """Reads and answers what its own serializers make: numbers."""

    async def write(requests: Any, context: Any) -> Any:
        numbers = [number async for number in requests]
        if not handler.response_streaming:
            return sum(numbers)
        for number in numbers:
            await context.write(number)
        return None

    make: Any = grpc.stream_unary_rpc_method_handler
    if handler.response_streaming:
        make = grpc.stream_stream_rpc_method_handler
    return make(
        write,
        request_deserializer=lambda data: EchoRequest.FromString(data).count,
        response_serializer=lambda index: EchoReply(index=index).SerializeToString(),
    )


INTERCEPTORS: dict[str, tuple[Replace, str]] = {
    "other requests": (around(doubled), "answers_each"),
    "fewer requests": (around(only_even), "answers_after_the_last"),
    "fewer requests, unread": (around(cut_after_the_first), "answers_each"),
    "the first read by the interceptor": (around(behind_the_first), "answers_each"),
    "an abort where the handler reads": (around(refused_at_four), "answers_each"),
    "another context to read from": (around(context_of=Loud), "reads"),
    "another context for metadata": (around(context_of=Loud), "sends_metadata_between"),
    "another context to abort": (around(context_of=Loud), "aborts_after_the_first"),
    "both": (around(doubled, Loud), "aborts_after_the_last"),
    "a coroutine that writes": (writing, "answers_each"),
    "a coroutine that writes, around an abort": (writing, "aborts_after_the_first"),
    "no handler asked": (ended_early, "answers_each"),
    "a refusal": (refused, "answers_each"),
    "octets": (in_octets, "answers_each"),
    "other types": (in_other_types, "answers_each"),
    "nothing": (lambda _: None, "answers_each"),
}


class Chosen(grpc.aio.ServerInterceptor):
    """Replaces the handler as the metadata `x-around` says."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        handler = await continuation(handler_call_details)
        name = dict(handler_call_details.invocation_metadata).get("x-around")
        return handler if name is None else INTERCEPTORS[str(name)][0](handler)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servicer() -> Kinds:
    return Kinds()


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["in process", "forwarded", *HOSTS]
)
async def servers(servicer: Kinds, request: pytest.FixtureRequest) -> AsyncIterator[Servers]:
    is_proxy, host = request.param == "forwarded", None
    if request.param in HOSTS:
        host = request.param
    async with serving_twice(servicer, [Chosen()], is_proxy=is_proxy, host=host) as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", of(Cases))
async def test_a_call_is_the_same_over_every_protocol(
    servers: Servers, kind: str, case: str
) -> None:
    message = None
    if case == "sets_a_code_and_raises" and not servers.is_proxy:
        message = "lost"  # grpc.aio tells the client of the exception; we do not
    await compare(servers, kind, asking(kind, case), message=message)


@pytest.mark.parametrize("kind", STREAMING_REQUESTS)
@pytest.mark.parametrize("case", of(ReadingCases))
async def test_requests_are_read_alike_over_every_protocol(
    servers: Servers, kind: str, case: str
) -> None:
    outcome = await compare(servers, kind, asking(kind, case))
    assert outcome.code is grpc.StatusCode.OK


@pytest.mark.parametrize("kind", STREAMING_REQUESTS)
@cases("name", {name: name for name in INTERCEPTORS})
async def test_an_interceptor_may_replace_what_a_handler_reads_and_says(
    servers: Servers, kind: str, name: str
) -> None:
    asked = asking(kind, INTERCEPTORS[name][1], {"x-around": name})
    await compare(servers, kind, asked)


@pytest.mark.parametrize("kind", STREAMING_REQUESTS)
@pytest.mark.parametrize(
    "case",
    ["ends_after_the_first", "reads_nothing", "aborts_before_reading", "aborts_after_the_first"],
)
async def test_a_handler_may_end_a_call_whose_caller_could_send_more(
    servers: Servers, kind: str, case: str
) -> None:
    await compare(servers, kind, asking(kind, case, stays_open=True))


@pytest.mark.parametrize("kind", STREAMING_REQUESTS)
async def test_a_malformed_request_ends_a_stream_with_its_own_error(
    servers: Servers, kind: str
) -> None:
    headers = {"Content-Type": "application/x-ndjson", "x-case": "waits", "x-over": "malformed"}
    body = b'{"count": 3}\n{"count": "many"}\n'
    async with servers.session.post(
        servers.url + PATH + kind, data=body, headers=headers
    ) as answer:
        said = json.loads((await answer.read()).splitlines()[-1])
    message = "message 2: count: expected int32, got 'many'"
    assert said.get("error", said) == {"code": 3, "message": message}


DEADLINES = ("2S", "20S")
"""The second for a machine that is too busy to begin all calls within the first."""

OPEN = cases(
    "kinds, stays_open",
    {"all requests sent": (KINDS, False), "more could come": (STREAMING_REQUESTS, True)},
)


@OPEN
async def test_a_deadline_cancels_a_handler_over_every_protocol(
    servers: Servers, servicer: Kinds, kinds: Sequence[str], stays_open: bool
) -> None:
    for deadline in DEADLINES:
        servicer.notes.clear()
        calls = []
        for kind in kinds:
            asked = asking(kind, "waits", {"grpc-timeout": deadline}, stays_open=stays_open)
            calls.append(compare(servers, kind, asked, message="Deadline Exceeded"))
        codes = {outcome.code for outcome in await asyncio.gather(*calls)}
        assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}
        began = noted(kinds).items()
        if all(servicer.notes[call][: len(notes)] == notes for call, notes in began):
            break
    await until_async(lambda: noted(kinds, "cancelled", "done").items() <= servicer.notes.items())


@OPEN
async def test_a_client_that_leaves_cancels_a_handler_over_every_protocol(
    servers: Servers, servicer: Kinds, kinds: Sequence[str], stays_open: bool
) -> None:
    servicer.notes.clear()
    calls = [
        call
        for kind in kinds
        for call in begin(servers, kind, asking(kind, "waits", stays_open=stays_open)).values()
    ]
    await until_async(lambda: noted(kinds).items() <= servicer.notes.items())
    for call in calls:
        call.cancel()
    await until_async(lambda: noted(kinds, "cancelled", "done").items() <= servicer.notes.items())
    await asyncio.gather(*calls, return_exceptions=True)
