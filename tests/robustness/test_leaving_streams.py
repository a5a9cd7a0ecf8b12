"""Streams whose clients leave at once: a thousand over JSON in each form, and over WebSocket."""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

from tests.support.grpcweb_fixture import REPEAT, TALK, Server, serving
from tests.support.tables import cases
from tests.support.waiting import until_async
from tests.support.websocket_by_hand import KEY, text
from transcoder.protocols.streams import StreamingCall
from transcoder.protocols.websocket.call import SocketCall

STREAMS: Final = 1000
AT_ONCE: Final = 250
Request = Callable[[int], bytes]
ACCEPTED: Final = ("application/x-ndjson", "application/json", "text/event-stream")


def as_json(number: int) -> bytes:
    """A stream of responses that does not end; every fourth streams its requests, too."""
    accept = f"Accept: {ACCEPTED[number % 3]}\r\n"
    if number % 4:
        body = b'{"name":"%d","count":1,"case":"CASE_WAIT"}' % number
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"POST {REPEAT} HTTP/1.1\r\nHost: x\r\n{accept}{head}\r\n".encode() + body
    body = b'{"name":"%d"}\n' % number
    head = "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
    first = b"%x\r\n%b\r\n" % (len(body), body)
    return f"POST {TALK} HTTP/1.1\r\nHost: x\r\n{accept}{head}\r\n".encode() + first


def by_websocket(number: int) -> bytes:
    """The same over WebSocket; half a message follows."""
    head = (
        f"GET {REPEAT if number % 4 else TALK} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
    asked = {"name": str(number), "count": 1, "case": "CASE_WAIT"}
    return head.encode() + text(asked) + text(asked)[:-1]


async def begun(server: Server, number: int, request: Request) -> asyncio.StreamWriter:
    """Returns a connection on which the first message of a stream has come."""
    reader, writer = await asyncio.open_connection(*server.address.split(":"))
    writer.write(request(number))
    await reader.readuntil(b'{"name":"%d","index":1}' % number)
    return writer


def calls() -> int:
    return sum(isinstance(each, StreamingCall | SocketCall) for each in gc.get_objects())


@cases("ask", {"JSON": as_json, "WebSocket": by_websocket})
async def test_streams_that_leave_at_once_leave_nothing_behind(ask: Request) -> None:
    async with asyncio.timeout(50), serving() as server:
        tasks = len(asyncio.all_tasks())
        gc.collect()
        gc.disable()  # calls are freed as they end, not when the collector runs
        try:
            for first in range(0, STREAMS, AT_ONCE):
                numbers = range(first, first + AT_ONCE)
                writers = await asyncio.gather(*(begun(server, number, ask) for number in numbers))
                assert calls() == AT_ONCE
                for writer in writers:
                    writer.transport.abort()
                del writer, writers
                await until_async(lambda: len(asyncio.all_tasks()) == tasks)
                for number in numbers:
                    if number % 4:
                        await server.servicer.cancelled[str(number)].wait()
                await until_async(lambda: calls() == 0)  # callbacks of tasks that have ended
        finally:
            gc.enable()
