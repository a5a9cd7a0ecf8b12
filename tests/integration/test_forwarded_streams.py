"""Streams that a transcoder forwards to a gRPC server, and whose clients do not keep up."""

import asyncio
from typing import Any, Final

import aiohttp
import grpc

from tests.proto import echo_pb2, echo_pb2_grpc
from tests.support.grpcweb_fixture import REPEAT, Echo, Server
from tests.support.json_streams import asked, connected, head_of
from transcoder import Transcoder

MESSAGE_BYTES: Final = 16 << 10
HELD_MAX_BYTES: Final = 4 << 20
"""Max bytes under way to one reader: most are in the buffers of its socket, which Linux sizes."""


async def _made(servicer: Echo, name: str) -> int:
    """Returns how many messages a stream has, once it makes no more."""
    made, before = servicer.sent[name], -1
    while made != before or not made:
        await asyncio.sleep(0.5)
        made, before = servicer.sent[name], made
    return made


async def test_a_reader_that_stops_holds_little_although_others_read_fast() -> None:
    servicer, server = Echo(), grpc.aio.server()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, server)
    upstream = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    transcoder: Any = Transcoder.proxy(upstream, files=[echo_pb2.DESCRIPTOR])
    try:
        proxy = Server(await transcoder.start("127.0.0.1:0"), servicer)
        fast = {"name": "fast", "count": 2000, "size": MESSAGE_BYTES}
        async with (
            aiohttp.ClientSession(proxy.url) as session,
            session.post(REPEAT, json=fast) as answer,
        ):
            assert len(await answer.read()) > 2000 * MESSAGE_BYTES
        endless = asked(name="stops", case="CASE_ENDLESS", size=MESSAGE_BYTES)
        async with connected(proxy, endless) as (reader, _):
            await head_of(reader)
            made = await _made(servicer, "stops")
            assert made * MESSAGE_BYTES <= HELD_MAX_BYTES
    finally:
        await transcoder.stop()
        await server.stop(None)
