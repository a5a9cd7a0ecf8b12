"""In an aiohttp application that is there already: its prefix, and its clients behind a proxy."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from tests.proto import echo_pb2_grpc
from tests.proto.echo_pb2 import CASE_ERROR, CASE_WAIT
from tests.support.grpcweb_fixture import REPEAT, TALK, Echo
from tests.support.operations import mounted
from tests.support.tables import cases
from transcoder import Transcoder


@cases(
    "prefix, requested",
    {
        "as it is": ("/api", "/api"),
        "escaped without need": ("/api", "/%61pi"),
        "all escaped": ("/api", "/%61%70%69"),
        "two segments": ("/a/c", "/%61/%63"),
        "in lower-case hexadecimal": ("/a~b", "/a%7eb"),
    },
)
@cases(
    "path, name",
    {
        "a path": ("/v1/operations/a", "operations/a"),
        "a query": ("/v1/operations/a?page_size=/x/y", "operations/a"),
        "an escaped slash": ("/v1/operations/api%2Fapi", "operations/api%2Fapi"),
    },
)
async def test_a_prefix_is_found_however_a_client_escapes_it(
    prefix: str, requested: str, path: str, name: str
) -> None:
    url = URL(requested + path, encoded=True)
    async with mounted(prefix) as (session, _), session.get(url) as answer:
        assert (answer.status, await answer.json()) == (200, {"name": name, "done": True})


async def test_trusted_proxies_name_clients_there_too() -> None:
    headers = {"X-Forwarded-For": "192.0.2.1"}
    async with (
        mounted("/api", trusted_proxies=["127.0.0.1"]) as (session, _),
        session.get("/api/v1/operations/metadata", headers=headers) as answer,
    ):
        told = dict(json.loads((await answer.json())["name"]))
    assert told["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"


@asynccontextmanager
async def echo_mounted() -> AsyncIterator[tuple[aiohttp.ClientSession, Echo]]:
    """echo.v1.Echo below /api of an application, as aiohttp serves it."""
    transcoder: Any = Transcoder()
    servicer = Echo()
    echo_pb2_grpc.add_EchoServicer_to_server(servicer, transcoder)
    application = web.Application()
    application.add_subapp("/api", transcoder.app())
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            yield session, servicer
    finally:
        await runner.cleanup()


async def test_a_stream_of_responses_is_the_same_in_an_application() -> None:
    asked = {"name": "n", "count": 2}
    headers = {"Accept": "application/json"}
    async with echo_mounted() as (session, _):
        async with session.post(f"/api{REPEAT}", json=asked, headers=headers) as answer:
            assert [each["index"] for each in await answer.json()] == [1, 2]
        asked["case"] = CASE_ERROR
        async with session.post(f"/api{REPEAT}", json=asked, headers=headers) as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()


async def test_both_directions_stream_in_an_application_and_end_with_their_client() -> None:
    sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield await sent.get()

    headers = {"Content-Type": "application/x-ndjson"}
    async with asyncio.timeout(30), echo_mounted() as (session, servicer):
        sent.put_nowait(b'{"name":"a"}\n')
        async with session.post(f"/api{TALK}", data=body(), headers=headers) as answer:
            assert await answer.content.readline() == b'{"result":{"name":"a","index":1}}\n'
            sent.put_nowait(b'{"name":"b"}\n')
            assert await answer.content.readline() == b'{"result":{"name":"b","index":1}}\n'
        asked = {"name": "n", "count": 1, "case": CASE_WAIT}
        async with session.post(f"/api{REPEAT}", json=asked) as answer:
            assert await answer.content.readline() == b'{"result":{"name":"n","index":1}}\n'
            answer.close()
        await servicer.cancelled["n"].wait()
