"""Keepalive of the gRPC port, with grpc's own client and a relay that looks at its frames.

Follows RFC 9113 sections 4.1 (frames) and 6.7 (PING). The times are those of the server, shortened.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from server.rpc import grpc_server
from tests.integration.test_grpc_server import Running, way
from tests.support.refusals import DEADLINE_S

__all__ = ["way"]  # a fixture, of every test here

PREFACE_BYTES: Final = 24
HEAD_BYTES: Final = 9
PING: Final = 6
ACK: Final = 1


class Relay:
    """Passes octets between clients and a server, and counts the pings of both.

    Attributes:
        connections: how many clients have connected.
        pings: of "client" and of "server", without acknowledgements.
        ended: set when the server ends a connection.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.pings: Counter[str] = Counter()
        self.pinged = asyncio.Event()
        self.ended = asyncio.Event()
        self._is_frozen = False

    def freeze(self) -> None:
        """Passes nothing on from now on, as a network that is gone."""
        self._is_frozen = True

    async def serve(self, target: str, client: asyncio.StreamReader, to_client: Any) -> None:
        self.connections += 1
        host, _, port = target.rpartition(":")
        server, to_server = await asyncio.open_connection(host, int(port))
        pumps = (
            self._pump("client", client, to_server, skipped=PREFACE_BYTES),
            self._pump("server", server, to_client, skipped=0),
        )
        try:
            await asyncio.gather(*pumps)
        finally:
            to_client.close()
            to_server.close()

    async def _pump(
        self, sender: str, reader: asyncio.StreamReader, writer: Any, *, skipped: int
    ) -> None:
        try:
            writer.write(await reader.readexactly(skipped))
            while True:
                head = await reader.readexactly(HEAD_BYTES)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                if head[3] == PING and not head[4] & ACK:
                    self.pings[sender] += 1
                    self.pinged.set()
                if not self._is_frozen:
                    writer.write(head + payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            if sender == "server":
                self.ended.set()
            writer.close()

    async def wait_for_pings(self, sender: str, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.pings[sender] < count:
                self.pinged.clear()
                await self.pinged.wait()


@asynccontextmanager
async def relayed(running: Running, **options: int) -> AsyncIterator[tuple[Relay, Any]]:
    """Yields a relay to the server, and health's stub of a client behind it."""
    relay = Relay()
    listener = await asyncio.start_server(
        lambda reader, writer: relay.serve(running.address, reader, writer), "127.0.0.1", 0
    )
    port = listener.sockets[0].getsockname()[1]
    # Pings that probe the bandwidth would be counted, too.
    named = [(f"grpc.{name}", value) for name, value in options.items()]
    quiet = ("grpc.http2.bdp_probe", 0)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[quiet, *named])
    try:
        yield relay, HealthStub(channel)
    finally:
        await channel.close()
        listener.close()


def pinging(every_ms: int) -> dict[str, int]:
    return {
        "keepalive_time_ms": every_ms,
        "keepalive_permit_without_calls": 1,
        "http2.max_pings_without_data": 0,
    }


async def watched(stub: Any) -> Any:
    """Begins to watch the health, a call that lasts."""
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    return watch


async def _nothing(_context: object) -> None: ...


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_server, "KEEPALIVE_S", 1)
    monkeypatch.setattr(grpc_server, "KEEPALIVE_TIMEOUT_S", 1)


@pytest.mark.usefixtures("quick")
async def test_client_that_answers_no_ping_is_ended() -> None:
    async with Running(_nothing) as running, relayed(running) as (relay, stub):
        watch = await watched(stub)
        relay.freeze()
        async with asyncio.timeout(DEADLINE_S):
            await relay.ended.wait()
        assert relay.pings["server"] > 0
        watch.cancel()


@pytest.mark.usefixtures("quick")
async def test_client_that_answers_pings_keeps_its_connection() -> None:
    async with Running(_nothing) as running, relayed(running) as (relay, stub):
        watch = await watched(stub)
        await relay.wait_for_pings("server", 3)
        await stub.Check(health_pb2.HealthCheckRequest())
        assert (relay.connections, watch.done()) == (1, False)
        watch.cancel()


async def test_client_that_pings_as_often_as_it_may_keeps_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grpc_server, "PING_MIN_S", 1)
    async with Running(_nothing) as running, relayed(running, **pinging(1100)) as (relay, stub):
        watch = await watched(stub)
        await relay.wait_for_pings("client", 4)
        await stub.Check(health_pb2.HealthCheckRequest())
        assert (relay.connections, watch.done()) == (1, False)
        watch.cancel()


async def test_client_that_pings_too_often_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_server, "PING_MIN_S", 60)
    async with Running(_nothing) as running, relayed(running, **pinging(100)) as (_, stub):
        watch = await watched(stub)
        async with asyncio.timeout(DEADLINE_S):
            assert await watch.code() is grpc.StatusCode.UNAVAILABLE
        assert "too_many_pings" in (await watch.details()).lower().replace(" ", "_")
