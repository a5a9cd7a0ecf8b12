"""The servers that are no more than a measure: `python -m tests.bench.serve bare`.

Each runs in a process of its own, prints one line of JSON with its addresses once it answers, and
ends on SIGTERM.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping

import grpc
import uvloop
from aiohttp import web

from tests.bench.callers import CONSTANT_JSON, constant_message
from zitadel import management_pb2, management_pb2_grpc

Stop = Callable[[], Awaitable[None]]


async def bare() -> tuple[Mapping[str, str], Stop]:
    """aiohttp alone: the baseline of all ratios."""

    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(body=CONSTANT_JSON, content_type="application/json")

    runner = web.ServerRunner(web.Server(handler, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return {"http": f"{host}:{port}"}, runner.cleanup


class Constant(management_pb2_grpc.ManagementServiceServicer):
    """Answers ReactivateAction with one message."""

    def __init__(self) -> None:
        self._answer = constant_message()

    async def ReactivateAction(
        self,
        request: management_pb2.ReactivateActionRequest,
        context: object,
    ) -> management_pb2.ReactivateActionResponse:
        return self._answer


async def native() -> tuple[Mapping[str, str], Stop]:
    """grpc.aio alone, a constant handler: what native gRPC cannot go below."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    management_pb2_grpc.add_ManagementServiceServicer_to_server(Constant(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return {"grpc": f"127.0.0.1:{port}"}, lambda: server.stop(1)


SERVERS = {"bare": bare, "native": native}


async def serve(name: str) -> None:
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    addresses, stop = await SERVERS[name]()
    print(json.dumps(addresses), flush=True)
    await asked.wait()
    await stop()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
