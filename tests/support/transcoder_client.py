"""Serves a Transcoder on a free port, to a client of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from transcoder import Transcoder


@asynccontextmanager
async def client_of(transcoder: Transcoder) -> AsyncIterator[aiohttp.ClientSession]:
    address = await transcoder.start("127.0.0.1:0")
    try:
        async with aiohttp.ClientSession(f"http://{address}") as client:
            yield client
    finally:
        await transcoder.stop()
