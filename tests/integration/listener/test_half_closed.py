"""A client that has sent all and still reads gets its answer; one that has gone is noticed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from tests.support.connections import reset
from tests.support.tables import cases
from transcoder.errors import TranscodeError, status_json
from transcoder.http.connections import LINGER_S
from transcoder.http.half_closed import CONTINUE, PROBE_S
from transcoder.http.request import AnswerRequest, Request
from transcoder.http.response import Answer
from transcoder.http.server import Listener
from transcoder.options import Limits

PATIENCE_S: Final = 10
GET: Final = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD: Final = b"GET / HTTP/1.0\r\n\r\n"


class Handler:
    """Answers when the test lets it.

    Attributes:
        cancelled: set when a client was found to have left.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.is_streaming = False

    async def __call__(self, request: Request) -> Answer | None:
        self.begun.set()
        if self.is_streaming:
            await request.begin(200, [])
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Answer(200, [], b"hello")


def refuse(error: TranscodeError, request: Request | None) -> Answer:
    return Answer(error.http_status, [*error.headers], status_json(error))


@asynccontextmanager
async def connected(
    handler: AnswerRequest, request: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    listener = Listener(handler, refuse, limits=Limits(drain_timeout_s=0.1))
    host, _, port = (await listener.start("127.0.0.1:0")).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(request)
            await writer.drain()
            yield reader, writer
    finally:
        writer.close()
        await listener.stop()


@pytest.mark.parametrize("request_bytes", [GET, OLD], ids=["HTTP/1.1", "HTTP/1.0"])
async def test_an_answer_that_is_there_is_sent_and_the_connection_closed(
    request_bytes: bytes,
) -> None:
    handler = Handler()
    handler.may_answer.set()
    async with connected(handler, b"") as (reader, writer):
        writer.write(request_bytes)
        writer.write_eof()
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.")
    assert answer.endswith(b"\r\n\r\nhello")


async def test_requests_sent_one_behind_the_other_are_all_answered() -> None:
    handler = Handler()
    handler.may_answer.set()
    async with connected(handler, 3 * GET) as (reader, writer):
        writer.write_eof()
        answer = await reader.read()
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_a_slow_answer_is_sent_behind_an_interim_one() -> None:
    handler = Handler()
    async with connected(handler, GET) as (reader, writer):
        await handler.begun.wait()
        writer.write_eof()
        assert await reader.readexactly(len(CONTINUE)) == CONTINUE
        await asyncio.wait([asyncio.ensure_future(handler.cancelled.wait())], timeout=3 * PROBE_S)
        assert not handler.cancelled.is_set()
        handler.may_answer.set()
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\nhello")


@cases(
    "half_closes, resets, within_s",
    {
        "closes both sides": (False, False, 4 * PROBE_S),
        "resets": (False, True, PROBE_S),
        "resets after a half close": (True, True, 2 * PROBE_S),
    },
)
async def test_a_client_that_leaves_is_noticed_in_time(
    half_closes: bool, resets: bool, within_s: float
) -> None:
    handler = Handler()
    async with connected(handler, GET) as (reader, writer):
        await handler.begun.wait()
        if half_closes:
            writer.write_eof()
            await reader.readexactly(len(CONTINUE))
        if resets:
            reset(writer.get_extra_info("socket"))
            writer.transport.abort()
        else:
            writer.close()
        async with asyncio.timeout(within_s):
            await handler.cancelled.wait()


@cases(
    "request_bytes, is_streaming",
    {
        "HTTP/1.0, which has no interim answers": (OLD, False),
        "an answer that has begun": (GET, True),
    },
)
async def test_a_connection_that_may_be_closed_counts_as_closed(
    request_bytes: bytes, is_streaming: bool
) -> None:
    handler = Handler()
    handler.is_streaming = is_streaming
    async with connected(handler, request_bytes) as (_, writer):
        await handler.begun.wait()
        writer.write_eof()
        async with asyncio.timeout(2 * PROBE_S):
            await handler.cancelled.wait()


async def test_a_close_some_time_after_a_half_close_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transcoder.http.half_closed.LOOKS_PER_PROBE", 2)
    handler = Handler()
    async with connected(handler, GET) as (reader, writer):
        await handler.begun.wait()
        writer.write_eof()
        await reader.readexactly(len(CONTINUE))
        writer.close()
        async with asyncio.timeout(6 * PROBE_S):
            await handler.cancelled.wait()


async def test_a_slow_reader_gets_a_large_answer_whole() -> None:
    body = b"x" * (16 << 20)

    async def answer(request: Request) -> Answer | None:
        return Answer(200, [], body)

    async with connected(answer, GET) as (reader, writer):
        writer.write_eof()
        await reader.readuntil(b"\r\n\r\n")
        await passed(3 * PROBE_S)  # the client is looked for meanwhile
        assert await reader.read() == body


async def test_a_stream_that_goes_on_is_read_after_a_half_close() -> None:
    async def count(request: Request) -> Answer | None:
        await request.begin(200, [])
        for _ in range(6):
            await request.write(b"x")
            await passed(PROBE_S / 2)
        await request.finish(b"")
        return None

    async with connected(count, GET) as (reader, writer):
        writer.write_eof()
        received = await reader.read()
    assert received.count(b"1\r\nx\r\n") == 6
    assert received.endswith(b"0\r\n\r\n")


async def passed(seconds: float) -> None:
    """Waits until the loop's clock has gone on."""
    loop = asyncio.get_running_loop()
    reached = loop.create_future()
    loop.call_later(seconds, reached.set_result, None)
    await reached


async def test_half_a_request_is_closed_at_once() -> None:
    handler = Handler()
    async with connected(handler, GET[:-2]) as (reader, writer):
        writer.write_eof()
        async with asyncio.timeout(LINGER_S / 2):
            answer: Any = await reader.read()
    assert answer == b""
