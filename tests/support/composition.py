"""The real application with another servicer: its store, tokens, interceptors, protocols, drain."""

import asyncio
import json
import signal
from pathlib import Path
from unittest import mock

from server import logs
from server.app import Application
from server.config import Config
from zitadel import management_pb2_grpc


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
    free = "127.0.0.1:0"
    config = Config(listen=free, grpc_listen=free, data_dir=data, access_log=access_log)
    application = Application(config)
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
