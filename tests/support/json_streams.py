"""Streams of responses as JSON, asked for over a socket: heads, chunks, trailers, cut bodies."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.grpcweb_fixture import REPEAT, Server

WAIT_S: Final = 30.0
NDJSON: Final = "application/x-ndjson"
ARRAY: Final = "application/json"
EVENTS: Final = "text/event-stream"
BUSY: Final = (
    b'{"code":9,"message":"zu gro\xc3\x9f: 100%","details":[{"@type":'
    b'"type.googleapis.com/google.rpc.ErrorInfo","reason":"BUSY","domain":"gr\xc3\xb6\xc3\x9fer"}]}'
)
"""The status of CASE_ERROR."""


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
