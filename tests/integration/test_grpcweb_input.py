"""Invalid requests of gRPC-Web over real sockets, sent whole and byte by byte."""

import asyncio
import contextlib
import gzip
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import aiohttp
import grpc
import pytest

from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.connections import opened
from tests.support.grpc_frames import COMPRESSED, framed, split_frame
from tests.support.grpcweb_by_hand import ANSWERED, ASKED, TYPE, WAIT_S, exchange, head, post
from tests.support.grpcweb_fixture import SAY, Server, serving
from tests.support.tables import cases

TEXT_ANSWERED = b"AAAAABAKDG9wZXJhdGlvbnMvYRAB"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


@cases(
    "body, expected",
    {
        "one message": (ASKED, b"grpc-status:0"),
        "empty": (b"", b"grpc-status:12"),
        "header of three bytes": (ASKED[:3], b"grpc-status:13"),
        "message cut short": (ASKED[:-1], b"grpc-status:13"),
        "4 GiB announced": (b"\x00\xff\xff\xff\xff", b"grpc-status:8"),
        "trailing garbage": (ASKED + b"\n", b"grpc-status:12"),
        "second message": (ASKED + ASKED, b"grpc-status:12"),
        "flagged as compressed": (b"\x01" + ASKED[1:], b"grpc-status:13"),
        "flagged as trailers": (b"\x80" + ASKED[1:], b"grpc-status:13"),
        "unknown flags": (b"\x7e" + ASKED[1:], b"grpc-status:13"),
        "malformed protobuf": (b"\0\0\0\0\x01\x0a", b"grpc-status:13"),
        "JSON": (b'{"name":"operations/a"}', b"grpc-status:13"),
    },
)
@pytest.mark.parametrize("size", [100, 1], ids=["whole", "byte by byte"])
async def test_only_frames_of_one_message_reach_a_handler(
    server: Server, body: bytes, expected: bytes, size: int
) -> None:
    start, answer = await exchange(server, head(f"Content-Length: {len(body)}"), *cut(body, size))
    assert start.startswith(b"HTTP/1.1 200 OK\r\n")
    trailers = answer.removeprefix(ANSWERED)
    assert trailers[:1] == b"\x80"
    assert trailers[5:].split(b"\r\n")[0] == expected
    assert len(server.servicer.seen) == (1 if expected == b"grpc-status:0" else 0)


@cases(
    "body, expected",
    {
        "one message": (b"AAAAAA4KDG9wZXJhdGlvbnMvYQ==", b"grpc-status:0"),
        "padded within": (b"AAAAAA4=CgxvcA==ZXJhdGlvbnMvYQ==", b"grpc-status:0"),
        "not padded": (b"AAAAAA4KDG9wZXJhdGlvbnMvYQ", b"grpc-status:13"),
        "bad padding": (b"AAAAAA4KDG9wZXJhdGlvbnMvYQ=", b"grpc-status:13"),
        "bad base64": (b"AAAAAA4KDG9wZX*hdGlvbnMvYQ==", b"grpc-status:13"),
        "binary": (ASKED, b"grpc-status:13"),
        "empty": (b"", b"grpc-status:12"),
    },
)
@pytest.mark.parametrize("content_type", ["", "+proto", "; charset=utf-8"])
@pytest.mark.parametrize("size", [100, 3, 1], ids=["whole", "at odd offsets", "byte by byte"])
async def test_only_base64_of_one_message_reaches_a_handler(
    server: Server, body: bytes, expected: bytes, content_type: str, size: int
) -> None:
    headers = head(
        f"Content-Length: {len(body)}", content_type="application/grpc-web-text" + content_type
    )
    _, answer = await exchange(server, headers, *cut(body, size))
    trailers = b64decode(answer.removeprefix(TEXT_ANSWERED))
    assert trailers[5:].split(b"\r\n")[0] == expected
    assert len(server.servicer.seen) == (1 if expected == b"grpc-status:0" else 0)


@cases(
    "flags, payload, expected",
    {
        "gzip, flagged": (1, gzip.compress(ASKED[5:]), b"grpc-status:0"),
        "gzip, not flagged": (0, gzip.compress(ASKED[5:]), b"grpc-status:13"),
        "plain, flagged": (1, ASKED[5:], b"grpc-status:13"),
        "bomb": (1, gzip.compress(bytes(8 << 20)), b"grpc-status:8"),
    },
)
@pytest.mark.parametrize("size", [100_000, 1], ids=["whole", "byte by byte"])
async def test_only_a_message_that_says_so_is_inflated(
    server: Server, flags: int, payload: bytes, expected: bytes, size: int
) -> None:
    body = framed(payload, flags=flags)
    headers = head(f"Content-Length: {len(body)}", "grpc-encoding: gzip")
    _, answer = await exchange(server, headers, *cut(body, size))
    trailers = answer.removeprefix(ANSWERED)
    assert trailers[5:].split(b"\r\n")[0] == expected
    assert len(server.servicer.seen) == (1 if expected == b"grpc-status:0" else 0)


