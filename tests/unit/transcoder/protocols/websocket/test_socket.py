"""One WebSocket without a network: what waits, what is read on, and who ends the call."""

import asyncio

import pytest

from tests.support.waiting import until_async
from tests.support.websocket_by_hand import BINARY, CLOSE, PING, TEXT, masked
from transcoder import JsonOptions, Limits
from transcoder.codec.codec import Codec
from transcoder.errors import TranscodeError
from transcoder.http.ceiling import Ceiling, Held
from transcoder.http.switched import Kind
from transcoder.protocols.json_errors import JsonErrors
from transcoder.protocols.websocket.framed_wire import FramedWire
from transcoder.protocols.websocket.framing import close_message, frame
from transcoder.protocols.websocket.socket import QUEUED_MAX, Socket

WAIT_S = 30.0


class Wire:
    """A connection that notes what is done with it."""

    def __init__(self) -> None:
        self.is_full = False
        self.is_read = True
        self.is_closed = False
        self.is_aborted = False
        self.sent = b""

    def write(self, octets: bytes) -> None:
        if self.is_closed:
            raise ConnectionResetError
        self.sent += octets

    write_soon = write

    async def drained(self) -> None:
        return None

    def read_on(self, *, is_on: bool) -> None:
        self.is_read = is_on

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True


def close_frame(code: int, reason: str) -> bytes:
    kind, parts = close_message(code, reason)
    return frame(kind, *parts)


class Opened:
    """A socket, its connection, and how often its call was ended."""

    def __init__(self, limits: Limits = Limits(), *, is_open: bool = True) -> None:  # noqa: B008  frozen
        self.ceiling = Ceiling(max_bytes=1 << 20, small_bytes=1 << 10)
        codec = Codec(JsonOptions(), nesting_max=10, strict=False)
        errors = JsonErrors(codec, has_envelope=False)
        self.socket = Socket(limits, errors, Held(self.ceiling))
        self.wire = Wire()
        self.ended = 0
        if is_open:
            self.open()

    def open(self) -> None:
        self.socket.open(FramedWire(self.wire), self._end)

    def _end(self) -> None:
        self.ended += 1

    def feed(self, *frames: bytes) -> None:
        self.socket.feed_data(b"".join(frames))

    async def next(self) -> tuple[Kind, bytes]:
        async with asyncio.timeout(WAIT_S):
            return await self.socket.next(begin_s=WAIT_S, what="the next message")


async def test_a_flood_of_messages_stops_the_reading_until_the_call_takes_some() -> None:
    opened = Opened()
    count = 3 * QUEUED_MAX
    opened.feed(*(masked(TEXT, b"%d" % number) for number in range(count)))
    assert (opened.wire.is_read, opened.ceiling.held_bytes > 0) == (False, True)
    assert [await opened.next() for _ in range(count)] == [
        (Kind.TEXT, b"%d" % number) for number in range(count)
    ]
    assert (opened.wire.is_read, opened.ceiling.held_bytes) == (True, 0)


async def test_whole_messages_of_a_host_keep_the_same_limits() -> None:
    opened = Opened(Limits(body_max_bytes=10))
    for number in range(QUEUED_MAX):
        opened.socket.feed_message(Kind.TEXT, b"%d" % number)
    assert (opened.wire.is_read, opened.ceiling.held_bytes > 0) == (False, True)
    assert [await opened.next() for _ in range(QUEUED_MAX)] == [
        (Kind.TEXT, b"%d" % number) for number in range(QUEUED_MAX)
    ]
    assert opened.wire.is_read
    opened.socket.feed_message(Kind.TEXT, b"x" * 11)
    assert opened.ended == 1
    assert opened.wire.sent.endswith(close_frame(1009, "RESOURCE_EXHAUSTED"))


async def test_a_message_that_comes_with_the_handshake_is_kept() -> None:
    opened = Opened(is_open=False)
    opened.socket.feed_message(Kind.TEXT, b"early")
    opened.open()
    assert await opened.next() == (Kind.TEXT, b"early")


async def test_large_messages_stop_the_reading_by_their_bytes() -> None:
    opened = Opened()
    opened.feed(masked(BINARY, b"x" * (100 << 10)))
    assert (opened.wire.is_read, opened.ceiling.held_bytes) == (False, 100 << 10)
    assert await opened.next() == (Kind.BINARY, b"x" * (100 << 10))
    assert (opened.wire.is_read, opened.ceiling.held_bytes) == (True, 0)


