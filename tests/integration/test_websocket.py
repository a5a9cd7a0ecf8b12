"""Calls over WebSocket: octet by octet, by aiohttp's client, by TLS, in an application."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import CASE_ERROR, EchoReply, EchoRequest
from tests.support.certificates import Authority
from tests.support.garbage import garbage_of
from tests.support.grpcweb_fixture import COUNT, REPEAT, SAY, TALK, Echo, Server, serving
from tests.support.tables import cases
from tests.support.token_guard import TOKEN, TokenGuard
from tests.support.waiting import until_async
from tests.support.websocket_by_hand import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Peer,
    masked,
    opened,
    refused,
    text,
)
from transcoder import Http2Pipes, Limits, Transcoder

WITH_METADATA = "grpc-transcoder.v1+metadata"
OK = (0, 1000)
APP = "https://app.example"


class Telling(Echo):
    """Says in a reply's name the metadata that the request's name asks for."""

    async def Say(self, request: EchoRequest, context: Any) -> EchoReply:
        if not request.name.startswith("metadata "):
            return await super().Say(request, context)
        found = dict(context.invocation_metadata()).get(request.name.removeprefix("metadata "))
        return EchoReply(name=repr(found))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    limits = Limits(body_max_bytes=1000, drain_timeout_s=0.2)
    async with serving(Telling(), cors_origins=[APP], limits=limits) as running:
        yield running


async def rest_of(peer: Peer) -> list[Any]:
    """The messages up to the Close frame: JSON of texts, octets of others; and its code."""
    found: list[Any] = []
    while (frame := await peer.frame())[0] != CLOSE:
        found.append(frame[1] if frame[0] == BINARY else frame[1].decode())
    return [*found, int.from_bytes(frame[1][:2])]


FIRST = '{"headers":{"x-first":["1"],"x-first-bin":["AP8"]}}'
TRAILERS = '"trailers":{"x-name":["plain"],"x-name-bin":["Z3LDtsOfZXI"]}'
DONE = '{"status":{"code":0},' + TRAILERS + "}"
BUSY = (
    '{"status":{"code":9,"message":"zu groß: 100%","details":[{"@type":'
    '"type.googleapis.com/google.rpc.ErrorInfo","reason":"BUSY","domain":"größer"}]},'
    + TRAILERS
    + "}"
)


def binary(**fields: Any) -> bytes:
    return masked(BINARY, EchoRequest(**fields).SerializeToString())


def reply(name: str, index: int) -> bytes:
    return EchoReply(name=name, index=index).SerializeToString()


@cases(
    "path, subprotocol, frames, expected",
    {
        "one message each way": (
            SAY,
            "",
            [text({"name": "a"})],
            [FIRST, '{"result":{"name":"a","index":1}}', DONE, 1000],
        ),
        "protobuf": (SAY, "", [binary(name="a")], [FIRST, reply("a", 1), DONE, 1000]),
        "no message is an empty one": (
            SAY,
            "",
            [text("")],
            [FIRST, '{"result":{"index":1}}', DONE, 1000],
        ),
        "an end behind the message": (
            SAY,
            "",
            [text({"name": "a"}), text("")],
            [FIRST, '{"result":{"name":"a","index":1}}', DONE, 1000],
        ),
        "a failure": (SAY, "", [text({"case": "CASE_ERROR"})], [FIRST, BUSY, 4009]),
        "a stream of responses": (
            REPEAT,
            "grpc-transcoder.v1",
            [text({"name": "a", "count": 2})],
            [
                FIRST,
                '{"result":{"name":"a","index":1}}',
                '{"result":{"name":"a","index":2}}',
                DONE,
                1000,
            ],
        ),
        "a failure behind messages": (
            REPEAT,
            "",
            [binary(name="a", count=1, case=CASE_ERROR)],
            [FIRST, reply("a", 1), BUSY, 4009],
        ),
        "protobuf by the subprotocol": (
            REPEAT,
            "grpc-transcoder.v1+proto",
            [text({"name": "a", "count": 1})],
            [FIRST, reply("a", 1), DONE, 1000],
        ),
        "a stream of requests": (
            COUNT,
            "",
            [text({})] * 3 + [binary(), text("")],
            ['{"result":{"index":4}}', '{"status":{"code":0}}', 1000],
        ),
        "no request": (COUNT, "", [text("")], ['{"result":{}}', '{"status":{"code":0}}', 1000]),
        "fragments": (
            SAY,
            "",
            [masked(TEXT, b'{"name":', first=0), masked(0, b'"a"}')],
            [FIRST, '{"result":{"name":"a","index":1}}', DONE, 1000],
        ),
    },
)
async def test_a_call_is_messages_and_then_its_status(
    server: Server, path: str, subprotocol: str, frames: list[bytes], expected: list[Any]
) -> None:
    async with opened(server.address, path, subprotocol=subprotocol) as peer:
        await peer.send(*frames)
        assert await rest_of(peer) == expected
        assert peer.headers.get("sec-websocket-protocol", "") == subprotocol
        assert peer.headers["x-request-id"]


async def test_messages_go_both_ways_at_once(server: Server) -> None:
    async with opened(server.address, TALK) as peer:
        for name in ("a", "b", "c"):
            await peer.send(text({"name": name}))
            assert await peer.message() == {"result": {"name": name, "index": 1}}
        await peer.send(masked(PING, b"there?"))
        assert await peer.frame() == (PONG, b"there?")
        await peer.send(text(""))
        assert await peer.ending() == OK


async def test_who_streams_both_ways_may_listen_as_long_as_it_answers_pings() -> None:
    limits = Limits(stream_idle_timeout_s=0.1, ping_interval_s=2.0)
    async with (
        serving(limits=limits) as server,
        opened(server.address, TALK) as talking,
        opened(server.address, COUNT) as counting,
    ):
        assert await counting.ending() == (4, 4004)
        assert await talking.frame() == (PING, b"")
        await talking.send(masked(PONG, b""), text({"name": "a"}))
        assert await talking.message() == {"result": {"name": "a", "index": 1}}


@cases(
    "given, name, expected",
    {
        "a token": ({"Authorization": "Bearer t"}, "authorization", "'Bearer t'"),
        "in place of a header": ({"x-both": "message"}, "x-both", "'message'"),
        "octets": ({"x-some-bin": "AP8"}, "x-some-bin", r"b'\x00\xff'"),
        "a list": ({"x-list": ["only"]}, "x-list", "'only'"),
        "a header of the handshake": ({}, "x-both", "'header'"),
        "what no call has as metadata": ({"Sec-WebSocket-Key": "k"}, "sec-websocket-key", "None"),
    },
)
async def test_the_first_message_may_be_the_metadata(
    server: Server, given: dict[str, Any], name: str, expected: str
) -> None:
    async with opened(server.address, SAY, subprotocol=WITH_METADATA, X_Both="header") as peer:
        await peer.send(text(given), text({"name": f"metadata {name}"}))
        assert await peer.message() == {"result": {"name": expected}}
        assert await peer.ending() == OK


@cases(
    "first, code, close_code, problem",
    {
        "no JSON": (
            text("nope"),
            3,
            4003,
            "metadata: expected a JSON object of texts, or of lists of texts, got no JSON",
        ),
        "a list": (
            text([]),
            3,
            4003,
            "metadata: expected a JSON object of texts, or of lists of texts, got another value",
        ),
        "a number": (
            text({"a": 1}),
            3,
            4003,
            "metadata 'a': expected a text or a list of texts, got another value",
        ),
        "binary": (binary(), 3, 4003, "metadata: expected a text message, got a binary one"),
        "a broken timeout": (
            text({"grpc-timeout": "soon"}),
            3,
            4003,
            "header grpc-timeout: expected 1 to 8 digits and a unit (H M S m u n), got 'soon'",
        ),
        "a timeout that has passed": (
            text({"grpc-timeout": "0m"}),
            4,
            4004,
            "Deadline Exceeded",
        ),
    },
)
async def test_metadata_that_makes_no_call_ends_it(
    server: Server, first: bytes, code: int, close_code: int, problem: str
) -> None:
    async with opened(server.address, SAY, subprotocol=WITH_METADATA) as peer:
        await peer.send(first)
        assert await peer.message() == {"status": {"code": code, "message": problem}}
        assert await peer.ending() == (-1, close_code)
    assert server.servicer.seen == []


@cases(
    "path, headers, status, problem",
    {
        "a page of another site": (
            SAY,
            {"Origin": "https://evil.example"},
            403,
            b"allowed origins",
        ),
        "a sandboxed page": (SAY, {"Origin": "null"}, 403, b"allowed origins"),
        "another version": (SAY, {"Sec_WebSocket_Version": "8"}, 400, b"expected 13, got '8'"),
        "another subprotocol": (SAY, {"Sec_WebSocket_Protocol": "mqtt"}, 400, b"got 'mqtt'"),
        "no method": ("/v1/none", {}, 404, b"Not Found"),
        "a broken path": ("/v1/%zz", {}, 400, b"hex digits"),
    },
)
async def test_a_handshake_is_refused_over_http(
    server: Server, path: str, headers: dict[str, str], status: int, problem: bytes
) -> None:
    refusal = await refused(server.address, path, **headers)
    assert refusal.status == status
    assert problem in refusal.body
    assert refusal.headers.get("sec-websocket-version") == (
        "13" if "Sec_WebSocket_Version" in headers else None
    )
    assert server.servicer.seen == []


@pytest.mark.parametrize("origin", [APP, "http://{address}"], ids=["allowed", "its own"])
async def test_a_page_that_may_call_opens_one(server: Server, origin: str) -> None:
    headers = {"Origin": origin.format(address=server.address)}
    async with opened(server.address, SAY, **headers) as peer:
        await peer.send(text({}))
        assert await peer.ending() == OK


@cases(
    "frames, expected",
    {
        "not masked": ([masked(TEXT, b"{}", mask=None)], (3, 1002)),
        "a reserved bit": ([masked(TEXT, b"{}", first=0xC0)], (3, 1002)),
        "a large control frame": ([masked(PING, b"x" * 126)], (3, 1002)),
        "a control frame in fragments": ([masked(PING, b"", first=0)], (3, 1002)),
        "a message within another": (
            [masked(TEXT, b"{", first=0), masked(TEXT, b"}")],
            (3, 1002),
        ),
        "a text that is not UTF-8": ([masked(TEXT, b"\xff")], (3, 1007)),
        "a text over the limit": ([masked(TEXT, b"x" * 1001)], (8, 1009)),
        "a text over the limit in fragments": (
            [masked(TEXT, b"x" * 600, first=0), masked(0, b"x" * 600)],
            (8, 1009),
        ),
        "a binary message over the limit": (
            [masked(BINARY, b"")[:1] + b"\xff" + b"\x00" * 3 + b"\x01" * 9],
            (8, 1009),
        ),
        "no JSON": ([text("nope")], (3, 4003)),
        "no protobuf": ([masked(BINARY, b"\xff")], (3, 4003)),
        "another type of a field": ([text({"count": "many"})], (3, 4003)),
    },
)
async def test_bad_input_ends_a_running_call(
    server: Server, frames: list[bytes], expected: tuple[int, int]
) -> None:
    async with opened(server.address, TALK) as peer:
        await peer.send(text({"name": "first"}))
        assert await peer.message() == {"result": {"name": "first", "index": 1}}
        await peer.send(*frames)
        assert await peer.ending() == expected


@cases(
    "frames, expected",
    {
        "a frame that is none": ([masked(TEXT, b"", mask=None)], (3, 1002)),
        "a second message": ([text({})], (3, 4003)),
    },
)
async def test_what_a_call_does_not_expect_cancels_its_handler(
    server: Server, frames: list[bytes], expected: tuple[int, int]
) -> None:
    async with opened(server.address, SAY) as peer:
        await peer.send(text({"name": "w", "case": "CASE_WAIT"}))
        await server.servicer.started["w"].wait()
        await peer.send(*frames)
        assert await peer.ending() == expected
        async with asyncio.timeout(30):
            await server.servicer.cancelled["w"].wait()


@pytest.mark.parametrize("how", ["a close frame", "half a message and a reset"])
async def test_a_client_that_leaves_cancels_its_call(server: Server, how: str) -> None:
    async with opened(server.address, REPEAT) as peer:
        await peer.send(text({"name": "w", "count": 1, "case": "CASE_WAIT"}))
        await server.servicer.started["w"].wait()
        if how == "a close frame":
            await peer.send(masked(CLOSE, b"\x03\xe9"))
            assert (await rest_of(peer))[-1] == 1001
        else:
            await peer.send(masked(TEXT, b"{}")[:3])
            peer.abort()
        async with asyncio.timeout(30):
            await server.servicer.cancelled["w"].wait()
            await server.servicer.ended["w"].wait()


async def test_a_client_that_closes_in_the_middle_of_a_message_is_answered(server: Server) -> None:
    async with opened(server.address, COUNT) as peer:
        await peer.send(masked(TEXT, b"{", first=0), masked(CLOSE, b"\x03\xe8"))
        assert await rest_of(peer) == [1000]


async def test_a_client_that_does_not_read_holds_little(server: Server) -> None:
    async with opened(server.address, REPEAT) as peer:
        peer.pause()
        await peer.send(text({"name": "e", "case": "CASE_ENDLESS", "size": 100_000}))
        before = -1
        async with asyncio.timeout(30):  # until nothing is added while the client does not read
            while (sent := server.servicer.sent["e"]) != before or not sent:
                before = sent
                await asyncio.sleep(0.3)
        assert sent < 200  # what the buffers of the two sockets take
        peer.abort()
        async with asyncio.timeout(30):
            await server.servicer.ended["e"].wait()


async def test_a_deadline_ends_the_call(server: Server) -> None:
    async with opened(server.address, REPEAT, Grpc_Timeout="1S") as peer:
        await peer.send(text({"name": "w", "case": "CASE_ENDLESS", "size": 10}))
        assert await peer.ending() == (4, 4004)
    async with asyncio.timeout(30):
        await server.servicer.cancelled["w"].wait()


async def test_a_server_that_stops_says_so() -> None:
    async with serving(limits=Limits(drain_timeout_s=0.2)) as server:
        peers = contextlib.AsyncExitStack()
        peer = await peers.enter_async_context(opened(server.address, SAY))
        await peer.send(text({"name": "w", "case": "CASE_WAIT"}))
        await server.servicer.started["w"].wait()
    async with peers:
        assert await peer.ending() == (14, 1001)
    assert server.servicer.cancelled["w"].is_set()


async def test_a_call_in_flight_ends_while_the_server_drains() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with serving() as server:
            peer = await stack.enter_async_context(opened(server.address, TALK))
            await peer.send(text({"name": "a"}))
            await peer.message()
            await peer.send(text(""))
        assert await peer.ending() == OK


@pytest.mark.parametrize("way", ["TLS", "one port"])
async def test_it_works_behind(tmp_path: Path, way: str) -> None:
    transcoder: Any = Transcoder()
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(), transcoder)
    authority = Authority(tmp_path)
    context = authority.pair().server_context() if way == "TLS" else None
    trusted = ssl.create_default_context(cafile=authority.path)
    pipes = Http2Pipes(f"unix:{tmp_path}/grpc")
    address = await transcoder.start("127.0.0.1:0", ssl=context, http2=pipes)
    scheme = "https" if context else "http"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{scheme}://{address}{TALK}", ssl=trusted) as client,
        ):
            for name in ("a", "b"):
                await client.send_json({"name": name})
                assert await client.receive_json() == {"result": {"name": name, "index": 1}}
            await client.send_bytes(EchoRequest(name="c").SerializeToString())
            assert await client.receive_json() == {"result": {"name": "c", "index": 1}}
            await client.send_str("")
            assert await client.receive_json() == {"status": {"code": 0}}
            assert (await client.receive()).data == 1000
    finally:
        await transcoder.stop()


async def test_it_works_in_an_application_and_ends_with_it() -> None:
    echo = Echo()
    transcoder: Any = Transcoder()
    echo_pb2_grpc.add_EchoServicer_to_server(echo, transcoder)
    app = web.Application()
    app.add_subapp("/api", transcoder.app())
    server = TestServer(app)
    await server.start_server()
    address = f"127.0.0.1:{server.port}"
    async with contextlib.AsyncExitStack() as stack:
        peer = await stack.enter_async_context(opened(address, f"/api{TALK}"))
        await peer.send(text({"name": "a"}))
        assert await peer.message() == {"result": {"name": "a", "index": 1}}
        await peer.send(text(""))
        assert await peer.ending() == OK
        leaving = await stack.enter_async_context(opened(address, f"/api{SAY}"))
        await leaving.send(text({"name": "l", "case": "CASE_WAIT"}))
        await echo.started["l"].wait()
        await leaving.send(masked(CLOSE, b""))
        async with asyncio.timeout(30):
            await echo.cancelled["l"].wait()
        peer = await stack.enter_async_context(opened(address, f"/api{SAY}"))
        await peer.send(text({"name": "w", "case": "CASE_WAIT"}))
        await echo.started["w"].wait()
        await server.close()
        assert await peer.ending() == (14, 1001)
    assert echo.cancelled["w"].is_set()


async def test_interceptors_run_and_nothing_is_read_of_a_call_that_they_refuse() -> None:
    async with serving(interceptors=[TokenGuard()]) as server:
        async with opened(server.address, SAY, subprotocol=WITH_METADATA) as peer:
            await peer.send(text({}))
            assert await peer.ending() == (16, 4016)
        async with opened(server.address, SAY, subprotocol=WITH_METADATA) as peer:
            await peer.send(text({"authorization": TOKEN}), text({}))
            assert await peer.ending() == OK
    assert len(server.servicer.seen) == 1


@cases(
    "frames",
    {
        "a call": [text({"name": "a"})],
        "a failure": [text({"case": "CASE_ERROR"})],
        "bad input": [text("nope")],
        "a message too many": [text({"case": "CASE_WAIT"}), text({})],
        "a client that leaves": [text({"case": "CASE_WAIT"}), masked(CLOSE, b"\x03\xe9")],
    },
)
async def test_nothing_is_left_to_the_collector(server: Server, frames: list[bytes]) -> None:
    async def call() -> None:
        async with opened(server.address, SAY) as peer:
            await peer.send(*frames)
            await peer.ending()
        await until_async(lambda: len(asyncio.all_tasks()) <= before)

    before = len(asyncio.all_tasks())
    assert await garbage_of(call) == {}
