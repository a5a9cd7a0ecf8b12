"""Requests answered without aiohttp, and requests handed over to it; no sockets."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Final
from unittest import mock

import pytest

from tests.support.wires import MakeProtocol, Wire, protocols_of, settled
from transcoder.errors import TranscodeError, status_json
from transcoder.http.connection import HttpConnection
from transcoder.http.request import AnswerRequest, Request
from transcoder.http.response import Answer, Responses
from transcoder.http.server import Listener
from transcoder.http.whole_requests import WholeConnection
from transcoder.options import Limits

GET: Final = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST: Final = b"POST /b?c=d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
OK: Final = b"HTTP/1.1 200 OK\r\n"

caller: ContextVar[str] = ContextVar("caller", default="")


def refuse(error: TranscodeError, request: Request | None) -> Answer:
    return Answer(error.http_status, [*error.headers], status_json(error))


async def echo(request: Request) -> Answer:
    body = f"{request.method} {request.target} ".encode() + request.arrived()
    return Answer(200, [("X-Peer", str(request.peername))], body)


class Gate:
    """Answers when a test lets it.

    Attributes:
        targets: of the requests so far, in their order.
        cancelled: how often a handler was.
    """

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.may_answer = asyncio.Event()
        self.cancelled = 0

    async def __call__(self, request: Request) -> Answer:
        self.targets.append(request.target)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Answer(200, [], request.target.encode())


Connect = Callable[[AnswerRequest], Awaitable[Wire]]


async def serving(answer: AnswerRequest, *, reads_whole: bool = True) -> MakeProtocol:
    listener = Listener(answer, refuse, limits=Limits(), responses=Responses([("X-Always", "yes")]))
    return await protocols_of(listener.start, reads_whole=reads_whole)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    wires: list[Wire] = []

    async def connect(answer: AnswerRequest) -> Wire:
        wire = Wire(await serving(answer))
        wires.append(wire)
        return wire

    yield connect
    for wire in wires:
        wire.close()
    await settled()


def get(*headers: str, version: str = "1.1", verb: str = "GET", body: str = "") -> bytes:
    lines = [f"{verb} /a HTTP/{version}", "Host: a", *headers, "", body]
    return "\r\n".join(lines).encode("latin-1")


WHOLE: Final = {
    "without a body": get(),
    "with a body": POST,
    "with an empty body": get("Content-Length: 0"),
    "a length with zeros in front": get("Content-Length: 0004", body="body"),
    "of thousands of zeros": get("Content-Length: " + "0" * 5000),
    "HEAD": get(verb="HEAD"),
    "Connection: keep-alive": get("Connection: keep-alive"),
    "Upgrade without Connection": get("Upgrade: h2c"),
    "an absolute target": b"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
    "128 headers": get(*["X: y"] * 127),
}
HANDED_OVER: Final = {
    "half a head": GET[:-2],
    "half a body": POST[:-1],
    "two requests": GET + GET,
    "one and a half": GET + GET[:5],
    "garbage behind it": POST + b"x",
    "an empty line before it": b"\r\n" + b"\r\n" + GET,
    "HTTP/1.0": get(version="1.0"),
    "HTTP/9.9": get(version="9.9"),
    "chunks": get("Transfer-Encoding: chunked", body="0\r\n\r\n"),
    "another transfer coding": get("Transfer-Encoding: gzip"),
    "Connection: close": get("Connection: close"),
    "Upgrade": get("Connection: Upgrade", "Upgrade: h2c"),
    "Expect": get("Expect: 100-continue"),
    "CONNECT": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown method": get(verb="FOO"),
    "two lengths": get("Content-Length: 4", "Content-Length: 4", body="body"),
    "a length with a sign": get("Content-Length: +4", body="body"),
    "a length of other digits": get("Content-Length: \xb2", body="bo"),
    "a length and a transfer coding": get("Content-Length: 5", "Transfer-Encoding: chunked"),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a bare LF": b"GET / HTTP/1.1\nHost: a\n\n" + GET,
    "a folded header": get("X: y", " z"),
    "129 headers": get(*["X: y"] * 128),
    "a header of 9 KB": get("X: " + "y" * 9000),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("name", WHOLE)
async def test_a_plain_request_that_is_whole_is_answered_at_once(
    connect: Connect, name: str
) -> None:
    wire = await connect(echo)
    for _ in range(2):
        wire.feed(WHOLE[name])
        await settled()
    assert wire.written.count(OK) == 2
    assert isinstance(wire.protocol, WholeConnection)


@pytest.mark.parametrize("name", HANDED_OVER)
async def test_everything_else_is_handed_over_to_aiohttp(connect: Connect, name: str) -> None:
    wire = await connect(echo)
    wire.feed(GET)
    await settled()
    wire.feed(HANDED_OVER[name])
    assert isinstance(wire.protocol, HttpConnection)


@pytest.mark.parametrize("name", [*WHOLE, *HANDED_OVER])
async def test_both_ways_answer_alike(name: str) -> None:
    written = []
    for reads_whole in (True, False):
        wire = Wire(await serving(echo, reads_whole=reads_whole))
        wire.feed((WHOLE | HANDED_OVER)[name])
        await settled()
        written.append((re.sub(rb"\r\nDate: [^\r]+", b"", wire.written), wire.is_closed))
        wire.close()
        await settled()
    assert written[0] == written[1]


async def test_a_handler_sees_the_request(connect: Connect) -> None:
    wire = await connect(echo)
    wire.feed(POST)
    await settled()
    head, _, body = wire.written.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[:4] == [
        b"HTTP/1.1 200 OK",
        b"X-Peer: ('127.0.0.1', 5000)",
        b"Content-Length: 16",
        b"X-Always: yes",
    ]
    assert (lines[4][:6], len(lines)) == (b"Date: ", 5)
    assert body == b"POST /b?c=d body"


async def test_a_handler_runs_in_a_task(connect: Connect) -> None:
    async def timed(request: Request) -> Answer:
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
        return Answer(200, [], str(asyncio.current_task() is not None).encode())

    wire = await connect(timed)
    wire.feed(GET)
    await settled()
    assert wire.written.endswith(b"True")


async def test_an_idle_connection_has_no_task(connect: Connect) -> None:
    wire = await connect(echo)
    wire.feed(GET)
    await settled()
    assert len(asyncio.all_tasks()) == 1


async def test_a_request_behind_another_is_answered_after_it(connect: Connect) -> None:
    gate = Gate()
    wire = await connect(gate)
    wire.feed(GET)
    await settled()
    wire.feed(POST[:9])
    wire.feed(POST[9:])
    await settled()
    assert gate.targets == ["/a"]
    gate.may_answer.set()
    await settled()
    assert [part[-3:] for part in wire.written.split(OK)[1:]] == [b"\n/a", b"c=d"]


async def test_a_request_sees_nothing_of_the_context_of_the_one_before(connect: Connect) -> None:
    seen: list[str] = []
    gate = Gate()

    async def named(request: Request) -> Answer:
        seen.append(caller.get())
        caller.set(request.target)
        return await gate(request)

    wire = await connect(named)
    wire.feed(GET)
    await settled()
    wire.feed(POST)
    gate.may_answer.set()
    await settled()
    assert seen == ["", ""]


async def test_a_client_that_sends_on_and_on_has_to_wait(connect: Connect) -> None:
    wire = await connect(Gate())
    wire.feed(GET)
    with mock.patch.object(wire, "pause_reading") as pause:
        wire.feed(b"x" * (64 << 10))
        pause.assert_called_once_with()


async def test_a_client_that_leaves_cancels_its_request_once(connect: Connect) -> None:
    gate = Gate()
    wire = await connect(gate)
    wire.feed(GET)
    await settled()
    wire.close()
    await settled()
    assert gate.cancelled == 1


async def test_a_handler_that_is_cancelled_by_itself_ends_the_connection(connect: Connect) -> None:
    async def cancelled(request: Request) -> Answer:
        raise asyncio.CancelledError

    wire = await connect(cancelled)
    wire.feed(GET)
    await settled()
    assert (wire.written, wire.is_closed) == (b"", True)


async def test_a_malformed_request_disturbs_no_other_connection() -> None:
    make = await serving(echo)
    bad, good = Wire(make), Wire(make)
    bad.feed(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    good.feed(GET)
    await settled()
    assert bad.written.startswith(b"HTTP/1.1 400 ")
    assert good.written.startswith(OK)
    bad.close()
    good.close()
    await settled()


async def test_an_answer_is_one_write(connect: Connect) -> None:
    wire = await connect(echo)
    with mock.patch.object(wire, "write") as write:
        wire.feed(GET)
        await settled()
    assert write.call_count == 1
