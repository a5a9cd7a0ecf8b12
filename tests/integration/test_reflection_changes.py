"""A transcoder in front of a server whose services change while it serves."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator

import aiohttp
import grpc
import pytest

from tests.support.grpc_frames import framed, split_frame
from tests.support.told_services import Teller, service_file, told
from tests.support.transcoder_client import client_of
from tests.support.waiting import until_async
from transcoder import OpenApi, Transcoder

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD = told({"w.S": service_file("w.S", {"Get": "/v1/{name}", "Gone": "/gone/{name}"})})
NEW = told({"w.S": service_file("w.S", {"Get": "/v1/{name}", "Added": "/added/{name}"})})
CLASHING = told({"w.S": service_file("w.S", {"Get": "/v1/{name}", "Added": "/v1/{name}"})})


class Proxied:
    """A client of a transcoder in front of a server."""

    def __init__(
        self, teller: Teller, transcoder: Transcoder, client: aiohttp.ClientSession
    ) -> None:
        self.teller = teller
        self.transcoder = transcoder
        self._client = client

    async def get(self, path: str) -> tuple[int, str]:
        async with self._client.get(path) as answer:
            return answer.status, await answer.text()

    async def status(self, path: str) -> int:
        return (await self.get(path))[0]

    async def becomes(self, path: str, status: int) -> None:
        async with asyncio.timeout(30):
            while await self.status(path) != status:
                await asyncio.sleep(0.02)

    async def by_grpc_web(self, method: str) -> str:
        """Returns the trailers of a call."""
        headers = {"Content-Type": "application/grpc-web+proto"}
        async with self._client.post(method, data=framed(b""), headers=headers) as answer:
            return split_frame(await answer.read())[1].decode()


@contextlib.asynccontextmanager
async def proxied() -> AsyncIterator[Proxied]:
    teller = Teller(OLD)
    await teller.start()
    transcoder = Transcoder.proxy(teller.target, openapi=OpenApi())
    try:
        async with client_of(transcoder) as client:
            made = Proxied(teller, transcoder, client)
            await made.becomes("/readyz", 200)
            yield made
    finally:
        await teller.stop()


async def test_methods_are_added_and_removed_at_a_reload() -> None:
    async with proxied() as proxy:
        assert await proxy.get("/v1/pen") == (200, '{"name":"pen"}')
        assert await proxy.status("/added/pen") == 404
        assert "/gone/{name}" in (await proxy.get("/openapi.json"))[1]
        proxy.teller.answers = NEW
        proxy.transcoder.reload()
        await proxy.becomes("/added/pen", 200)
        assert await proxy.status("/v1/pen") == 200
        assert await proxy.status("/gone/pen") == 404
        assert "grpc-status:12" in (await proxy.by_grpc_web("/w.S/Gone")).replace(" ", "")
        document = (await proxy.get("/openapi.json"))[1]
        assert "/added/{name}" in document
        assert "/gone/{name}" not in document


async def test_a_call_in_flight_ends_as_it_began() -> None:
    async with proxied() as proxy:
        call = asyncio.create_task(proxy.get("/gone/held"))
        await proxy.teller.is_held.wait()
        proxy.teller.answers = NEW
        proxy.transcoder.reload()
        await proxy.becomes("/gone/pen", 404)
        proxy.teller.may_end.set()
        assert await call == (200, '{"name":"held"}')


async def test_a_server_that_comes_back_is_asked_again() -> None:
    async with proxied() as proxy:
        await proxy.teller.stop()
        proxy.teller.answers = NEW
        await proxy.teller.start()
        await proxy.becomes("/added/pen", 200)
        assert await proxy.status("/gone/pen") == 404


async def test_services_stay_while_a_reading_fails(caplog: pytest.LogCaptureFixture) -> None:
    async with proxied() as proxy:
        caplog.set_level(logging.WARNING, "transcoder")
        proxy.teller.answers = CLASHING
        proxy.transcoder.reload()
        await until_async(
            lambda: "w.S.Added: GET /v1/{name} is the same route as w.S.Get" in caplog.text
        )
        assert await proxy.status("/gone/pen") == 200
        assert await proxy.status("/readyz") == 200
        proxy.teller.answers = NEW
        await proxy.becomes("/added/pen", 200)  # it is asked again by itself


async def test_sighup_reads_the_services_again(caplog: pytest.LogCaptureFixture) -> None:
    teller = Teller(OLD)
    await teller.start()
    caplog.set_level(logging.INFO, "transcoder")
    before = signal.getsignal(signal.SIGHUP)
    serving = asyncio.create_task(Transcoder.proxy(teller.target).serve("127.0.0.1:0"))
    try:
        await until_async(lambda: f"serving w.S of {teller.target}" in caplog.text)
        os.kill(os.getpid(), signal.SIGHUP)
        same = f"the services of {teller.target} are the same as before"
        await until_async(lambda: same in caplog.text)
    finally:
        serving.cancel()
        await asyncio.wait((serving,))
        await teller.stop()
    assert signal.getsignal(signal.SIGHUP) is before


async def test_a_channel_that_its_owner_closed_is_not_watched_any_more() -> None:
    teller = Teller(OLD)
    await teller.start()
    channel = grpc.aio.insecure_channel(teller.target)
    transcoder = Transcoder.proxy(channel)
    try:
        async with client_of(transcoder) as client:
            proxy = Proxied(teller, transcoder, client)
            await proxy.becomes("/readyz", 200)
            await channel.close()
            await until_async(lambda: channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN)
            assert await proxy.status("/readyz") == 200
    finally:
        await teller.stop()
