"""A call is cancelled once, whatever ends it and in whatever order: its handler cleans up whole.

A client leaves, a deadline passes, the server stops: each alone, and each pair in both orders. By
grpc.aio, by the transcoder's own listener, and mounted in an application.
"""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import grpc
import pytest
from aiohttp import web
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthServicer, HealthStub, add_HealthServicer_to_server

from tests.support.connections import reset
from transcoder import Limits, Transcoder

PATIENCE_S: Final = 10
DEADLINE_S: Final = 0.3
DRAIN_S: Final = 0.1
LEAVES: Final = "client leaves"
EXPIRES: Final = "deadline passes"
STOPS: Final = "server stops"
CAUSES: Final = (LEAVES, EXPIRES, STOPS)
CODES: Final = {
    LEAVES: grpc.StatusCode.CANCELLED,
    EXPIRES: grpc.StatusCode.DEADLINE_EXCEEDED,
    STOPS: grpc.StatusCode.CANCELLED,
}
CHECK: Final = "/grpc.health.v1.Health/Check"
WATCH: Final = "/grpc.health.v1.Health/Watch"


class Servicer(HealthServicer):
    """Waits, and then cleans up for as long as the test wants.

    Attributes:
        told: what the context says of the end, when the cleanup begins and in a done callback.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cleaning = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended = asyncio.Event()
        self.cut = 0
        self.told: list[tuple[bool, grpc.StatusCode | None]] = []

    async def Check(self, request: Any, context: Any) -> Any:
        await self._wait(context)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield health_pb2.HealthCheckResponse()
        await self._wait(context)

    def _tell(self, context: Any) -> None:
        self.told.append((context.cancelled(), context.code()))

    async def _wait(self, context: Any) -> None:
        context.add_done_callback(self._tell)
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._tell(context)
            self.cleaning.set()
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.cut += 1
                raise
            finally:
                self.ended.set()


class OverHttp:
    """A call by HTTP, whose connection can be cut."""

    def __init__(self, address: str, stop: Callable[[], Awaitable[None]]) -> None:
        self._address = address
        self.stop = stop

    async def call(self, kind: str, *, has_deadline: bool) -> None:
        host, _, port = self._address.rpartition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))
        self._writer.write(self._request(kind, DEADLINE_S if has_deadline else None))

    def blocking_call(self, kind: str, *, timeout_s: float | None) -> socket.socket:
        """Returns the connection of a call, which no event loop knows."""
        host, _, port = self._address.rpartition(":")
        client = socket.create_connection((host, int(port)))
        client.sendall(self._request(kind, timeout_s))
        return client

    def _request(self, kind: str, timeout_s: float | None) -> bytes:
        path, content_type, body = CHECK, "application/json", b"{}"
        if kind == "stream":
            path, content_type, body = WATCH, "application/grpc-web+proto", bytes(5)
        deadline = "" if timeout_s is None else f"grpc-timeout: {int(timeout_s * 1000)}m\r\n"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n"
            f"{deadline}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    async def close(self) -> None:
        self._writer.close()

    async def leave(self) -> None:
        reset(self._writer.get_extra_info("socket"))
        self._writer.transport.abort()

    async def told(self) -> bool:
        """Returns True once the answer says that the deadline has passed."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        if b" 504 " in head:
            return True
        return b"grpc-status:4\r\n" in await self._reader.readuntil(b"grpc-status:4\r\n")


class OverGrpc:
    """A call by grpc.aio's own client."""

    def __init__(self, address: str, stop: Callable[[], Awaitable[None]]) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._stub: Any = HealthStub(self._channel)
        self.stop = stop

    async def close(self) -> None:
        await self._channel.close()

    async def call(self, kind: str, *, has_deadline: bool) -> None:
        method = self._stub.Watch if kind == "stream" else self._stub.Check
        timeout = DEADLINE_S if has_deadline else None
        self._call = method(health_pb2.HealthCheckRequest(), timeout=timeout)
        self._task = asyncio.ensure_future(self._call.code())
        if kind == "stream":
            await self._call.read()

    async def leave(self) -> None:
        self._call.cancel()

    async def told(self) -> bool:
        return bool(await self._task is grpc.StatusCode.DEADLINE_EXCEEDED)


async def by_listener(servicer: Servicer, running: AsyncExitStack) -> OverHttp:
    transcoder: Any = Transcoder(limits=Limits(drain_timeout_s=DRAIN_S))
    add_HealthServicer_to_server(servicer, transcoder)
    running.push_async_callback(transcoder.stop)
    return OverHttp(await transcoder.start("127.0.0.1:0"), transcoder.stop)


async def mounted(servicer: Servicer, running: AsyncExitStack) -> OverHttp:
    transcoder: Any = Transcoder()
    add_HealthServicer_to_server(servicer, transcoder)
    runner = web.AppRunner(transcoder.app(), handler_cancellation=True, shutdown_timeout=DRAIN_S)
    await runner.setup()
    running.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    return OverHttp(f"{host}:{port}", runner.cleanup)


async def by_grpc(servicer: Servicer, running: AsyncExitStack) -> OverGrpc:
    server = grpc.aio.server()
    add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    running.push_async_callback(server.stop, 0)
    return OverGrpc(f"127.0.0.1:{port}", lambda: server.stop(DRAIN_S))


