"""ASGI applications in real hosts, in the process of the test: uvicorn, hypercorn.

Knows how each host is started, and how it is asked to stop; not what it serves.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import uvicorn

STOP_S: Final = 20.0

Host = Callable[..., AbstractAsyncContextManager[str]]


@asynccontextmanager
async def by_uvicorn(application: Any, **options: Any) -> AsyncIterator[str]:
    """Serves on a free port of this host; yields the address."""
    config = uvicorn.Config(
        application, log_config=None, lifespan="on", timeout_graceful_shutdown=2, **options
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        assert not serving.done(), "uvicorn has not started"
        await asyncio.sleep(0.01)
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        async with asyncio.timeout(STOP_S):
            await serving


HOSTS: Final[Mapping[str, Host]] = {"uvicorn": by_uvicorn}
"""The hosts, by their names."""
