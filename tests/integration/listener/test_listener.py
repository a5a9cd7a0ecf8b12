"""Connections over real sockets: limits, deadlines, refusals, drain."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from tests.support.raised import misconfigured
from tests.support.tables import cases
from tests.support.waiting import until_async
from transcoder.errors import TranscodeError, status_json
from transcoder.http import slow_readers
from transcoder.http.body import head_of, read_body
from transcoder.http.connections import LINGER_S
from transcoder.http.request import AnswerRequest, Request
from transcoder.http.response import Answer as Reply
from transcoder.http.server import Listener
from transcoder.options import Limits

LIMITS = Limits(drain_timeout_s=5.0)
PATIENCE_S = 10.0
HELLO = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def words(self) -> str:
        """The message of a google.rpc.Status."""
        message: str = json.loads(self.body)["message"]
        return message


class Client:
    """One connection; what it reads, it reads with patience."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            await self.writer.drain()

    async def answer(self) -> Answer:
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status_line, *lines = head.decode().split("\r\n")[:-2]
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(status_line.split(" ")[1]), headers, body)

    async def end(self) -> bytes:
        """Returns all bytes until the server closes the connection."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
        return b""


class Server:
    """A listener with a handler of the test's."""

    def __init__(self, handler: AnswerRequest, limits: Limits) -> None:
        self.listener = Listener(handler, refuse, limits=limits)
        self.port = 0
        self._clients: list[Client] = []

    async def start(self) -> None:
        self.port = int((await self.listener.start("127.0.0.1:0")).rpartition(":")[2])

    async def connect(self, first: bytes = b"") -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        if first:
            await client.send(first)
        return client

    async def close(self) -> None:
        for client in self._clients:
            client.writer.close()
        await self.listener.stop()


Serve = Callable[..., Awaitable[Server]]


def refuse(error: TranscodeError, request: Request | None = None) -> Reply:
    headers = [("Content-Type", "application/json"), *error.headers]
    return Reply(error.http_status, headers, status_json(error))


async def hello(request: Request) -> Reply:
    return Reply(200, [], b"hello")


async def echo(request: Request) -> Reply:
    try:
        head_of(request)
        body = await read_body(request, LIMITS, None)
    except TranscodeError as error:
        return refuse(error)
    return Reply(200, [], body)


def echo_with(limits: Limits) -> AnswerRequest:
    async def handler(request: Request) -> Reply:
        try:
            return Reply(200, [], await read_body(request, limits, None))
        except TranscodeError as error:
            return refuse(error)

    return handler


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[Server] = []

    async def start(handler: AnswerRequest = hello, limits: Limits = LIMITS) -> Server:
        server = Server(handler, limits)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.close()


async def test_requests_of_one_connection_are_answered_in_turn(serve: Serve) -> None:
    client = await (await serve()).connect(HELLO + HELLO)
    assert [(await client.answer()).body for _ in range(2)] == [b"hello", b"hello"]
    await client.send(HELLO)
    assert (await client.answer()).body == b"hello"


async def test_answer_does_not_name_the_server(serve: Serve) -> None:
    client = await (await serve()).connect(HELLO)
    assert "server" not in (await client.answer()).headers


GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
REQUEST_LINE = (400, "request line: expected a method, a path and HTTP/1.1")
METHOD = (400, "request line: expected an HTTP method first")
TARGET = (400, "request target: expected a path or an absolute URL")
TOO_LONG = (431, "request line or header: longer than 8190 bytes")
BOTH_LENGTHS = (400, "headers: expected Content-Length or Transfer-Encoding, got both")
LENGTH = (400, "header Content-Length: expected one whole number")
HOST = (400, "header Host: expected one")
LINES = (400, "headers: expected lines of a name, a colon and a value, each once")