async def test_what_all_connections_hold_together_has_a_limit() -> None:
    opened = Opened()
    opened.feed(masked(BINARY, b"x" * (900 << 10)))
    assert opened.ended == 1
    assert b'"code":8,' in opened.wire.sent
    assert opened.ceiling.held_bytes == 0


async def test_a_ping_is_answered_at_once_and_the_last_one_once_the_client_reads() -> None:
    opened = Opened()
    opened.feed(masked(PING, b"1"))
    assert opened.wire.sent == frame(Kind.PONG, b"1")
    opened.wire.is_full = True
    opened.feed(*(masked(PING, b"%d" % number) for number in range(2, 1000)))
    assert opened.wire.sent == frame(Kind.PONG, b"1")
    opened.wire.is_full = False
    await opened.socket.drained()
    assert opened.wire.sent == frame(Kind.PONG, b"1") + frame(Kind.PONG, b"999")


async def test_a_client_that_closes_ends_the_call_once() -> None:
    opened = Opened()
    opened.feed(masked(CLOSE, b"\x03\xe9bye"))
    assert (opened.wire.sent, opened.wire.is_closed) == (close_frame(1001, ""), True)
    opened.socket.feed_eof()
    assert opened.ended == 1


async def test_the_end_of_the_call_waits_for_the_client_to_close() -> None:
    opened = Opened()
    opened.socket.end(None)
    closing = asyncio.create_task(opened.socket.closed())
    opened.feed(masked(TEXT, b"late"), masked(CLOSE, b"\x03\xe8"))
    await closing
    assert opened.wire.sent == frame(Kind.TEXT, b'{"status":{"code":0}}') + close_frame(1000, "OK")
    assert (opened.wire.is_closed, opened.ended) == (True, 0)


async def test_a_client_that_does_not_close_is_not_waited_for() -> None:
    opened = Opened()
    opened.socket.end(None)
    async with asyncio.timeout(WAIT_S):
        await opened.socket.closed()
    assert opened.wire.is_closed


async def test_a_silent_client_is_pinged_then_given_up() -> None:
    opened = Opened(Limits(ping_interval_s=0.01))
    await until_async(lambda: opened.wire.is_aborted)
    assert (opened.wire.sent, opened.ended) == (frame(Kind.PING, b""), 1)


async def test_a_client_that_is_not_read_is_not_given_up() -> None:
    opened = Opened(Limits(ping_interval_s=0.01))
    opened.feed(*(masked(TEXT, b"") for _ in range(2 * QUEUED_MAX)))
    begun = asyncio.get_running_loop().time()
    await until_async(lambda: asyncio.get_running_loop().time() - begun > 0.1)
    assert (opened.wire.sent, opened.wire.is_aborted) == (b"", False)
    opened.socket.feed_eof()


async def test_half_a_message_has_to_become_whole() -> None:
    opened = Opened(Limits(body_timeout_s=0.05))
    opened.feed(masked(TEXT, b"half", first=0))
    with pytest.raises(TranscodeError) as raised:
        await opened.next()
    assert raised.value.message == "the next message did not arrive within 0.05 s"


async def test_a_message_too_many_ends_the_call() -> None:
    opened = Opened()
    opened.feed(masked(TEXT, b"{}"))
    assert await opened.next() == (Kind.TEXT, b"{}")
    opened.socket.expect_no_more()
    opened.feed(masked(TEXT, b""))
    assert opened.ended == 0
    opened.feed(masked(TEXT, b"{}"))
    assert opened.ended == 1
    assert b'"code":3,' in opened.wire.sent
    with pytest.raises(TranscodeError):
        await opened.next()


async def test_a_message_too_many_that_waits_already_is_told_where_it_is_read() -> None:
    opened = Opened()
    opened.feed(masked(TEXT, b"{}"), masked(TEXT, b"{}"))
    await opened.next()
    with pytest.raises(TranscodeError, match="expected no further message"):
        opened.socket.expect_no_more()


async def test_half_a_ping_is_not_the_begin_of_a_message() -> None:
    opened = Opened(Limits(body_timeout_s=0.3))
    waiting = asyncio.create_task(opened.next())
    await asyncio.sleep(0)
    ping = masked(PING, b"ping")
    opened.feed(ping[:3])
    await asyncio.sleep(0)
    opened.feed(ping[3:])
    begun = asyncio.get_running_loop().time()
    await until_async(lambda: asyncio.get_running_loop().time() - begun > 0.4)
    message = masked(TEXT, b"{}")
    opened.feed(message[:3])
    await asyncio.sleep(0)
    opened.feed(message[3:])
    assert await waiting == (Kind.TEXT, b"{}")
