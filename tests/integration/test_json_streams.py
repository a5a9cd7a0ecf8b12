"""Streams of responses as JSON: forms, headers, events, and failures before the first message."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.proto.echo_pb2 import EchoReply
from tests.support.grpcweb_fixture import Echo, Server, serving
from tests.support.json_streams import (
    ARRAY,
    BUSY,
    EVENTS,
    NDJSON,
    WAIT_S,
    asked,
    call,
    chunk_of,
    connected,
    head_of,
)
from tests.support.tables import cases
from transcoder import EventOptions, SchemaError


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(cors_origins=["https://app.example"]) as running:
        yield running


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


async def test_a_page_of_an_allowed_origin_may_read_a_stream(server: Server) -> None:
    answer = await call(server, count=1, Origin="https://app.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "x-first-bin" in answer.headers["Access-Control-Expose-Headers"].split(", ")


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
