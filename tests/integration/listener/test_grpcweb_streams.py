"""Streams, and text mode, over real sockets: bytes, deadlines, readers that leave or stop."""

import asyncio
import base64
import functools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.proto import echo_pb2, echo_pb2_grpc
from tests.support import grpcweb_by_hand
from tests.support.grpcweb_by_hand import OK, WAIT_S
from tests.support.grpcweb_fixture import COUNT, REPEAT, SAY, TALK, Echo, Server, serving
from tests.support.tables import cases
from transcoder import Limits, Transcoder

BINARY = {"Content-Type": "application/grpc-web+proto"}
TEXT = {"Content-Type": "application/grpc-web-text", "Accept": "application/grpc-web-text"}
# EchoReply(name="n", index=1), and so on, framed.
FIRST = b"\x00\x00\x00\x00\x05\x0a\x01n\x10\x01"
SECOND = b"\x00\x00\x00\x00\x05\x0a\x01n\x10\x02"
THIRD = b"\x00\x00\x00\x00\x05\x0a\x01n\x10\x03"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


asked = functools.partial(grpcweb_by_hand.asked, name="n")


async def post(
    server: Server, body: bytes, path: str = REPEAT, **headers: str
) -> tuple[aiohttp.ClientResponse, bytes]:
    return await grpcweb_by_hand.post(server, body, path, **headers)


