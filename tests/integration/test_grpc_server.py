"""GrpcServer by itself: whatever a servicer does, and how it ends."""

import asyncio
import errno
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any, Never

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from server import locale
from server.identity.authorization import Authorizer
from server.rpc.errors import CallFailures
from server.rpc.grpc_server import GrpcServer
from server.rpc.interceptors import service_chain
from tests.support.named_answers import NamedAnswers
from tests.support.refusals import DEADLINE_S, refused
from tests.support.tables import cases
from transcoder import Http2Pipes, Transcoder
from zitadel import management_pb2 as pb
from zitadel.management_pb2_grpc import (
    ManagementServiceServicer,
    ManagementServiceStub,
    add_ManagementServiceServicer_to_server,
)

# What a servicer may do.


class Faulty(ManagementServiceServicer):
    """A servicer whose public method does what it is told."""

    def __init__(self, handle: Callable[[Any], Awaitable[None]]) -> None:
        self._handle = handle

    async def Healthz(self, request: pb.HealthzRequest, context: object) -> pb.HealthzResponse:
        await self._handle(context)
        return pb.HealthzResponse()


class Nobody(NamedAnswers):
    """Accounts of an instance without users."""

    async def _none(self, _: object) -> None:
        return None

    token_by_hash = user_by_id = user_by_subject = org_by_id = _none

    async def memberships_of(self, user_id: str) -> list[Never]:
        return []


