"""In an aiohttp application that is there already: how its prefix is found."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from google.longrunning import operations_pb2_grpc
from yarl import URL

from tests.support.operations import Operations
from tests.support.tables import cases
from transcoder import Transcoder


@asynccontextmanager
async def mounted(prefix: str) -> AsyncIterator[aiohttp.ClientSession]:
    transcoder: Any = Transcoder()
    operations_pb2_grpc.add_OperationsServicer_to_server(Operations(), transcoder)
    app = web.Application()
    app.add_subapp(prefix, transcoder.app())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            yield session
    finally:
        await runner.cleanup()


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
    async with mounted(prefix) as session, session.get(url) as answer:
        assert (answer.status, await answer.json()) == (200, {"name": name, "done": True})
