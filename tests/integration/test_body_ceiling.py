"""The bodies of all connections together: who is refused above the ceiling, and who is not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tests.proto.echo_pb2 import EchoRequest
from tests.support.connections import answer_of
from tests.support.grpc_frames import framed
from tests.support.grpcweb_fixture import SAY, Server, serving
from tests.support.refusals import DEADLINE_S
from tests.support.tables import cases
from transcoder.options import Limits

PIECE: Final = b"x" * (64 << 10)
LIMITS: Final = Limits(
    body_max_bytes=1 << 20, message_max_bytes=1 << 20, bodies_max_bytes=2 << 20, body_timeout_s=60
)
JSON: Final = "Content-Type: application/json\r\nContent-Length: 1000000\r\n"
WEB: Final = "Content-Type: application/grpc-web+proto\r\nContent-Length: 1000000\r\n"
TOO_MANY: Final = b"too many request bodies at once, try again later"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def begin(server: Server, headers: str, body: bytes) -> Connection:
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {SAY} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode() + body)
    await writer.drain()
    return reader, writer


async def answer(connection: Connection) -> bytes:
    """Returns the head and the body of the answer."""
    return b"".join(await answer_of(connection[0]))


async def filled(server: Server, headers: str, until: Callable[[bytes], Awaitable[bool]]) -> bytes:
    """Sends unfinished bodies of 960 KiB, one after another, until one of them is answered."""
    begun: list[Connection] = []
    answers: set[asyncio.Task[bytes]] = set()
    try:
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(3):
                connection = await begin(server, headers, head_of(headers) + PIECE * 15)
                begun.append(connection)
                answers.add(asyncio.create_task(answer(connection)))
            done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            found = done.pop().result()
            assert await until(found)
            return found
    finally:
        for task in answers:
            task.cancel()
        for _, writer in begun:
            writer.close()
        await asyncio.gather(*answers, return_exceptions=True)


def head_of(headers: str) -> bytes:
    return b"\0" + (999_995).to_bytes(4) if headers == WEB else b""


@cases("headers, status", {"JSON": (JSON, b"HTTP/1.1 429 "), "gRPC-Web": (WEB, b"HTTP/1.1 200 ")})
async def test_a_body_above_the_ceiling_is_refused_and_small_ones_are_not(
    headers: str, status: bytes
) -> None:
    async with serving(limits=LIMITS) as server:

        async def small_ones_are_answered(_: bytes) -> bool:
            body = b'{"name":"small"}'
            json = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            frame = framed(EchoRequest(name="small").SerializeToString())
            web = f"Content-Type: application/grpc-web+proto\r\nContent-Length: {len(frame)}\r\n"
            for kind, octets in ((json, body), (web, frame)):
                connection = await begin(server, kind, octets)
                assert b"small" in await answer(connection)
                connection[1].close()
            return True

        refused = await filled(server, headers, small_ones_are_answered)
        assert refused.startswith(status)
        assert TOO_MANY in refused
        if headers == WEB:
            assert b"grpc-status:8\r\n" in refused


async def test_bytes_of_bodies_are_released_after_the_call() -> None:
    async with serving(limits=LIMITS) as server:

        async def nothing_more(_: bytes) -> bool:
            return True

        for _ in range(3):  # each time, those before have left
            await filled(server, JSON, nothing_more)
        whole = b'{"name":"' + b"x" * 900_000 + b'"}'
        headers = f"Content-Type: application/json\r\nContent-Length: {len(whole)}\r\n"
        async with asyncio.timeout(DEADLINE_S):
            while True:  # until the last of them is seen to have left
                connection = await begin(server, headers, whole)
                found = await answer(connection)
                connection[1].close()
                if found.startswith(b"HTTP/1.1 200 "):
                    break