async def test_a_large_compressed_message_is_inflated_both_ways(server: Server) -> None:
    dense = b"".join(sha256(bytes((at,))).digest() for at in range(250))
    message = EchoRequest(name="n", size=100_000, payload=dense).SerializeToString()
    body = framed(gzip.compress(message), flags=COMPRESSED)
    answer, got = await post(server, body, grpc_encoding="gzip", grpc_accept_encoding="gzip")
    assert answer.headers["grpc-encoding"] == "gzip"
    assert server.servicer.seen[0].payload == dense
    flags, payload, _ = split_frame(got)
    assert (flags, len(payload) < 1995) == (1, True)
    reply = EchoReply.FromString(gzip.decompress(payload))
    assert reply == EchoReply(name="n", index=1, payload=b"x" * 100_000)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/grpc",
        "application/grpc+proto",
        "application/octet-stream",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
async def test_another_content_type_is_415(server: Server, content_type: str) -> None:
    answer, body = await post(server, ASKED, Content_Type=content_type)
    assert (answer.status, answer.headers["Content-Type"]) == (415, "text/plain; charset=utf-8")
    assert body.startswith(b"content type")
    assert server.servicer.seen == []


@cases(
    "headers, status, text",
    {
        **{
            content_type: (
                {"Content_Type": content_type},
                415,
                f"content type '{content_type}': "
                "expected application/grpc-web+proto or application/grpc-web-text+proto",
            )
            for content_type in (
                "application/grpc-web+json",
                "application/grpc-web-text+json",
                "Application/gRPC-Webbing",
            )
        },
        "a foreign page": (
            {"Origin": "https://foreign.example"},
            403,
            "origin 'https://foreign.example': not one of the allowed origins",
        ),
    },
)
async def test_a_request_that_is_no_call_is_refused_without_json(
    server: Server, headers: dict[str, str], status: int, text: str
) -> None:
    answer, body = await post(server, ASKED, **headers)
    assert (answer.status, body.decode()) == (status, text)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert server.servicer.seen == []


@cases(
    "verb, path, status, text",
    {
        "GET": ("GET", SAY, 405, "Method Not Allowed"),
        "PUT": ("PUT", SAY, 405, "Method Not Allowed"),
        "no such path": ("GET", "/none", 404, "Not Found"),
    },
)
async def test_another_http_method_is_405_without_json(
    server: Server, verb: str, path: str, status: int, text: str
) -> None:
    headers = {"Content-Type": TYPE}
    async with (
        aiohttp.ClientSession() as session,
        session.request(verb, server.url + path, data=ASKED, headers=headers) as answer,
    ):
        assert (answer.status, await answer.text()) == (status, text)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers.get("Allow") == ("POST" if status == 405 else None)
    assert server.servicer.seen == []


@pytest.mark.parametrize("flags", [b"\x00", b"\x01"], ids=["as it is", "flagged as compressed"])
@pytest.mark.parametrize("size", [100, 1], ids=["whole", "byte by byte"])
async def test_an_unknown_encoding_is_refused_whatever_its_frames_say(
    server: Server, flags: bytes, size: int
) -> None:
    body = flags + ASKED[1:]
    headers = head(f"Content-Length: {len(body)}", "grpc-encoding: foo")
    start, answer = await exchange(server, headers, *cut(body, size))
    assert b"\r\ngrpc-accept-encoding: identity,zstd,br,gzip\r\n" in start
    message = b"grpc-encoding: expected one of identity,zstd,br,gzip, got 'foo'"
    assert answer[5:] == b"grpc-status:12\r\ngrpc-message:" + message + b"\r\n"
    assert server.servicer.seen == []


async def test_json_is_json_at_the_same_path(server: Server) -> None:
    _, body = await post(server, b'{"name":"n"}', Content_Type="application/json")
    assert json.loads(body) == {"name": "n", "index": 1}


async def test_an_endless_body_after_4_gib_announced_is_read_no_further(server: Server) -> None:
    sent_bytes = 0
    async with opened(server.address) as (reader, writer), asyncio.timeout(WAIT_S):
        writer.write(head("Transfer-Encoding: chunked") + b"5\r\n\x00\xff\xff\xff\xff\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sent_bytes < 200 << 20:
                writer.write(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
                await writer.drain()
                sent_bytes += 1 << 20
    # What is dropped unread (Limits.body_max_bytes), and what the two kernels hold.
    assert sent_bytes < 32 << 20
    assert server.servicer.seen == []


async def test_a_client_that_leaves_within_its_body_reaches_no_handler(server: Server) -> None:
    async with opened(server.address) as (_, writer):
        writer.write(head(f"Content-Length: {len(ASKED)}") + ASKED[:10])
        await writer.drain()
        writer.transport.abort()
    # Whatever the server makes of it, it has made it before it answers another.
    await exchange(server, head(f"Content-Length: {len(ASKED)}"), ASKED)
    assert len(server.servicer.seen) == 1


async def test_interceptors_run_over_grpc_web_too() -> None:
    class Refusing(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            async def refuse(request: Any, context: Any) -> Any:
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who?")

            return grpc.unary_unary_rpc_method_handler(refuse)

    async with serving(interceptors=[Refusing()]) as server:
        _, body = await exchange(server, head(f"Content-Length: {len(ASKED)}"), ASKED)
        assert body[5:] == b"grpc-status:16\r\ngrpc-message:who?\r\n"
        assert server.servicer.seen == []
