"""Streams of responses as JSON, over real sockets: failures, readers that leave or stop."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.proto.echo_pb2 import EchoReply
from tests.support.grpcweb_fixture import REPEAT, Echo, Server, serving
from tests.support.tables import cases
from transcoder import EventOptions, Limits, SchemaError

WAIT_S = 30.0
NDJSON = "application/x-ndjson"
ARRAY = "application/json"
EVENTS = "text/event-stream"
BUSY = (
    b'{"code":9,"message":"zu gro\xc3\x9f: 100%","details":[{"@type":'
    b'"type.googleapis.com/google.rpc.ErrorInfo","reason":"BUSY","domain":"gr\xc3\xb6\xc3\x9fer"}]}'
)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(cors_origins=["https://app.example"]) as running:
        yield running


@dataclass
class Answer:
    """An answer as it was sent, to its end.

    Attributes:
        is_cut: True if the connection closed before the last chunk.
    """

    status: int
    headers: dict[str, str]
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False


def asked(*, path: str = REPEAT, verb: str = "POST", **said: Any) -> bytes:
    """A request for a stream; names that begin with a capital are headers."""
    headers = {name: value for name, value in said.items() if name[0].isupper()}
    message = {name: value for name, value in said.items() if name not in headers}
    body = json.dumps({"name": "n", **message}).encode()
    lines = [f"{verb} {path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def connected(
    server: Server, request: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a request was sent; it reads little ahead."""
    host, _, port = server.address.rpartition(":")
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.setblocking(False)
    await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=small, limit=4096)
    writer.write(request)
    try:
        async with asyncio.timeout(WAIT_S):
            yield reader, writer
    finally:
        writer.transport.abort()


async def head_of(reader: asyncio.StreamReader) -> Answer:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Answer(int(status.split()[1]), headers)


async def chunk_of(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readline(), 16)
    chunk = await reader.readexactly(size)
    if size:
        assert await reader.readexactly(2) == b"\r\n"
    return chunk


async def call(server: Server, **said: Any) -> Answer:
    async with connected(server, asked(**said)) as (reader, _):
        answer = await head_of(reader)
        if "Content-Length" in answer.headers:
            answer.body = await reader.readexactly(int(answer.headers["Content-Length"]))
            return answer
        try:
            while chunk := await chunk_of(reader):
                answer.body += chunk
        except (ValueError, asyncio.IncompleteReadError):
            answer.is_cut = True
            return answer
        while (line := await reader.readline()) != b"\r\n":
            name, _, value = line.decode().strip().partition(": ")
            answer.trailers[name] = value
        return answer


@cases(
    "accept, count, expected",
    {
        "lines": (NDJSON, 2, b'{"result":%b}\n{"result":%b}\n'),
        "no line": (NDJSON, 0, b""),
        "array": (ARRAY, 2, b"[%b,%b]"),
        "array of none": (ARRAY, 0, b"[]"),
        "events": (EVENTS, 2, b"retry: 3000\n\ndata: %b\n\ndata: %b\n\nevent: end\ndata: {}\n\n"),
        "no event": (EVENTS, 0, b"retry: 3000\n\nevent: end\ndata: {}\n\n"),
    },
)
async def test_a_stream_is_in_the_format_that_is_accepted(
    server: Server, accept: str, count: int, expected: bytes
) -> None:
    answer = await call(server, Accept=accept, count=count)
    messages = [b'{"name":"n","index":%d}' % (index + 1) for index in range(count)]
    assert (answer.status, answer.headers["Content-Type"]) == (200, accept)
    assert answer.body == expected % tuple(messages)
    assert (answer.headers["x-first"], answer.headers["x-first-bin"]) == ("1", "AP8")
    assert answer.headers["Vary"] == "Accept, Origin"


@cases(
    "accept, expected",
    {
        "lines": (NDJSON, b'{"result":{"name":"n","index":1}}\n{"error":%b}\n' % BUSY),
        "events": (
            EVENTS,
            b'retry: 3000\n\ndata: {"name":"n","index":1}\n\nevent: error\ndata: %b\n\n' % BUSY,
        ),
    },
)
async def test_a_failure_after_a_message_is_the_end_of_the_stream(
    server: Server, accept: str, expected: bytes
) -> None:
    answer = await call(server, Accept=accept, count=1, case="CASE_ERROR")
    assert (answer.status, answer.body, answer.is_cut) == (200, expected, False)


async def test_an_array_that_fails_is_cut(server: Server) -> None:
    answer = await call(server, Accept=ARRAY, count=2, case="CASE_ERROR")
    assert answer.is_cut
    assert answer.body == b'[{"name":"n","index":1},{"name":"n","index":2}'


@pytest.mark.parametrize("accept", [NDJSON, ARRAY, EVENTS])
async def test_a_failure_before_the_first_message_has_its_status(
    server: Server, accept: str
) -> None:
    answer = await call(server, Accept=accept, case="CASE_ERROR")
    assert (answer.status, answer.body) == (400, BUSY)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["grpc-trailer-x-name"] == "plain"


async def test_an_exception_shows_the_request_id_only(server: Server) -> None:
    said: dict[str, Any] = {"count": 1, "case": "CASE_RAISE", "X_Request_Id": "r1"}
    answer = await call(server, **said)
    assert answer.body.splitlines()[1:] == [
        b'{"error":{"code":13,"message":"internal error (request id r1)"}}'
    ]


