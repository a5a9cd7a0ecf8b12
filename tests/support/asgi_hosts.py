"""ASGI applications in real hosts, in the process of the test: uvicorn, hypercorn, granian.

Knows how each host is started, and how it is asked to stop; not what it serves.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import hypercorn.asyncio
import uvicorn
from granian.constants import Interfaces
from granian.server.embed import Server as Granian

GRACE_S: Final = 2
"""Seconds for calls in flight when a host stops."""
STOP_S: Final = 20.0

Host = Callable[[Any], AbstractAsyncContextManager[str]]
"""Serves on a free port of this machine; yields the address."""


@asynccontextmanager
async def by_uvicorn(application: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(
        application, log_config=None, lifespan="on", timeout_graceful_shutdown=GRACE_S
    )
    server = uvicorn.Server(config)
    listening, address = _listening()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await _answered(address, serving)
    try:
        yield address
    finally:
        server.should_exit = True
        async with asyncio.timeout(STOP_S):
            await serving


@asynccontextmanager
async def by_hypercorn(application: Any) -> AsyncIterator[str]:
    listening, address = _listening()
    config = hypercorn.Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.graceful_timeout = GRACE_S
    stopping = asyncio.Event()
    serve: Any = hypercorn.asyncio.serve
    serving = asyncio.create_task(serve(application, config, shutdown_trigger=stopping.wait))
    await _answered(address, serving)
    try:
        yield address
    finally:
        stopping.set()
        async with asyncio.timeout(STOP_S):
            await serving


@asynccontextmanager
async def by_granian(application: Any) -> AsyncIterator[str]:
    listening, address = _listening()
    port = listening.getsockname()[1]
    listening.close()  # it binds the port itself
    server: Any = Granian(application, port=port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    await _answered(address, serving)
    try:
        yield address
    finally:
        server.stop()
        async with asyncio.timeout(STOP_S):
            await serving


def _listening() -> tuple[socket.socket, str]:
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, f"127.0.0.1:{listening.getsockname()[1]}"


async def _answered(address: str, serving: "asyncio.Task[None]") -> None:
    """Waits until a host answers, which is after the lifespan has started."""
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(STOP_S):
        while not serving.done():
            try:
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
                answered = await reader.read(1)
                writer.close()
            except OSError:
                answered = b""
            if answered:
                return
            await asyncio.sleep(0.02)
    await serving


HOSTS: Final[Mapping[str, Host]] = {
    "uvicorn": by_uvicorn,
    "hypercorn": by_hypercorn,
    "granian": by_granian,
}
"""The hosts, by their names."""
