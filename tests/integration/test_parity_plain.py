"""One plain servicer with all four kinds of calls: callers of every protocol see what gRPC's see.

Nothing is aborted here: grpc.aio goes on in the thread after it has told the client.
"""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.all_protocols import Asked, Servers, compare, serving_twice

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS: Final = {"Say": (3,), "Repeat": (3,), "Count": (3, 4, 5), "Talk": (3, 4, 5)}
CASES: Final = ("answers", "ends_after_the_first", "sets_a_code", "sends_metadata")


class Plain(echo_pb2_grpc.EchoServicer):
    """Runs in threads; the metadata `x-case` names the case."""

    def Say(self, request: EchoRequest, context: Any) -> EchoReply:
        (reply,) = _replies([request], context)
        return reply

    def Repeat(self, request: EchoRequest, context: Any) -> Iterator[EchoReply]:
        yield from _replies([request], context)

    def Count(self, request_iterator: Iterator[EchoRequest], context: Any) -> EchoReply:
        replies = [reply.index for reply in _replies(request_iterator, context)]
        return EchoReply(index=sum(replies))

    def Talk(self, request_iterator: Iterator[EchoRequest], context: Any) -> Iterator[EchoReply]:
        yield from _replies(request_iterator, context)


def _replies(requests: Any, context: Any) -> Iterator[EchoReply]:
    assert threading.current_thread() is not threading.main_thread()
    case = dict(context.invocation_metadata())["x-case"]
    if case == "sends_metadata":
        context.send_initial_metadata((("x-first", "1"), ("x-first-bin", b"\x00\xff")))
        context.set_trailing_metadata((("x-last", "2"),))
    for request in requests:
        if case == "sets_a_code":
            context.set_code(grpc.StatusCode.OUT_OF_RANGE)
            context.set_details("too far")
        yield EchoReply(index=request.count)
        if case == "ends_after_the_first":
            return


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[Servers]:
    async with serving_twice(Plain(), []) as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
async def test_a_plain_function_is_the_same_over_every_protocol(
    servers: Servers, kind: str, case: str
) -> None:
    await compare(servers, kind, Asked(KINDS[kind], {"x-case": case}))


@pytest.mark.parametrize("kind", ["Count", "Talk"])
async def test_a_stream_without_requests_is_the_same_over_every_protocol(
    servers: Servers, kind: str
) -> None:
    outcome = await compare(servers, kind, Asked((), {"x-case": "answers"}))
    assert outcome.code is grpc.StatusCode.OK