@cases(
    "request_bytes, expected",
    {
        "HTTP/9.9": (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", REQUEST_LINE),
        "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", REQUEST_LINE),
        "unknown method": (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", METHOD),
        "relative path": (b"GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
        "HTTP/2 preface": (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            (400, "request: expected HTTP/1.1, got HTTP/2"),
        ),
        "TLS hello": (
            b"\x16\x03\x01\x00\xc5\x01\x00\x00\xc1\x03\x03" + b"x" * 180,
            (400, "request: expected HTTP/1.1, got TLS"),
        ),
        "TLS hello, one byte": (b"\x16", (400, "request: expected HTTP/1.1, got TLS")),
        "TLS hello, two bytes": (b"\x16\x03", (400, "request: expected HTTP/1.1, got TLS")),
        "10 KB header": (GET + b"X: " + b"a" * 10_000 + b"\r\n\r\n", TOO_LONG),
        "20 KB path": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", TOO_LONG),
        "1,000 headers": (GET + b"X: y\r\n" * 1000 + b"\r\n", (431, "headers: more than 128")),
        "CL with TE": (
            POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            BOTH_LENGTHS,
        ),
        "TE with CL": (
            POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            BOTH_LENGTHS,
        ),
        "two CL": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", LENGTH),
        "negative CL": (POST + b"Content-Length: -1\r\n\r\n", LENGTH),
        "two Host": (GET + b"Host: b\r\n\r\n", HOST),
        "no Host": (b"GET / HTTP/1.1\r\n\r\n", HOST),
        "NUL in a header": (GET + b"X: a\x00b\r\n\r\n", LINES),
        "space before the colon": (GET + b"X : b\r\n\r\n", LINES),
        "bad chunk": (CHUNKED + b"zz\r\n", (400, "request body: its chunks are malformed")),
        "chunk of more bytes than a number holds": (
            CHUNKED + b"f" * 18 + b"\r\n",
            (400, "request body: its chunks are malformed"),
        ),
    },
)
async def test_malformed_request_is_refused_in_our_words(
    serve: Serve, request_bytes: bytes, expected: tuple[int, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client = await (await serve()).connect(request_bytes)
        answer = await client.answer()
        assert await client.end() == b""
    assert (answer.status, answer.words()) == expected
    headers = answer.headers
    assert (headers["content-type"], headers["connection"]) == ("application/json", "close")
    assert "server" not in answer.headers
    assert caplog.records == []


@cases(
    "request_bytes",
    {
        "good": HELLO,
        "HTTP/9.9": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "CL with TE": GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    },
)
async def test_request_byte_by_byte_is_answered_as_whole(
    serve: Serve, request_bytes: bytes
) -> None:
    server = await serve()
    whole = await (await server.connect(request_bytes)).answer()
    client = await server.connect()
    answering = asyncio.create_task(client.answer())
    with contextlib.suppress(ConnectionError):
        for index in range(len(request_bytes)):
            await client.send(request_bytes[index : index + 1])
            await asyncio.sleep(0)
    dripped = await answering
    assert (dripped.status, dripped.body) == (whole.status, whole.body)


async def test_garbage_after_a_good_request_is_refused(serve: Serve) -> None:
    client = await (await serve()).connect(HELLO)
    assert (await client.answer()).body == b"hello"
    await client.send(b"junk\r\n\r\n")
    assert (await client.answer()).status == 400
    assert await client.end() == b""


@cases(
    "header_s, keepalive_s, answered, then",
    {
        "whose headers do not come whole": (0.1, 60.0, 0, b"GET / HT"),
        "whose second headers do not": (0.3, 60.0, 1, b"GET"),
        "that stays silent": (60.0, 0.1, 0, b""),
        "that is idle": (60.0, 0.1, 1, b""),
    },
)
async def test_connection_without_a_whole_request_is_closed_in_time(
    serve: Serve, header_s: float, keepalive_s: float, answered: int, then: bytes
) -> None:
    limits = replace(LIMITS, header_timeout_s=header_s, keepalive_timeout_s=keepalive_s)
    client = await (await serve(hello, limits)).connect(HELLO * answered)
    for _ in range(answered):
        assert (await client.answer()).body == b"hello"
    await client.send(then)
    assert await client.end() == b""


async def test_new_connection_may_be_silent_longer_than_headers_may_take(serve: Serve) -> None:
    limits = replace(LIMITS, header_timeout_s=0.05, keepalive_timeout_s=60.0)
    client = await (await serve(hello, limits)).connect()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.reader.read(1), 0.2)
    await client.send(HELLO)
    assert (await client.answer()).body == b"hello"


async def test_headers_that_begin_late_have_their_whole_time(serve: Serve) -> None:
    limits = replace(LIMITS, header_timeout_s=5.0, keepalive_timeout_s=0.2)
    client = await (await serve(hello, limits)).connect(HELLO[:5])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.reader.read(1), 0.4)
    await client.send(HELLO[5:])
    assert (await client.answer()).body == b"hello"


async def test_dripped_headers_do_not_put_the_deadline_off(serve: Serve) -> None:
    limits = replace(LIMITS, header_timeout_s=0.3, keepalive_timeout_s=60.0)
    server = await serve(hello, limits)
    client = await server.connect(b"GET / HTTP/1.1\r\nHost: a\r\n")
    ended = asyncio.create_task(client.end())
    while not ended.done():
        with contextlib.suppress(ConnectionError):
            await client.send(b"X: y\r\n")
        await asyncio.wait([ended], timeout=0.02)
    assert await ended == b""


async def test_request_in_time_takes_the_header_deadline_away(serve: Serve) -> None:
    limits = replace(LIMITS, header_timeout_s=0.2)
    released = asyncio.Event()

    async def wait(request: Request) -> Reply:
        await released.wait()
        return Reply(200, [], b"hello")

    client = await (await serve(wait, limits)).connect(HELLO)
    asyncio.get_running_loop().call_later(0.4, released.set)
    assert (await client.answer()).body == b"hello"


async def test_connection_above_the_cap_is_closed_at_once(serve: Serve) -> None:
    server = await serve(hello, replace(LIMITS, connections_max=2))
    good = [await server.connect(HELLO) for _ in range(2)]
    assert [(await client.answer()).status for client in good] == [200, 200]
    refused = await server.connect()
    assert await refused.end() == b""
    await good[0].send(HELLO)
    assert (await good[0].answer()).status == 200
    good[1].writer.close()
    await good[1].end()
    assert await _is_served(server)


async def _is_served(server: Server) -> bool:
    """True if a new connection is answered, once the server has seen another one end."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            client = await server.connect()
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await client.send(HELLO)
                return (await client.answer()).status == 200


@cases(
    "request_bytes",
    {
        "content length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "chunks": (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        ),
        "identity encoding": (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: identity\r\n"
            b"Content-Length: 5\r\n\r\nhello"
        ),
    },
)
async def test_body_is_read_whole_and_byte_by_byte(serve: Serve, request_bytes: bytes) -> None:
    server = await serve(echo)
    client = await server.connect(request_bytes)
    assert (await client.answer()).body == b"hello"
    for index in range(len(request_bytes)):
        await client.send(request_bytes[index : index + 1])
        await asyncio.sleep(0)
    assert (await client.answer()).body == b"hello"


async def test_request_without_a_body_has_an_empty_one(serve: Serve) -> None:
    client = await (await serve(echo)).connect(HELLO)
    assert (await client.answer()).body == b""


async def test_client_that_expects_100_is_told_to_continue(serve: Serve) -> None:
    client = await (await serve(echo)).connect(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    )
    assert (await client.answer()).status == 100
    await client.send(b"hello")
    assert (await client.answer()).body == b"hello"


async def test_body_at_the_limit_is_read(serve: Serve) -> None:
    body = b"x" * LIMITS.body_max_bytes
    client = await (await serve(echo)).connect(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    assert (await client.answer()).body == body


@cases(
    "request_bytes",
    {
        "content length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n" + b"x" * 101,
        "chunks": (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"
            + b"x" * 101
            + b"\r\n0\r\n\r\n"
        ),
    },
)
async def test_body_just_over_the_limit_is_refused_and_the_connection_goes_on(
    serve: Serve, request_bytes: bytes
) -> None:
    limits = replace(LIMITS, body_max_bytes=100)
    server = await serve(echo_with(limits), limits)
    for _ in range(2):
        client = await server.connect()
        middle = len(request_bytes) // 2
        await client.send(request_bytes[:middle])
        await client.send(request_bytes[middle:])
        answer = await client.answer()
        assert (answer.status, answer.words()) == (
            413,
            "the request body is larger than the limit of 100 bytes",
        )
        await client.send(HELLO)
        assert (await client.answer()).status == 200


async def test_large_declared_body_is_refused_before_it_is_sent(serve: Serve) -> None:
    client = await (await serve(echo)).connect(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
    )
    assert (await client.answer()).status == 413


@cases(
    "headers, piece",
    {
        "content length": (b"Content-Length: 100000000", b"x" * 65536),
        "chunks": (b"Transfer-Encoding: chunked", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    },
)
@cases("handler", {"read": echo, "not": hello})
async def test_client_that_goes_on_sending_gets_its_answer_and_is_cut(
    serve: Serve, headers: bytes, piece: bytes, handler: AnswerRequest
) -> None:
    client = await (await serve(handler)).connect(
        b"POST / HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n\r\n"
    )
    answering = asyncio.create_task(client.answer())
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 100_000_000:
            await client.send(piece)
            sent += len(piece)
    assert sent < 50_000_000
    assert (await answering).status == (413 if handler is echo else 200)


async def test_slow_body_is_refused_in_time(serve: Serve) -> None:
    limits = replace(LIMITS, body_timeout_s=0.1)
    client = await (await serve(echo_with(limits), limits)).connect(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"
    )
    answer = await client.answer()
    late = "the request body did not arrive within 0.1 s"
    assert (answer.status, answer.words()) == (408, late)
    assert answer.headers["connection"] == "close"
    assert await client.end() == b""


async def test_body_of_an_unknown_coding_is_refused_before_it_is_sent(serve: Serve) -> None:
    client = await (await serve(echo)).connect(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: deflate\r\nContent-Length: 2\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    answer = await client.answer()
    assert (answer.status, answer.words()) == (
        415,
        "content encoding 'deflate': expected at most 2 of zstd, br, gzip",
    )
    assert answer.headers["accept-encoding"] == "zstd, br, gzip"


async def test_chunk_that_goes_wrong_later_ends_the_connection_after_one_answer(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()

    async def read(request: Request) -> Reply:
        begun.set()
        return await echo(request)

    with caplog.at_level(logging.INFO):
        client = await (await serve(read)).connect(CHUNKED + b"1\r\na\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await begun.wait()
        await client.send(b"zz\r\n")
        answer = await client.answer()
        assert await client.end() == b""
    assert (answer.status, answer.words()) == (400, "request body: its chunks are malformed")
    assert answer.headers["connection"] == "close"
    assert caplog.records == []


@cases(
    "begin, piece",
    {
        "extension of a chunk": (b"1;a=", b"a" * 1024),
        "extension of the last chunk": (b"1\r\nx\r\n0;a=", b"a" * 1024),
        "many extensions": (b"1\r\nx\r\n", b"1;" + b"a" * 1017 + b"\r\nx\r\n"),
        "trailers": (b"1\r\nx\r\n0\r\n", b"X-Y: " + b"a" * 1017 + b"\r\n"),
    },
)
async def test_a_megabyte_of_a_bodys_framing_is_refused(
    serve: Serve, begin: bytes, piece: bytes
) -> None:
    client = await (await serve(echo)).connect(CHUNKED + begin)
    answering = asyncio.create_task(client.answer())
    with contextlib.suppress(ConnectionError):
        for _ in range(64):
            await client.send(piece * 16)
    assert (await answering).status == 400
    assert await client.end() == b""


async def test_a_body_of_tiny_chunks_is_read(serve: Serve) -> None:
    body = b"x" * 200_000
    chunks = b"1\r\nx\r\n" * len(body)
    client = await (await serve(echo)).connect(CHUNKED)
    answering = asyncio.create_task(client.answer())
    await client.send(chunks + b"0\r\n\r\n")
    assert (await answering).body == body


async def test_chunk_that_goes_wrong_after_the_answer_ends_the_connection(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client = await (await serve()).connect(CHUNKED + b"1\r\na\r\n")
        assert (await client.answer()).status == 200
        await client.send(b"zz\r\n")
        assert await client.end() == b""
    assert caplog.records == []


async def test_client_that_leaves_cancels_its_request(serve: Serve) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Reply:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    client = await (await serve(wait)).connect(HELLO)
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
        client.writer.close()
        await cancelled.wait()


@cases(
    "failure, status, words",
    {
        "any error": (ValueError("secret"), 500, "internal error"),
        "timeout": (TimeoutError("secret"), 504, "Deadline Exceeded"),
    },
)
async def test_handler_that_fails_is_answered_without_its_words(
    serve: Serve, failure: Exception, status: int, words: str
) -> None:
    async def fail(request: Request) -> Reply:
        raise failure

    client = await (await serve(fail)).connect(HELLO)
    answer = await client.answer()
    assert (answer.status, answer.words()) == (status, words)


async def test_handler_that_fails_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(request: Request) -> Reply:
        raise ValueError("secret")

    client = await (await serve(fail)).connect(HELLO)
    await client.answer()
    assert [record.message for record in caplog.records] == ["answering a request failed"]
    assert "ValueError: secret" in caplog.text


async def test_handler_that_fails_within_its_answer_ends_the_connection(serve: Serve) -> None:
    async def fail(request: Request) -> Reply:
        await request.begin(200, [])
        await request.write(b"hello")
        raise ValueError

    client = await (await serve(fail)).connect(HELLO)
    assert (await client.end()).endswith(b"\r\n\r\n5\r\nhello\r\n")


async def test_large_answer_waits_for_its_reader(serve: Serve) -> None:
    body = b"x" * (16 << 20)

    async def large(request: Request) -> Reply:
        return Reply(200, [], body)

    client = await (await serve(large, replace(LIMITS, write_timeout_s=0.2))).connect(HELLO)
    head = await client.reader.readuntil(b"\r\n\r\n")
    received = 0
    while received < len(body):
        # About 0.6 s in all, three times what a reader may take without progress.
        await asyncio.sleep(0.04)
        received += len(await client.reader.readexactly(1 << 20))
    assert head.startswith(b"HTTP/1.1 200 ")


async def test_reader_that_stops_is_cut(serve: Serve) -> None:
    ended = asyncio.Event()

    async def flood(request: Request) -> Reply:
        await request.begin(200, [])
        try:
            while True:
                await request.write(b"x" * 65536)
        finally:
            ended.set()

    limits = replace(LIMITS, write_timeout_s=0.1)
    client = await (await serve(flood, limits)).connect()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await client.send(HELLO)
    async with asyncio.timeout(PATIENCE_S):
        await ended.wait()


async def test_a_large_answer_is_copied_only_as_its_reader_takes_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires: list[asyncio.Transport] = []

    def noted(wire: asyncio.Transport) -> None:
        wires.append(wire)
        slow_readers.watch_reader(wire)

    monkeypatch.setattr("transcoder.http.whole_requests.watch_reader", noted)
    monkeypatch.setattr("transcoder.http.connection.watch_reader", noted)
    whole = bytes(range(256)) * (64 << 10)  # 16 MiB: more than sockets hold

    async def large(request: Request) -> Reply:
        return Reply(200, [], whole if request.target == "/large" else b"hello")

    client = await (await serve(large)).connect()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await client.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" + HELLO)
    await until_async(lambda: bool(wires and wires[-1].get_write_buffer_size()))
    assert wires[-1].get_write_buffer_size() <= 64 << 10
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await client.answer()).body == whole
    assert (await client.answer()).body == b"hello"


async def test_stop_answers_requests_in_flight_and_closes_idle_connections(serve: Serve) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Reply:
        if request.target == "/wait":
            begun.set()
            await released.wait()
        return Reply(200, [], b"hello")

    server = await serve(wait)
    idle = await server.connect(HELLO)
    assert (await idle.answer()).body == b"hello"
    silent = await server.connect()
    busy = await server.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
        stopped = asyncio.create_task(server.listener.stop())
        assert await idle.end() == b""
        assert await silent.end() == b""
        with pytest.raises(ConnectionRefusedError):
            await server.connect()
        assert not stopped.done()
        released.set()
        assert (await busy.answer()).body == b"hello"
        assert await busy.end() == b""
        await stopped


async def test_stop_lets_a_body_arrive(serve: Serve) -> None:
    begun = asyncio.Event()

    async def read(request: Request) -> Reply:
        begun.set()
        return await echo(request)

    server = await serve(read)
    client = await server.connect(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
        stopped = asyncio.create_task(server.listener.stop())
        await asyncio.sleep(0)
        await client.send(b"llo")
        assert (await client.answer()).body == b"hello"
        await stopped


async def test_stop_does_not_wait_for_a_body_that_no_handler_reads(serve: Serve) -> None:
    server = await serve()
    client = await server.connect(CHUNKED)
    assert (await client.answer()).body == b"hello"
    async with asyncio.timeout(LINGER_S / 2):
        await server.listener.stop()


async def test_stop_tells_requests_that_take_too_long(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Reply:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    server = await serve(wait, replace(LIMITS, drain_timeout_s=0.1))
    client = await server.connect(HELLO)
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
        await server.listener.stop()
    assert cancelled.is_set()
    answer = await client.answer()
    assert (answer.status, answer.words()) == (503, "the server is stopping")
    assert answer.headers["connection"] == "close"
    assert await client.end() == b""
    assert [record.message for record in caplog.records] == ["stopped with 1 requests in flight"]


async def test_stop_of_many_requests_in_flight_answers_all(serve: Serve) -> None:
    begun, released = asyncio.Semaphore(0), asyncio.Event()

    async def wait(request: Request) -> Reply:
        begun.release()
        await released.wait()
        return Reply(200, [], b"hello")

    server = await serve(wait)
    clients = [await server.connect(HELLO) for _ in range(100)]
    async with asyncio.timeout(PATIENCE_S):
        for _ in clients:
            await begun.acquire()
        stopped = asyncio.create_task(server.listener.stop())
        released.set()
        assert [(await client.answer()).status for client in clients] == [200] * 100
        await stopped


@cases(
    "address",
    {
        "empty": "",
        "no port": "localhost",
        "port that is no number": "localhost:http",
        "port too large": "localhost:65536",
        "v6 without brackets": "::1:80",
        "URL": "http://localhost:80",
        "foreign digit": "localhost:\u0661",
        "empty label": "a..b:80",
        "label too long": "a" * 64 + ":80",
    },
)
async def test_an_invalid_address_is_refused(address: str) -> None:
    with misconfigured(f"address {address!r}: expected host:port, [v6]:port or unix:path"):
        await Listener(hello, refuse, limits=LIMITS).start(address)


async def test_v6_address_is_bound_without_brackets_and_told_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Binds nothing, as some machines that run tests have no IPv6."""
    asked: list[tuple[str | None, int]] = []

    async def bind(host: str | None, port: int, *, reuse_port: bool) -> list[object]:
        assert not reuse_port
        asked.append((host, port))
        return [SimpleNamespace(getsockname=lambda: ("::1", 4000, 0, 0))]

    monkeypatch.setattr("transcoder.http.server.bind", bind)
    monkeypatch.setattr("transcoder.http.server.Acceptor", lambda *_, **__: None)
    listener = Listener(hello, refuse, limits=LIMITS)
    assert await listener.start("[::1]:0") == "[::1]:4000"
    assert asked == [("::1", 0)]


async def test_address_in_use_is_an_os_error(serve: Serve) -> None:
    server = await serve()
    with pytest.raises(OSError, match="address already in use"):
        await Listener(hello, refuse, limits=LIMITS).start(f"127.0.0.1:{server.port}")


@cases(
    "allowed, complaint",
    {
        "enough": (4128, None),
        "without limit": (-1, None),
        "too few": (1024, "896 connections at most, not 4000: this process may open 1024 files"),
        "far too few": (64, "1 connections at most, not 4000: this process may open 64 files"),
    },
)
async def test_listener_takes_as_many_connections_as_there_are_files_for(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    allowed: int,
    complaint: str | None,
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (allowed, -1))
    monkeypatch.setattr("resource.setrlimit", lambda *_: pytest.fail("the limit is the host's"))
    listener = Listener(hello, refuse, limits=Limits(connections_max=4000))
    await listener.start("127.0.0.1:0")
    await listener.stop()
    assert [record.message for record in caplog.records] == ([complaint] if complaint else [])
