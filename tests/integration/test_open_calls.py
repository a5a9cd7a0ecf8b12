"""Limits of the gRPC port: connections, and calls that wait for their clients."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from server.rpc import grpc_server, idle_connections, open_calls
from tests.integration.test_grpc_server import Running, way
from tests.robustness.held_calls import HEALTHZ, REFLECT, WATCH, Hold, Holder, hold
from tests.support.refusals import DEADLINE_S, refused
from tests.support.waiting import until_async

__all__ = ["way"]  # a fixture, of every test here


async def _nothing(_context: object) -> None: ...


@asynccontextmanager
async def holding(
    address: str, path: str, what: Hold, *, calls: int, connections: int = 1
) -> AsyncIterator[list[Holder]]:
    holders = [await hold(address, path, what, calls=calls) for _ in range(connections)]
    try:
        yield holders
    finally:
        for holder in holders:
            holder.close()


@pytest.fixture
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_calls, "_TICK_S", 0.05)


# Places.


@pytest.fixture(params=["127.0.0.1:0", "unix:s"], ids=["a port", "a path"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return str(request.param)


@pytest.mark.parametrize("connections", [1, 5])
@pytest.mark.parametrize("what", ["message", "answer"])
async def test_held_calls_leave_others_served(address: str, what: Hold, connections: int) -> None:
    async with Running(_nothing, calls_max=20, address=address) as running:
        # A connection that begins while others are ended may be refused once, and try again.
        assert await running.call().code() is grpc.StatusCode.OK
        async with holding(running.address, HEALTHZ, what, calls=40, connections=connections):
            assert [await running.call().code() for _ in range(30)] == [grpc.StatusCode.OK] * 30
    assert set(running.refusals) == {"calls"}


async def test_a_call_beyond_the_limit_is_refused_and_counted() -> None:
    begun: list[object] = []
    may_end = asyncio.Event()

    async def wait(context: object) -> None:
        begun.append(context)
        await may_end.wait()

    async with Running(wait, calls_max=2) as running:
        held = [asyncio.ensure_future(running.call().code()) for _ in range(2)]
        await until_async(lambda: len(begun) == 2)
        assert await running.call().code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert running.refusals == ["calls"]
        may_end.set()
        assert await asyncio.gather(*held) == [grpc.StatusCode.OK] * 2


async def test_the_connection_that_holds_most_gives_way() -> None:
    async with (
        Running(_nothing, calls_max=20) as running,
        holding(running.address, HEALTHZ, "message", calls=3) as few,
        holding(running.address, HEALTHZ, "message", calls=17) as many,
    ):
        async with asyncio.timeout(DEADLINE_S):
            while not many[0].ended:
                assert await running.call().code() is grpc.StatusCode.OK
    assert few[0].ended == 0


@pytest.mark.parametrize("path", [WATCH, REFLECT])
@pytest.mark.parametrize("what", ["message", "answer"])
async def test_held_streams_leave_others_served(path: str, what: Hold) -> None:
    async with (
        Running(_nothing) as running,
        holding(running.address, path, what, calls=100, connections=3),
    ):
        stub: Any = HealthStub(running.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        assert await running.call().code() is grpc.StatusCode.OK
        watch.cancel()


# Deadlines.


async def test_a_message_that_does_not_come_ends_the_call_in_time(
    quick_ticks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_calls, "MESSAGE_TIMEOUT_S", 0.1)
    async with Running(_nothing) as running:
        call: Any = running.channel.stream_unary(HEALTHZ)()
        error = await refused(call)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details() == "the request's message did not arrive within 0.1 s"
    assert "x-request-id" in dict(error.trailing_metadata())


async def test_an_answer_that_is_not_taken_ends_its_connection(
    quick_ticks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_calls, "ANSWER_TIMEOUT_S", 0.1)
    async with (
        Running(_nothing) as running,
        holding(running.address, HEALTHZ, "answer", calls=1) as held,
    ):
        async with asyncio.timeout(DEADLINE_S):
            await held[0].closed.wait()
        assert await running.call().code() is grpc.StatusCode.OK


async def test_a_call_that_takes_long_is_not_ended(
    quick_ticks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_calls, "MESSAGE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(open_calls, "ANSWER_TIMEOUT_S", 0.1)

    async def wait(_context: object) -> None:
        await asyncio.sleep(0.5)

    async with Running(wait) as running:
        assert await running.call().code() is grpc.StatusCode.OK


async def test_a_request_without_a_message_is_refused() -> None:
    async with Running(_nothing) as running:
        call: Any = running.channel.stream_unary(HEALTHZ)(iter(()))
        error = await refused(call)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert error.details() == "the request has no message, expected one"


# Connections.


async def test_a_connection_without_a_call_is_closed_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grpc_server, "IDLE_S", 1)
    async with (
        Running(_nothing) as running,
        holding(running.address, HEALTHZ, "message", calls=0) as held,
    ):
        async with asyncio.timeout(DEADLINE_S):
            await held[0].closed.wait()


async def test_an_old_connection_ends_its_streams_after_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grpc_server, "CONNECTION_AGE_S", 1)
    monkeypatch.setattr(grpc_server, "AGE_GRACE_S", 1)
    async with Running(_nothing) as running:
        stub: Any = HealthStub(running.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        async with asyncio.timeout(DEADLINE_S):
            assert await watch.code() is grpc.StatusCode.UNAVAILABLE
        again = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await again.read()).status == health_pb2.HealthCheckResponse.SERVING
        again.cancel()


async def test_a_connection_above_the_cap_is_closed_at_once(address: str) -> None:
    async with (
        Running(_nothing, connections_max=2, address=address) as running,
        holding(running.address, HEALTHZ, "message", calls=1) as first,
    ):
        assert await running.call().code() is grpc.StatusCode.OK
        async with holding(running.address, HEALTHZ, "message", calls=1) as third:
            async with asyncio.timeout(DEADLINE_S):
                await third[0].closed.wait()
            assert not first[0].closed.is_set()
            assert await running.call().code() is grpc.StatusCode.OK


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_connections, "CHECK_EVERY_S", 0.05)
    monkeypatch.setattr(idle_connections, "IDLE_MIN_S", 0.1)


def a_channel(address: str) -> grpc.aio.Channel:
    """Makes a channel with a connection of its own, which is tried again soon."""
    backoff = [(f"grpc.{which}_reconnect_backoff_ms", 100) for which in ("initial", "min", "max")]
    return grpc.aio.insecure_channel(
        address, options=[("grpc.use_local_subchannel_pool", 1), *backoff]
    )


@asynccontextmanager
async def connected(address: str, *, count: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Opens channels that have made one call each, and are idle."""
    channels = [a_channel(address) for _ in range(count)]
    try:
        for channel in channels:
            await ask(channel)
        yield channels
    finally:
        for channel in channels:
            await channel.close()