@asynccontextmanager
async def asking(
    server: Server, body: bytes, *headers: str, version: str = "1.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a stream was asked for; it reads little ahead."""
    host, _, port = server.address.rpartition(":")
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.setblocking(False)
    await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=small, limit=4096)
    lines = [
        f"POST {REPEAT} HTTP/{version}",
        "Host: x",
        "Content-Type: application/grpc-web+proto",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    try:
        async with asyncio.timeout(WAIT_S):
            yield reader, writer
    finally:
        writer.transport.abort()


@cases(
    "count, expected",
    {"none": (0, OK), "one": (1, FIRST + OK), "three": (3, FIRST + SECOND + THIRD + OK)},
)
async def test_a_stream_is_its_messages_and_a_trailer_frame(
    server: Server, count: int, expected: bytes
) -> None:
    answer, body = await post(server, asked(count=count))
    assert (answer.status, body) == (200, expected)


async def test_a_stream_of_thousands_arrives_whole(server: Server) -> None:
    _, body = await post(server, asked(count=5000, size=100))
    assert body.count(b"x" * 100) == 5000
    assert body.endswith(OK)


async def test_a_stream_has_the_headers_of_every_answer() -> None:
    async with serving(cors_origins=["https://app.example"]) as server:
        answer, _ = await post(
            server, asked(count=1), X_Request_Id="r1", Origin="https://app.example"
        )
    headers = answer.headers
    assert headers["Content-Type"] == "application/grpc-web+proto"
    assert headers["X-Request-Id"] == "r1"
    assert (headers["x-first"], headers["x-first-bin"]) == ("1", "AP8")
    assert headers.getall("Access-Control-Allow-Origin") == ["https://app.example"]
    assert "x-first-bin" in headers["Access-Control-Expose-Headers"].split(", ")
    assert "Server" not in headers


async def test_an_error_after_the_third_message_keeps_its_details(server: Server) -> None:
    _, body = await post(server, asked(count=3, case=echo_pb2.CASE_ERROR))
    assert body.startswith(FIRST + SECOND + THIRD + b"\x80")
    lines = body[len(FIRST) * 3 + 5 :].split(b"\r\n")
    assert lines[:2] == [b"grpc-status:9", b"grpc-message:zu gro%C3%9F: 100%25"]
    assert lines[2].startswith(b"grpc-status-details-bin:CAkSDnp1IGdyb8Of")
    assert lines[3:] == [b"x-name:plain", b"x-name-bin:Z3LDtsOfZXI", b""]


async def test_an_exception_in_a_stream_shows_the_request_id_only(server: Server) -> None:
    _, body = await post(server, asked(count=1, case=echo_pb2.CASE_RAISE), X_Request_Id="r1")
    assert body[len(FIRST) + 5 :] == (
        b"grpc-status:13\r\ngrpc-message:internal error (request id r1)\r\n"
    )


@pytest.mark.parametrize("path", [SAY, REPEAT])
async def test_trailers_that_grpc_does_not_allow_are_left_out(server: Server, path: str) -> None:
    _, body = await post(server, asked(count=1, case=echo_pb2.CASE_BAD_TRAILERS), path)
    assert body == FIRST + b"\x80\x00\x00\x00\x1dgrpc-status:0\r\nx-name:plain\r\n"


@pytest.mark.parametrize("path", [COUNT, TALK])
async def test_a_method_that_streams_its_requests_is_unimplemented(
    server: Server, path: str
) -> None:
    answer, body = await post(server, asked(), path)
    assert (answer.status, body[:1]) == (200, b"\x80")
    assert body[5:] == (
        b"grpc-status:12\r\n"
        b"grpc-message:%s streams its requests, which gRPC-Web does not\r\n" % path.encode()
    )


async def test_a_deadline_ends_a_stream_after_its_messages(server: Server) -> None:
    _, body = await post(server, asked(count=1, case=echo_pb2.CASE_WAIT), grpc_timeout="50m")
    assert body == FIRST + (
        b"\x80\x00\x00\x00\x2fgrpc-status:4\r\ngrpc-message:Deadline Exceeded\r\n"
    )
    assert server.servicer.cancelled["n"].is_set()


@pytest.mark.parametrize("count", [0, 1], ids=["before the first message", "after it"])
async def test_a_client_that_leaves_a_stream_closes_its_generator(
    server: Server, count: int
) -> None:
    async with asking(server, asked(count=count, case=echo_pb2.CASE_WAIT)) as (reader, writer):
        # What was sent so far is here, though the stream goes on.
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nx-first: 1\r\n" in head
        if count:
            assert await reader.readexactly(len(FIRST) + 5) == b"a\r\n" + FIRST + b"\r\n"
        writer.transport.abort()
        await server.servicer.cancelled["n"].wait()
        await server.servicer.ended["n"].wait()


async def test_a_reader_that_stops_holds_little_and_is_cut() -> None:
    async with (
        serving(limits=Limits(write_timeout_s=0.5)) as server,
        asking(server, asked(case=echo_pb2.CASE_ENDLESS, size=10_000)) as (reader, _),
    ):
        await reader.readuntil(b"\r\n\r\n")
        await server.servicer.ended["n"].wait()
        assert server.servicer.cancelled["n"].is_set()
        # What the kernel takes, and what aiohttp does: not the endless rest.
        assert server.servicer.sent["n"] * 10_000 < 16 << 20


async def test_a_stopped_reader_does_not_outlive_its_deadline() -> None:
    async with (
        serving() as server,
        asking(server, asked(case=echo_pb2.CASE_ENDLESS, size=10_000), "grpc-timeout: 200m") as (
            reader,
            _,
        ),
    ):
        await reader.readuntil(b"\r\n\r\n")
        await server.servicer.ended["n"].wait()
        assert server.servicer.cancelled["n"].is_set()
        rest = b""
        while b"grpc-status" not in rest:
            rest = rest[-100:] + await reader.read(65536)
        assert b"grpc-status:4\r\ngrpc-message:Deadline Exceeded\r\n" in rest


async def test_an_endless_stream_leaves_time_for_other_calls(server: Server) -> None:
    async with asking(server, asked(case=echo_pb2.CASE_ENDLESS)) as (reader, _):

        async def read_all() -> None:
            while await reader.read(65536):
                pass

        reading = asyncio.create_task(read_all())
        _, body = await post(server, asked(), SAY)
        assert body == FIRST + OK
        reading.cancel()


async def test_http_1_0_gets_a_stream_that_ends_with_the_connection(server: Server) -> None:
    async with asking(server, asked(count=1), version="1.0") as (reader, _):
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"chunked" not in head
        assert await reader.read() == FIRST + OK


async def test_a_connection_serves_more_calls_after_a_stream(server: Server) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        for path in (REPEAT, SAY, REPEAT):
            url = server.url + path
            async with session.post(url, data=asked(count=1), headers=BINARY) as answer:
                assert await answer.read() == FIRST + OK


async def test_a_mounted_application_streams() -> None:
    transcoder = Transcoder(cors_origins=["https://app.example"])
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(), transcoder)  # type: ignore[arg-type]
    outer = web.Application()
    outer.add_subapp("/api", transcoder.app())
    runner = web.AppRunner(outer)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/api{REPEAT}"
        headers = BINARY | {"Origin": "https://app.example"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=asked(count=2), headers=headers) as answer,
        ):
            assert await answer.read() == FIRST + SECOND + OK
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    finally:
        await runner.cleanup()


# Text mode


async def test_text_mode_has_each_frame_padded(server: Server) -> None:
    body = base64.b64encode(asked(count=2))
    answer, got = await post(server, body, **TEXT)
    assert answer.headers["Content-Type"] == "application/grpc-web-text+proto"
    assert got == b"AAAAAAUKAW4QAQ==" + b"AAAAAAUKAW4QAg==" + base64.b64encode(OK)


async def test_a_text_body_may_be_padded_anywhere(server: Server) -> None:
    whole = asked(count=1)
    body = b"".join(base64.b64encode(whole[at : at + 1]) for at in range(len(whole)))
    _, got = await post(server, body, SAY, **TEXT)
    assert got == b"AAAAAAUKAW4QAQ==" + base64.b64encode(OK)