IN_EACH_ORDER: Final = pytest.mark.parametrize(
    "causes",
    [
        pytest.param(causes, id=", then ".join(causes))
        for causes in (*((cause,) for cause in CAUSES), *itertools.permutations(CAUSES, 2))
    ],
)
OF_EACH_KIND: Final = pytest.mark.parametrize("kind", ["unary", "stream"])


async def assert_cleans_up_once(
    causes: tuple[str, ...], kind: str, serve: Callable[[Servicer, AsyncExitStack], Any]
) -> None:
    servicer = Servicer()
    stopping: asyncio.Task[None] | None = None
    async with AsyncExitStack() as running, asyncio.timeout(PATIENCE_S):
        served = await serve(servicer, running)
        await served.call(kind, has_deadline=EXPIRES in causes)
        running.push_async_callback(served.close)
        await servicer.begun.wait()
        expires_at = asyncio.get_running_loop().time() + DEADLINE_S
        for cause in causes:
            if cause == LEAVES:
                await served.leave()
            elif cause == STOPS:
                stopping = asyncio.ensure_future(served.stop())
                await asyncio.wait([stopping], timeout=2 * DRAIN_S)
            elif cause == causes[0]:
                assert await served.told()  # although the handler goes on
            else:
                await _until(expires_at)
            await servicer.cleaning.wait()
        assert not servicer.ended.is_set()
        servicer.may_end.set()
        await servicer.ended.wait()
        if stopping is not None:
            await stopping
        while len(servicer.told) < 2:
            await asyncio.sleep(0)
    assert servicer.cut == 0
    # grpc.aio's context knows nothing of it.
    told = (False, None) if serve is by_grpc else (True, CODES[causes[0]])
    assert servicer.told == [told, told]


@OF_EACH_KIND
@IN_EACH_ORDER
async def test_a_handler_cleans_up_once(causes: tuple[str, ...], kind: str) -> None:
    await assert_cleans_up_once(causes, kind, by_listener)


class TestWithoutAListener:
    @pytest.fixture(autouse=True)
    def _way(self) -> None:
        """Runs each test once: neither grpc.aio nor an application reads by the transcoder."""

    @pytest.mark.parametrize("serve", [by_grpc, mounted])
    @OF_EACH_KIND
    @IN_EACH_ORDER
    async def test_a_handler_cleans_up_once(
        self,
        causes: tuple[str, ...],
        kind: str,
        serve: Callable[[Servicer, AsyncExitStack], Any],
    ) -> None:
        await assert_cleans_up_once(causes, kind, serve)


class Writer(Servicer):
    """Writes to a client that it has leave first, so that a write finds out before the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.may_write = asyncio.Event()
        self.leave: Callable[[], None] = lambda: None

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        context.add_done_callback(self._tell)
        try:
            yield health_pb2.HealthCheckResponse()
            self.begun.set()
            await self.may_write.wait()
            self.leave()
            while True:
                yield health_pb2.HealthCheckResponse()
        finally:
            try:
                self._tell(context)
                # More turns of the loop than a lost connection takes to cancel.
                for _ in range(100):
                    await asyncio.sleep(0)
            except asyncio.CancelledError:
                self.cut += 1
                raise
            finally:
                self.ended.set()


@pytest.mark.parametrize("serve", [by_listener, mounted])
@pytest.mark.parametrize("timeout_s", [None, 2 * PATIENCE_S], ids=["no deadline", "deadline"])
async def test_a_write_that_finds_its_client_gone_is_the_one_end(
    serve: Callable[[Servicer, AsyncExitStack], Any], timeout_s: float | None
) -> None:
    servicer = Writer()
    async with AsyncExitStack() as running, asyncio.timeout(PATIENCE_S):
        served: OverHttp = await serve(servicer, running)
        client = served.blocking_call("stream", timeout_s=timeout_s)
        await servicer.begun.wait()
        servicer.leave = lambda: leave(client)
        servicer.may_write.set()
        await servicer.ended.wait()
        while len(servicer.told) < 2:
            await asyncio.sleep(0)
    assert servicer.cut == 0
    assert servicer.told == [(True, grpc.StatusCode.CANCELLED)] * 2


async def test_a_host_that_cancels_no_handlers_has_the_write_fail() -> None:
    servicer = Writer()
    transcoder: Any = Transcoder()
    add_HealthServicer_to_server(servicer, transcoder)
    runner = web.AppRunner(transcoder.app(), handler_cancellation=False)
    await runner.setup()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0]
            served = OverHttp(f"{host}:{port}", runner.cleanup)
            client = served.blocking_call("stream", timeout_s=None)
            await servicer.begun.wait()
            servicer.leave = lambda: leave(client)
            servicer.may_write.set()
            await servicer.ended.wait()
    finally:
        await runner.cleanup()
    assert servicer.cut == 0


def leave(client: socket.socket) -> None:
    reset(client)
    client.close()


async def _until(time: float) -> None:
    """Waits until the loop's clock shows the time, and what was due then is done."""
    loop = asyncio.get_running_loop()
    reached = loop.create_future()
    loop.call_at(time + DEADLINE_S / 3, reached.set_result, None)
    await reached