class Running:
    """A server with one handler, behind the real interceptors.

    Attributes:
        is_piped: True listens by a transcoder, which pipes connections to the server.
        address: what clients connect to.
        refusals: what was too many, for each call that the server's own limits refused.
    """

    is_piped = False

    def __init__(
        self,
        handle: Callable[[Any], Awaitable[None]],
        *,
        calls_max: int = 1000,
        connections_max: int = 1000,
        address: str = "127.0.0.1:0",
    ) -> None:
        self.address = address
        self.refusals: list[str] = []
        chain = service_chain(
            failures=CallFailures(locale.load_all()),
            authorizer=Authorizer(Nobody()),
            permissions={},
            checks={},
            access_log=False,
        )
        self._folder = tempfile.TemporaryDirectory()
        self._pipes: Http2Pipes | None = None
        if self.is_piped:
            self._pipes = Http2Pipes(
                f"unix:{self._folder.name}/grpc.sock", connections_max=connections_max
            )
        self._front = Transcoder()
        self.server = GrpcServer(
            chain=chain,
            calls_max=calls_max,
            connections_max=connections_max,
            pipes=self._pipes,
            on_refusal=self.refusals.append,
        )
        servicer: Any = Faulty(handle)
        add_ManagementServiceServicer_to_server(servicer, self.server)  # type: ignore[arg-type]

    async def __aenter__(self) -> "Running":
        if self._pipes is None:
            self.address = await self.server.start(self.address)
        else:
            await self.server.start(None, piped=f"unix:{self._pipes.path}")
            self.address = await self._front.start(self.address, http2=self._pipes)
        self.channel = grpc.aio.insecure_channel(self.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self._front.stop()
        await self.server.stop(0)
        if self._pipes is not None:
            self._pipes.close()
        self._folder.cleanup()

    def call(self) -> Any:
        stub: Any = ManagementServiceStub(self.channel)
        return stub.Healthz(pb.HealthzRequest(), metadata=(("x-request-id", "abc"),))


@pytest.fixture(params=["own port", "pipe"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs each test of a `Running` by both ways to the server."""
    monkeypatch.setattr(Running, "is_piped", request.param == "pipe")


class Waiting:
    """Has a call wait until it is released."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, _context: object) -> None:
        self.started.set()
        await self.release.wait()


async def _raise(_context: object) -> None:
    raise ValueError("secret")


async def _swallow_an_abort(context: Any) -> None:
    with pytest.raises(grpc.aio.AbortError):
        await context.abort(grpc.StatusCode.ABORTED, "first")
    raise ValueError("secret")


async def _await_what_was_cancelled(_context: object) -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def _abort_with_trailers(context: Any) -> None:
    await context.abort(grpc.StatusCode.ABORTED, "first", (("a", "b"),))


async def _abort_with_status(context: Any) -> None:
    class Answer(grpc.Status):
        code = grpc.StatusCode.ABORTED
        details = "first"
        trailing_metadata = (("a", "b"),)

    await context.abort_with_status(Answer())


@cases(
    "handle, code, message",
    {
        "raise": (_raise, grpc.StatusCode.INTERNAL, "internal error (request id abc)"),
        "await what was cancelled": (
            _await_what_was_cancelled,
            grpc.StatusCode.INTERNAL,
            "internal error (request id abc)",
        ),
        "swallow an abort": (_swallow_an_abort, grpc.StatusCode.ABORTED, "first"),
        "abort": (_abort_with_trailers, grpc.StatusCode.ABORTED, "first"),
        "abort with a status": (_abort_with_status, grpc.StatusCode.ABORTED, "first"),
    },
)
async def test_failing_servicer_ends_its_call_and_leaks_nothing(
    handle: Callable[[Any], Awaitable[None]], code: grpc.StatusCode, message: str
) -> None:
    async with Running(handle) as running:
        error = await refused(running.call())
    assert (error.code(), error.details()) == (code, message)
    assert dict(error.trailing_metadata())["x-request-id"] == "abc"


async def test_calls_over_the_cap_are_refused_at_once() -> None:
    wait = Waiting()
    async with Running(wait, calls_max=20) as running:
        calls = [running.call() for _ in range(50)]
        waiting = set(map(asyncio.ensure_future, calls))
        while len(waiting) > 20:
            _, waiting = await asyncio.wait(
                waiting, timeout=DEADLINE_S, return_when=asyncio.FIRST_COMPLETED
            )
        wait.release.set()
        codes = [await call.code() for call in calls]
    assert codes.count(grpc.StatusCode.OK) == 20
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 30


async def test_client_that_leaves_cancels_its_call() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(_context: object) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with Running(wait) as running:
        call = running.call()
        waiting = asyncio.ensure_future(call)
        await started.wait()
        call.cancel()
        await asyncio.wait_for(cancelled.wait(), DEADLINE_S)
        await asyncio.gather(waiting, return_exceptions=True)


# The end.


async def test_stop_lets_calls_in_flight_end() -> None:
    wait = Waiting()
    async with Running(wait) as running:
        call = running.call()
        waiting = asyncio.ensure_future(call)
        await wait.started.wait()
        stopping = asyncio.create_task(running.server.stop(DEADLINE_S))
        await refused_soon(running)
        wait.release.set()
        await stopping
        await waiting
        assert await call.code() is grpc.StatusCode.OK


async def test_a_stopping_server_says_so_to_new_calls() -> None:
    wait = Waiting()
    async with Running(wait) as running:
        waiting = asyncio.ensure_future(running.call())
        await wait.started.wait()
        stopping = asyncio.create_task(running.server.stop(DEADLINE_S))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        late = running.call()
        assert await late.code() is grpc.StatusCode.UNAVAILABLE
        assert await late.details() == "the server is stopping"
        wait.release.set()
        await stopping
        await waiting


async def test_stop_lets_a_stream_in_flight_end() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def stream(_request: bytes, context: Any) -> None:
        started.set()
        await release.wait()
        await context.write(b"the last")

    handler: Any = grpc.unary_stream_rpc_method_handler(stream)
    server = GrpcServer()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Open", {"Stream": handler}),)
    )
    address = await server.start("127.0.0.1:0")
    async with grpc.aio.insecure_channel(address) as channel:
        method: Any = channel.unary_stream("/test.Open/Stream")
        call = method(b"")
        reading = asyncio.ensure_future(call.read())
        await started.wait()
        stopping = asyncio.create_task(server.stop(DEADLINE_S))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await method(b"").details() == "the server is stopping"
        release.set()
        assert await reading == b"the last"
        assert await call.code() is grpc.StatusCode.OK
        await stopping


async def refused_soon(running: Running) -> None:
    """Call until the server takes no more; grpc.aio drops a call that comes in that very moment."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await running.call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                    raise
                return


async def test_call_that_outlives_the_grace_is_ended() -> None:
    wait = Waiting()
    async with Running(wait) as running:
        call = running.call()
        await wait.started.wait()
        await running.server.stop(0)
        assert await call.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_watcher_is_told_and_does_not_hold_a_stop_up() -> None:
    async with Running(_raise) as running:
        stub: Any = HealthStub(running.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        async with asyncio.timeout(DEADLINE_S):
            await running.server.stop(10 * DEADLINE_S)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await watch.code() is grpc.StatusCode.UNAVAILABLE


async def test_watcher_learns_that_the_server_stops_before_it_does() -> None:
    async with Running(_raise) as running:
        stub: Any = HealthStub(running.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        await running.server.set_not_ready()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()


async def test_address_in_use_is_reported_with_its_error_number() -> None:
    async with Running(_raise) as first:
        with pytest.raises(OSError, match="Address already in use") as caught:
            await GrpcServer().start(first.address)
    assert caught.value.errno == errno.EADDRINUSE
