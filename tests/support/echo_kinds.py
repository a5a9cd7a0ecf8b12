"""A servicer of echo.v1.Echo with a case for each way that a call goes, and how to ask for them.

Each case is an asynchronous generator over the requests of a call, whatever its kind: a method
without a stream of responses answers with the last.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import grpc

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.all_protocols import ASKS, Asked

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


def of(group: type) -> list[str]:
    return [name for name in vars(group) if not name.startswith("_")]


def counts_of(kind: str) -> tuple[int, ...]:
    return COUNTS if kind in STREAMING_REQUESTS else COUNTS[:1]


def asking(
    kind: str, case: str, metadata: Mapping[str, str] = {}, *, stays_open: bool = False
) -> Asked:
    return Asked(counts_of(kind), {"x-case": case, **metadata}, stays_open=stays_open)


def noted(kinds: Sequence[str], *ending: str) -> dict[str, list[str]]:
    """Returns the notes of calls whose requests were read, by method and protocol."""
    return {
        f"{kind} {over}": [*(f"got {count}" for count in counts_of(kind)), *ending]
        for kind in kinds
        for over in ASKS[kind]
    }
