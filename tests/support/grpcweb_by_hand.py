"""Calls echo.v1.Echo over gRPC-Web by hand: the octets as they are sent, and as they come.

Rule: nothing of the transcoder is used to write or to read them.
"""

import asyncio
import socket
from typing import Any, Final

import aiohttp

from tests.proto.echo_pb2 import EchoRequest
from tests.support.connections import answer_of, opened
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import SAY, Server

WAIT_S: Final = 10
TYPE: Final = "application/grpc-web+proto"
# EchoRequest(name="operations/a"), framed, and its answer.
ASKED: Final = b"\x00\x00\x00\x00\x0e\x0a\x0coperations/a"
ANSWERED: Final = b"\x00\x00\x00\x00\x10\x0a\x0coperations/a\x10\x01"
OK: Final = b"\x80\x00\x00\x00\x35grpc-status:0\r\nx-name:plain\r\nx-name-bin:Z3LDtsOfZXI\r\n"


def asked(**fields: Any) -> bytes:
    return framed(EchoRequest(**fields).SerializeToString())


def head(*headers: str, content_type: str = TYPE) -> bytes:
    lines = [f"POST {SAY} HTTP/1.1", "Host: x", f"Content-Type: {content_type}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


async def exchange(server: Server, *pieces: bytes) -> tuple[bytes, bytes]:
    """Writes the pieces, each as a packet of its own; returns the head and the body answered."""
    async with opened(server.address) as (reader, writer), asyncio.timeout(WAIT_S):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        return await answer_of(reader)


async def post(
    server: Server, body: bytes, path: str = SAY, **headers: str
) -> tuple[aiohttp.ClientResponse, bytes]:
    """Calls by aiohttp; a header's name has "_" for "-"."""
    named = {"Content-Type": TYPE} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url + path, data=body, headers=named) as answer,
    ):
        return answer, await answer.read()
