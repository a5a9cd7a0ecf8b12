"""Calls that outlast the drain are answered in the protocol of their client."""

import asyncio
from typing import Any, Final

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import CASE_WAIT, EchoRequest
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import REPEAT, SAY, Echo, serving
from tests.support.tables import cases
from transcoder import Limits, Transcoder

PATIENCE_S: Final = 10
TRAILERS: Final = b"grpc-status:14\r\ngrpc-message:the server is stopping\r\n"


def request(content_type: str, body: bytes) -> bytes:
    head = (
        f"POST {SAY} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n"
        f"X-Request-Id: r1\r\nOrigin: https://app.example\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


JSON: Final = request("application/json", b'{"name":"n","case":"CASE_WAIT"}')
WEB: Final = request(
    "application/grpc-web", framed(EchoRequest(name="n", case=CASE_WAIT).SerializeToString())
)
CONNECT: Final = request(
    "application/proto", EchoRequest(name="n", case=CASE_WAIT).SerializeToString()
)


@cases(
    "asked, status, body",
    {
        "JSON": (JSON, b"503", b'{"code":14,"message":"the server is stopping"}'),
        "gRPC-Web": (WEB, b"200", b"\x80\x00\x00\x00%c" % len(TRAILERS) + TRAILERS),
        "Connect": (
            CONNECT,
            b"503",
            b'{"code":"unavailable","message":"the server is stopping"}',
        ),
    },
)
async def test_a_call_that_outlasts_the_drain_is_unavailable(
    asked: bytes, status: bytes, body: bytes
) -> None:
    transcoder: Any = Transcoder(
        limits=Limits(drain_timeout_s=0.1), cors_origins=["https://app.example"]
    )
    servicer = Echo()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    host, _, port = (await transcoder.start("127.0.0.1:0")).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(PATIENCE_S):
        writer.write(asked)
        await servicer.started["n"].wait()
        await transcoder.stop()
        answer = await reader.read()
    writer.close()
    head, _, answered = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (lines[0].split()[1], answered) == (status, body)
    assert b"X-Request-Id: r1" in lines
    assert b"Connection: close" in lines
    assert b"Access-Control-Allow-Origin: https://app.example" in lines
    assert servicer.cancelled["n"].is_set()


STOPPING: Final = b'{"code":14,"message":"the server is stopping"}'
CONNECT_END: Final = b'{"error":{"code":"unavailable","message":"the server is stopping"}}'
ASKED: Final = EchoRequest(name="n", count=1, case=CASE_WAIT)
ASKED_JSON: Final = b'{"name":"n","count":1,"case":"CASE_WAIT"}'


def streamed(content_type: str, body: bytes, accept: str = "*/*") -> bytes:
    head = (
        f"POST {REPEAT} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


@cases(
    "asked, end",
    {
        "lines": (streamed("application/json", ASKED_JSON), b'{"error":%b}\n' % STOPPING),
        "events": (
            streamed("application/json", ASKED_JSON, "text/event-stream"),
            b"event: error\ndata: %b\n\n" % STOPPING,
        ),
        "an array, which is cut": (
            streamed("application/json", ASKED_JSON, "application/json"),
            None,
        ),
        "gRPC-Web": (
            streamed("application/grpc-web", framed(ASKED.SerializeToString())),
            b"\x80\x00\x00\x00%c" % len(TRAILERS) + TRAILERS,
        ),
        "Connect": (
            streamed("application/connect+json", framed(ASKED_JSON)),
            b"\x02\x00\x00\x00%c" % len(CONNECT_END) + CONNECT_END,
        ),
    },
)
async def test_a_stream_that_outlasts_the_drain_ends_as_unavailable(
    asked: bytes, end: bytes | None
) -> None:
    running = serving(limits=Limits(drain_timeout_s=0.1))
    server = await running.__aenter__()
    reader, writer = await asyncio.open_connection(*server.address.split(":"))
    async with asyncio.timeout(PATIENCE_S):
        writer.write(asked)
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(1)  # its first message has begun to come
        await running.__aexit__(None, None, None)
        rest = await reader.read()
    writer.close()
    assert server.servicer.cancelled["n"].is_set()
    if end is None:
        assert rest.endswith(b"}\r\n")
    else:
        assert rest.endswith(b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(end), end))
