"""One servicer with all four kinds of calls: callers of every protocol see what gRPC's see.

It runs in the process of the transcoder, or behind a server of gRPC that calls are forwarded to.
The transcoder listens itself, or an ASGI host does.

Each case is an asynchronous generator over the requests of a call, whatever its kind: a method
without a stream of responses answers with the last.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.all_protocols import ASKS, PATH, Asked, Servers, begin, compare, serving_twice
from tests.support.asgi_hosts import HOSTS
from tests.support.tables import cases
from tests.support.waiting import until_async

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ("Say", "Repeat", "Count", "Talk")
STREAMING_REQUESTS = ("Count", "Talk")
COUNTS = (3, 4, 5)

Replies = AsyncIterator[EchoReply]


class Cases:
    """Each case of a call; the metadata `x-case` names it."""

    async def answers_each(self, requests: Any, context: Any) -> Replies:
        async for request in requests:
            yield EchoReply(index=request.count)

    async def answers_after_the_last(self, requests: Any, context: Any) -> Replies:
        yield EchoReply(index=sum([request.count async for request in requests]))

    async def ends_after_the_first(self, requests: Any, context: Any) -> Replies:
        async for request in requests:
            yield EchoReply(index=request.count)
            break

    async def reads_nothing(self, requests: Any, context: Any) -> Replies:
        yield EchoReply(index=1)

    async def sends_metadata_between(self, requests: Any, context: Any) -> Replies:
        async for request in requests:
            if request.count == COUNTS[0]:
                initial = (("x-first", "1"), ("x-first-bin", b"\x00\xff"))
                await context.send_initial_metadata(initial)
            yield EchoReply(index=request.count)
        context.set_trailing_metadata((("x-last", "2"), ("x-last-bin", b"\xff")))

    async def aborts_before_reading(self, requests: Any, context: Any) -> Replies:
        await context.abort(grpc.StatusCode.NOT_FOUND, "gone", (("x-a", "1"),))
        yield EchoReply()

    async def aborts_after_the_first(self, requests: Any, context: Any) -> Replies:
        async for request in requests:
            yield EchoReply(index=request.count)
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "enough", (("x-a", "1"),))

    async def aborts_after_the_last(self, requests: Any, context: Any) -> Replies:
        async for request in requests:
            yield EchoReply(index=request.count)
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "no more")

    async def sets_a_code_and_goes_on(self, requests: Any, context: Any) -> Replies:
        async for request in requests:
            context.set_code(grpc.StatusCode.DATA_LOSS)
            context.set_details(f"lost {request.count}")
            yield EchoReply(index=request.count)

    async def sets_a_code_and_raises(self, requests: Any, context: Any) -> Replies:
        async for request in requests:
            yield EchoReply(index=request.count)
            context.set_code(grpc.StatusCode.DATA_LOSS)
            context.set_details("lost")
            raise ValueError


class ReadingCases:
    """The cases of a stream of requests only."""

    async def reads(self, requests: Any, context: Any) -> Replies:
        while (request := await context.read()) is not grpc.aio.EOF:
            yield EchoReply(index=request.count)

    async def reads_behind_the_end(self, requests: Any, context: Any) -> Replies:
        counts = [request.count async for request in requests]
        for _ in range(2):
            assert await context.read() is grpc.aio.EOF
        yield EchoReply(index=sum(counts))

    async def reads_and_iterates(self, requests: Any, context: Any) -> Replies:
        first = await context.read()
        async for request in requests:
            yield EchoReply(index=first.count * request.count)

    async def iterates_twice(self, requests: Any, context: Any) -> Replies:
        async for request in requests:
            yield EchoReply(index=request.count)
            break
        async for request in requests:
            yield EchoReply(index=request.count * 10)

    async def reads_in_a_task(self, requests: Any, context: Any) -> Replies:
        counts: asyncio.Queue[int] = asyncio.Queue()

        async def read() -> None:
            async for request in requests:
                counts.put_nowait(request.count)
            counts.put_nowait(0)

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            while count := await counts.get():
                yield EchoReply(index=count)


class Kinds(Cases, ReadingCases, echo_pb2_grpc.EchoServicer):
    """The servicer.

    Attributes:
        notes: what happened to a call that waits, by its method and its protocol.
    """

    def __init__(self) -> None:
        self.notes: defaultdict[str, list[str]] = defaultdict(list)

    def _replies(self, requests: Any, context: Any) -> Replies:
        sent = dict(context.invocation_metadata())
        replies: Replies = getattr(self, sent["x-case"])(requests, context)
        return replies

    async def Say(self, request: EchoRequest, context: Any) -> EchoReply:
        return await last(self._replies(one(request), context))

    async def Repeat(self, request: EchoRequest, context: Any) -> Replies:
        async for reply in self._replies(one(request), context):
            yield reply

    async def Count(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> EchoReply:
        return await last(self._replies(request_iterator, context))

    async def Talk(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> Replies:
        async for reply in self._replies(request_iterator, context):
            yield reply

    async def waits(self, requests: Any, context: Any) -> Replies:
        """Answers each request, then waits for the end of the call; notes what it sees."""
        notes = self.notes[dict(context.invocation_metadata())["x-over"]]
        context.add_done_callback(lambda _: notes.append("done"))
        try:
            async for request in requests:
                notes.append(f"got {request.count}")
                yield EchoReply(index=request.count)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            notes.append("cancelled")
            raise


async def one(request: EchoRequest) -> AsyncIterator[EchoRequest]:
    yield request


async def last(replies: Replies) -> EchoReply:
    reply = EchoReply()
    async for reply in replies:  # noqa: B007  the last is meant
        pass
    return reply


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


def of(group: type) -> list[str]:
    return [name for name in vars(group) if not name.startswith("_")]


def counts_of(kind: str) -> tuple[int, ...]:
    return COUNTS if kind in STREAMING_REQUESTS else COUNTS[:1]


def asking(
    kind: str, case: str, metadata: Mapping[str, str] = {}, *, stays_open: bool = False
) -> Asked:
    return Asked(counts_of(kind), {"x-case": case, **metadata}, stays_open=stays_open)


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


def noted(kinds: Sequence[str], *ending: str) -> dict[str, list[str]]:
    """Returns the notes of calls whose requests were read, by method and protocol."""
    return {
        f"{kind} {over}": [*(f"got {count}" for count in counts_of(kind)), *ending]
        for kind in kinds
        for over in ASKS[kind]
    }


OPEN = cases(
    "kinds, stays_open",
    {"all requests sent": (KINDS, False), "more could come": (STREAMING_REQUESTS, True)},
)


@OPEN
async def test_a_deadline_cancels_a_handler_over_every_protocol(
    servers: Servers, servicer: Kinds, kinds: Sequence[str], stays_open: bool
) -> None:
    servicer.notes.clear()
    calls = []
    for kind in kinds:
        asked = asking(kind, "waits", {"grpc-timeout": "2S"}, stays_open=stays_open)
        calls.append(compare(servers, kind, asked, message="Deadline Exceeded"))
    codes = {outcome.code for outcome in await asyncio.gather(*calls)}
    assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}
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
