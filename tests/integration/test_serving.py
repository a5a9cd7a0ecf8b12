"""Start and end of serving: prefixes, readiness, signals, mounted applications."""

import asyncio
import contextvars
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
import grpc
import pytest
from aiohttp import web
from google.longrunning import operations_pb2, operations_pb2_grpc

from tests.support.connections import opened
from tests.support.operations import Operations, mounted, serving
from tests.support.tables import cases
from tests.support.waiting import until_async
from transcoder import SchemaError, Transcoder

BIG = b" " * 100_000 + b"{}"
JSON_TYPE = {"Content-Type": "application/json"}


async def test_readiness_fails_before_serving_ends() -> None:
    transcoder = Transcoder()
    address = await transcoder.start("127.0.0.1:0")
    async with aiohttp.ClientSession(f"http://{address}") as session:
        transcoder.set_ready(False)
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.json()) == (503, {"status": "NOT_SERVING"})
        async with session.get("/healthz") as answer:
            assert answer.status == 200
    await transcoder.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_serving_and_means_again_what_it_meant(
    number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    meant = signal.getsignal(number)
    caplog.set_level(logging.INFO, logger="transcoder.app")
    running = asyncio.create_task(Transcoder().serve("127.0.0.1:0"))
    while not caplog.messages:
        await asyncio.sleep(0)
    os.kill(os.getpid(), number)
    await running
    assert signal.getsignal(number) == meant


async def test_serving_that_is_cancelled_listens_no_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="transcoder.app")
    running = asyncio.create_task(Transcoder().serve("127.0.0.1:0"))
    while not caplog.messages:
        await asyncio.sleep(0)
    address = caplog.messages[-1].removeprefix("listening on ")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://{address}/readyz")


async def test_calls_in_flight_end_before_stop_returns() -> None:
    transcoder: Any = Transcoder()
    servicer = Operations()
    operations_pb2_grpc.add_OperationsServicer_to_server(servicer, transcoder)
    address = await transcoder.start("127.0.0.1:0")
    async with aiohttp.ClientSession(f"http://{address}") as session:
        headers = {"Grpc-Timeout": "300m"}
        request = asyncio.create_task(
            session.get("/v1/operations/waits", headers=headers).__aenter__()
        )
        await servicer.started.wait()
        await transcoder.stop()
        assert (await request).status == 504


async def test_a_prefix_is_for_rest_routes_alone() -> None:
    async with serving(prefixes=["/api/jobs"]) as (session, _):
        for path, status in (("/api/jobs/v1/operations", 200), ("/v1/operations", 404)):
            async with session.get(path) as answer:
                assert answer.status == status
        async with session.post("/google.longrunning.Operations/WaitOperation") as answer:
            assert answer.status == 200


async def test_a_service_may_be_at_several_prefixes() -> None:
    async with serving(prefixes=["/old", "/new"]) as (session, _):
        for prefix in ("/old", "/new"):
            async with session.get(f"{prefix}/v1/operations/a") as answer:
                assert await answer.json() == {"name": "operations/a", "done": True}
        path = "/google.longrunning.Operations/WaitOperation"  # which has no rule, and no prefix
        async with session.post(path, json={"name": "a"}) as answer:
            assert await answer.json() == {"name": "a"}


async def test_two_servicers_of_one_service_are_refused_when_registered() -> None:
    transcoder: Any = Transcoder()
    operations_pb2_grpc.add_OperationsServicer_to_server(Operations(), transcoder)
    with pytest.raises(SchemaError, match="has another handler already"):
        operations_pb2_grpc.add_OperationsServicer_to_server(Operations(), transcoder)


USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


class Remembering(grpc.aio.ServerInterceptor):
    """Tells the handler who calls, where somebody says it."""

    async def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        user = handler_call_details.invocation_metadata.get("authorization")
        if user is not None:
            USER.set(user)
        return await continuation(handler_call_details)


async def _user(request: object, context: object) -> operations_pb2.Operation:
    return operations_pb2.Operation(name=USER.get())


@pytest.mark.parametrize("is_mounted", [False, True], ids=["own listener", "mounted"])
async def test_context_variables_of_one_call_are_not_those_of_the_next(is_mounted: bool) -> None:
    transcoder = Transcoder(interceptors=[Remembering()])
    handler: Any = grpc.unary_unary_rpc_method_handler(
        _user,
        operations_pb2.GetOperationRequest.FromString,
        operations_pb2.Operation.SerializeToString,
    )
    service = "google.longrunning.Operations"
    transcoder.add_registered_method_handlers(service, {"GetOperation": handler})
    runner = web.AppRunner(transcoder.app(), handler_cancellation=False)
    if is_mounted:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = "{}:{}".format(*runner.addresses[0])
    else:
        address = await transcoder.start("127.0.0.1:0")
    connections = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(f"http://{address}", connector=connections) as session:
        for headers, user in (({"Authorization": "Ada"}, "Ada"), ({}, "nobody")):
            async with session.get("/v1/operations/a", headers=headers) as answer:
                assert await answer.json() == {"name": user}
    await runner.cleanup()
    await transcoder.stop()


async def test_a_transcoder_mounts_in_an_application_of_ones_own() -> None:
    async with mounted("/grpc") as (session, _):
        async with session.get("/grpc/v1/operations/a") as answer:
            assert await answer.json() == {"name": "operations/a", "done": True}
        async with session.get("/grpc/none") as answer:
            assert (answer.status, await answer.json()) == (
                404,
                {"code": 5, "message": "Not Found"},
            )


class Refusing(grpc.aio.ServerInterceptor):
    """Refuses whoever does not say its name, by the headers alone."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        if any(key == "authorization" for key, _ in details.invocation_metadata):
            return await continuation(details)

        async def refuse(_: object, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who?")

        return grpc.stream_unary_rpc_method_handler(refuse)


@cases(
    "headers, expected",
    {
        "without a name": ("", b"HTTP/1.1 401 "),
        "with a name": ("Authorization: Ada\r\n", b"HTTP/1.1 100 "),
    },
)
async def test_where_it_is_mounted_too_a_body_is_asked_for_once_it_is_known_who_calls(
    headers: str, expected: bytes
) -> None:
    async with (
        mounted("/grpc", interceptors=[Refusing()]) as (session, _),
        session.get("/grpc/none") as answer,
        opened(answer.url.authority) as (reader, writer),
        asyncio.timeout(10),
    ):
        writer.write(
            b"POST /grpc/v1/operations/a:cancel HTTP/1.1\r\nHost: a\r\n"
            b"Expect: 100-continue\r\nContent-Length: 2\r\n" + headers.encode() + b"\r\n"
        )
        assert (await reader.readline()).startswith(expected)
        if expected == b"HTTP/1.1 100 ":
            assert await reader.readline() == b"\r\n"
            writer.write(b"{}")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_the_thread_of_large_bodies_ends_with_the_application_that_it_is_mounted_in() -> None:
    def threads() -> int:
        return sum(thread.name.startswith("transcoder") for thread in threading.enumerate())

    before = threads()
    async with (
        mounted("/grpc") as (session, _),
        session.post("/grpc/v1/operations/a:cancel", data=BIG, headers=JSON_TYPE) as answer,
    ):
        assert answer.status == 200
        assert threads() == before + 1
    await until_async(lambda: threads() == before)
