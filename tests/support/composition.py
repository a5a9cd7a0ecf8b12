"""Runs the service in the process of a test; with another servicer, in a process of its own."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from server import logs
from server.app import Application, Started
from server.config import Config
from zitadel import management_pb2_grpc


def config_of(data: Path, **settings: Any) -> Config:
    """Returns settings of a service on free ports that writes no access log."""
    free = "127.0.0.1:0"
    given = {"listen": free, "grpc_listen": free, "data_dir": data, "access_log": False}
    return Config(**{**given, **settings})


@asynccontextmanager
async def running(data: Path, **settings: Any) -> AsyncIterator[Started]:
    """Runs the service in this process, until the block ends."""
    application = Application(config_of(data, **settings))
    try:
        yield await application.start()
    finally:
        await application.stop()


async def serve(
    servicer: management_pb2_grpc.ManagementServiceServicer, data: Path, *, access_log: bool
) -> None:
    """Serve until SIGTERM, and drain.

    Prints one line of JSON once calls are answered: the addresses, "http" and "grpc", and a token
    of the owner's.
    """
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    log = logs.set_up("text")
    application = Application(config_of(data, access_log=access_log))
    try:
        with mock.patch("server.app.ManagementService", return_value=servicer):
            started = await application.start()
        assert started.owner is not None
        line = {"http": started.listen, "grpc": started.grpc_listen, "token": started.owner.token}
        print(json.dumps(line), flush=True)  # noqa: T201  whoever started this process reads it
        await asked.wait()
    finally:
        await application.stop()
        log.flush(1)