async def test_trailing_metadata_is_trailers_for_clients_that_take_them(server: Server) -> None:
    answer = await call(server, count=1, TE="trailers, deflate;q=0.5")
    assert answer.trailers == {
        "grpc-trailer-x-name": "plain",
        "grpc-trailer-x-name-bin": "Z3LDtsOfZXI",
    }
    assert (await call(server, count=1)).trailers == {}


async def test_a_page_of_an_allowed_origin_may_read_a_stream(server: Server) -> None:
    answer = await call(server, count=1, Origin="https://app.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "x-first-bin" in answer.headers["Access-Control-Expose-Headers"].split(", ")


async def test_a_deadline_ends_a_stream_after_its_messages(server: Server) -> None:
    said: dict[str, Any] = {"count": 1, "case": "CASE_WAIT", "Grpc_Timeout": "50m"}
    answer = await call(server, **said)
    assert answer.body == (
        b'{"result":{"name":"n","index":1}}\n{"error":{"code":4,"message":"Deadline Exceeded"}}\n'
    )
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled["n"].wait()


@pytest.mark.parametrize("accept", [NDJSON, ARRAY, EVENTS])
async def test_a_client_that_leaves_cancels_its_call(server: Server, accept: str) -> None:
    request = asked(Accept=accept, count=1, case="CASE_WAIT")
    async with connected(server, request) as (reader, _):
        await head_of(reader)
        assert b'{"name":"n","index":1}' in await chunk_of(reader)
    async with asyncio.timeout(WAIT_S):
        await server.servicer.cancelled["n"].wait()
        await server.servicer.ended["n"].wait()


async def test_a_reader_that_stops_holds_the_handler_and_is_cut() -> None:
    async with serving(limits=Limits(write_timeout_s=0.5)) as server:
        request = asked(case="CASE_ENDLESS", size=10_000)
        async with connected(server, request) as (reader, _):
            await head_of(reader)
            await server.servicer.cancelled["n"].wait()
        # What the sockets hold; without backpressure half a second makes thousands.
        assert server.servicer.sent["n"] < 1000


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_each_message_of_a_compressed_stream_is_sent_at_once(
    server: Server, coding: str
) -> None:
    request = asked(Accept_Encoding=coding, count=1, case="CASE_WAIT")
    async with connected(server, request) as (reader, _):
        head = await head_of(reader)
        assert (head.headers["Content-Encoding"], head.headers["Vary"]) == (
            coding,
            "Accept, Accept-Encoding, Origin",
        )
        assert await chunk_of(reader)  # the call has not ended; test_stream_encodings.py reads it


async def test_a_quiet_stream_of_events_has_a_heartbeat() -> None:
    async with serving(events=EventOptions(heartbeat_s=0.05, retry_ms=0)) as server:
        request = asked(Accept=EVENTS, case="CASE_WAIT")
        async with connected(server, request) as (reader, _):
            assert (await head_of(reader)).status == 200
            assert await chunk_of(reader) == b"retry: 0\n\n:\n\n"
            assert await chunk_of(reader) == b":\n\n"
        async with asyncio.timeout(WAIT_S):
            await server.servicer.ended["n"].wait()


async def test_a_large_message_is_written_in_a_thread_and_in_order(server: Server) -> None:
    answer = await call(server, Accept=ARRAY, count=3, size=100_000)
    assert [each["index"] for each in json.loads(answer.body)] == [1, 2, 3]


async def test_events_have_the_ids_that_a_field_gives() -> None:
    ids = {"echo.v1.Echo.Repeat": "index"}
    async with serving(events=EventOptions(ids=ids)) as server:
        answer = await call(server, Accept=EVENTS, count=2)
    lines = answer.body.splitlines()
    assert [line for line in lines if line.startswith(b"id")] == [b"id: 1", b"id: 2"]


@cases(
    "ids, message",
    {
        "no such field": ({"echo.v1.Echo.Repeat": "x"}, "expected a string or an integer of"),
        "bytes": ({"echo.v1.Echo.Repeat": "payload"}, "expected a string or an integer of"),
        "one response": ({"echo.v1.Echo.Say": "index"}, "does not stream its responses"),
        "no such method": ({"echo.v1.Echo.None": "index"}, "expected a registered method"),
    },
)
async def test_ids_that_no_event_can_have_are_refused(ids: dict[str, str], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        async with serving(events=EventOptions(ids=ids)):
            pass


class Answering(Echo):
    """Ends before a message: with a status of HTTP's, or after its initial metadata."""

    async def Repeat(self, request: Any, context: Any) -> AsyncIterator[EchoReply]:
        await context.send_initial_metadata((("x-http-code", request.name),))
        for index in range(request.count):
            yield EchoReply(index=index + 1)


@cases(
    "code, count, expected",
    {
        "a status of success": ("202", 1, (202, b'{"result":{"index":1}}\n')),
        "no content": ("204", 0, (204, b"")),
        "no content, with messages": ("204", 1, (200, b'{"result":{"index":1}}\n')),
    },
)
async def test_x_http_code_is_the_status_of_a_stream(
    code: str, count: int, expected: tuple[int, bytes]
) -> None:
    async with serving(servicer=Answering()) as server:
        request = asked(name=code, count=count, Connection="close")
        async with connected(server, request) as (reader, _):
            answer = await head_of(reader)
            body = b"" if answer.status == 204 else await chunk_of(reader)
            assert (answer.status, body) == expected