async def ask(channel: grpc.aio.Channel) -> None:
    """Makes a call; a connection that is refused is tried again."""
    stub: Any = HealthStub(channel)
    request = health_pb2.HealthCheckRequest()
    await stub.Check(request, wait_for_ready=True, timeout=DEADLINE_S)


@pytest.mark.usefixtures("quick_looks")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_idle_connections_up_to_the_cap_make_room_for_new_clients(host: str) -> None:
    async with (
        Running(_nothing, connections_max=3, address=f"{host}:0") as running,
        connected(running.address, count=6) as channels,
    ):
        # Those that were ended connect again.
        for channel in channels:
            await ask(channel)


@pytest.mark.usefixtures("quick_looks")
async def test_connections_with_open_calls_never_make_room() -> None:
    async with (
        Running(_nothing, connections_max=2) as running,
        a_channel(running.address) as busy,
        a_channel(running.address) as idle,
    ):
        stub: Any = HealthStub(busy)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        await ask(idle)
        for _ in range(3):
            async with a_channel(running.address) as another:
                await ask(another)
        assert not watch.done()
        watch.cancel()


@pytest.mark.usefixtures("quick_looks")
async def test_idle_connection_that_made_calls_stays_as_long_as_others_made_none() -> None:
    async with (
        Running(_nothing, connections_max=2) as running,
        connected(running.address, count=1) as (used,),
        holding(running.address, HEALTHZ, "message", calls=0) as unused,
    ):
        async with asyncio.timeout(DEADLINE_S):
            await unused[0].closed.wait()
        assert used.get_state() is grpc.ChannelConnectivity.READY
        await ask(used)
