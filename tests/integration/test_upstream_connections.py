"""Connections to gRPC servers that calls are forwarded to: names, turns, keep-alive, no repeats."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from tests.support.name_servers import name_server
from tests.support.raised import misconfigured
from tests.support.remote_shop import Shop, descriptor_set, serving
from tests.support.transcoder_client import client_of
from transcoder import Transcoder

WITHIN_S: Final = 60


class CountedShop(Shop):
    """Counts its calls; those for "slow" are never answered."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def get(self, request: bytes, context: Any) -> bytes:
        self.calls += 1
        if request == b"\x0a\x04slow":
            await asyncio.Event().wait()
        return await super().get(request, context)


@asynccontextmanager
async def proxied(target: str, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    transcoder = Transcoder()
    transcoder.forward(target, descriptor_set=descriptor_set(), **options)
    async with client_of(transcoder) as client, asyncio.timeout(WITHIN_S):
        yield client


async def get(client: aiohttp.ClientSession, name: str = "pen") -> int:
    async with client.get(f"/v1/items/{name}") as answer:
        return answer.status


async def test_all_addresses_of_a_name_take_their_turn() -> None:
    shops = CountedShop(), CountedShop()
    first, port = await serving(shops[0])
    second, _ = await serving(shops[1], port, host="127.0.0.2")
    names = {"shop.test": ["127.0.0.1", "127.0.0.2"]}
    try:
        async with (
            name_server(names) as names_of,
            proxied(f"dns://{names_of.address}/shop.test:{port}") as client,
        ):
            while not all(shop.calls for shop in shops):  # each is connected
                assert await get(client) == 200
            before = [shop.calls for shop in shops]
            for _ in range(10):
                assert await get(client) == 200
            assert [shop.calls - old for shop, old in zip(shops, before, strict=True)] == [5, 5]
            await first.stop(None)
            while await get(client) != 200:  # what was on its way may fail
                pass
            for _ in range(10):
                assert await get(client) == 200
    finally:
        await first.stop(None)
        await second.stop(None)


async def test_several_addresses_may_be_given() -> None:
    shops = CountedShop(), CountedShop()
    servers = [await serving(shop) for shop in shops]
    addresses = ",".join(f"127.0.0.1:{port}" for _, port in servers)
    try:
        async with proxied(f"ipv4:{addresses}") as client:
            while not all(shop.calls for shop in shops):
                assert await get(client) == 200
    finally:
        for server, _ in servers:
            await server.stop(None)


class Refusing(asyncio.Protocol):
    """A server that goes away at each stream, and says that it has processed none.

    Attributes:
        streams: how many it was asked for, over all connections.
    """

    streams = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._http2 = H2Connection(H2Configuration(client_side=False))
        self._http2.initiate_connection()
        transport.write(self._http2.data_to_send())

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        events = self._http2.receive_data(data)
        asked = [event for event in events if isinstance(event, RequestReceived)]
        if asked:
            Refusing.streams += len(asked)
            self._http2.close_connection(last_stream_id=0)
        self._transport.write(self._http2.data_to_send())
        if asked:
            self._transport.close()


async def test_no_call_is_repeated_even_if_the_server_says_it_processed_none() -> None:
    server = await asyncio.get_running_loop().create_server(Refusing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with proxied(f"127.0.0.1:{port}") as client:
            assert await get(client) == 503
        assert Refusing.streams == 1
    finally:
        server.close()


class Relay:
    """Passes bytes between a client and a server, until it is told to lose them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._passing: set[asyncio.Task[Any]] = set()
        self.is_dead = asyncio.Event()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passing = asyncio.current_task()
        assert passing is not None
        self._passing.add(passing)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._copy(reader, server_writer))
            group.create_task(self._copy(server_reader, writer))

    async def ended(self) -> None:
        """Waits until both sides of all connections are closed."""
        await asyncio.wait(self._passing, timeout=WITHIN_S)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):  # a side that is closed already
            while data := await reader.read(1 << 16):
                if not self.is_dead.is_set():
                    writer.write(data)
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()


async def test_a_call_fails_when_its_server_answers_no_ping() -> None:
    shop = CountedShop()
    server, port = await serving(shop)
    relay = Relay(port)
    listening = await asyncio.start_server(relay.pass_on, "127.0.0.1", 0)
    through = listening.sockets[0].getsockname()[1]
    try:
        async with proxied(f"127.0.0.1:{through}", keepalive_s=1) as client:
            assert await get(client) == 200
            call = asyncio.create_task(get(client, "slow"))
            while shop.calls < 2:
                await asyncio.sleep(0.01)
            relay.is_dead.set()
            assert await call == 503
    finally:
        listening.close()
        await server.stop(None)
        await relay.ended()


@pytest.mark.parametrize("seconds", [0, -1.0])
async def test_a_server_is_pinged_after_some_seconds(seconds: float) -> None:
    with misconfigured(f"keepalive_s: expected more than 0, got {seconds!r}"):
        Transcoder.proxy("127.0.0.1:1", descriptor_set=descriptor_set(), keepalive_s=seconds)
