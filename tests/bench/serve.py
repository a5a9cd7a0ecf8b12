"""The servers that are no more than a measure: `python -m tests.bench.serve bare FOLDER`.

Each runs in a process of its own, prints one line of JSON with its addresses once it answers, and
ends on SIGTERM.
"""

import asyncio
import contextlib
import functools
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from unittest import mock

import grpc
import uvloop
from aiohttp import web
from google.protobuf.descriptor import ServiceDescriptor

from server.identity.permissions import required_permissions
from tests.bench import connect, fast, files, websocket
from tests.bench.callers import CONSTANT_JSON, constant_message
from tests.bench.streams import BARE_PATH, pieces
from tests.proto.echo_pb2_grpc import add_EchoServicer_to_server
from tests.proto.files_pb2_grpc import add_FilesServicer_to_server
from tests.support import composition
from tests.support.grpcweb_fixture import REPEAT, Echo
from transcoder import Transcoder
from zitadel import management_pb2, management_pb2_grpc


class Constant(management_pb2_grpc.ManagementServiceServicer):
    """Answers ReactivateAction with one message."""

    def __init__(self) -> None:
        self._answer = constant_message()

    async def ReactivateAction(
        self, request: management_pb2.ReactivateActionRequest, context: object
    ) -> management_pb2.ReactivateActionResponse:
        return self._answer


async def bare(folder: Path) -> None:
    """aiohttp alone: the baseline of all ratios."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(BARE_PATH):
            answer = web.StreamResponse()
            await answer.prepare(request)
            for piece in pieces(request.path.removeprefix(BARE_PATH)):
                await answer.write(piece)
            return answer
        if request.path == files.DOWNLOAD_PATH:
            return await files.send(request)
        if request.path == files.UPLOAD_PATH:
            return await files.receive(request)
        if request.path == websocket.BARE_PATH:
            return await _bare_socket(request)
        return web.Response(body=CONSTANT_JSON, content_type="application/json")

    runner = web.ServerRunner(web.Server(handler, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    await _until_asked({"http": f"{host}:{port}"})
    await runner.cleanup()


async def _bare_socket(request: web.BaseRequest) -> web.StreamResponse:
    """Sends the messages of a stream, as aiohttp does it without compression."""
    answer = web.WebSocketResponse(compress=False)
    await answer.prepare(request)
    await answer.receive()
    for message in websocket.messages():
        await answer.send_str(message)
    await answer.close(message=b"OK")
    return answer


async def native(folder: Path) -> None:
    """grpc.aio alone with a constant handler: what native gRPC cannot go below."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    management_pb2_grpc.add_ManagementServiceServicer_to_server(Constant(), server)
    add_EchoServicer_to_server(Echo(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await _until_asked({"grpc": f"127.0.0.1:{port}"})
    await server.stop(1)


async def proxy(folder: Path, upstream: str) -> None:
    """Serves the methods of a gRPC server."""
    await _transcode(Transcoder.proxy(upstream, files=[management_pb2.DESCRIPTOR]))


async def inprocess(folder: Path) -> None:
    """Serves the servicer by a Transcoder alone, without the interceptors of the service."""
    transcoder = Transcoder()
    management_pb2_grpc.add_ManagementServiceServicer_to_server(
        Constant(),
        transcoder,  # type: ignore[arg-type]  # has what they call
    )
    await _transcode(transcoder)


async def _transcode(transcoder: Transcoder) -> None:
    await _until_asked({"http": await transcoder.start("127.0.0.1:0")})
    await transcoder.stop()


async def connectrpc(folder: Path) -> None:
    """Serves the same servicer by connectrpc."""
    await _on_uvicorn(connect.Application(Constant().ReactivateAction))


async def fastapi(folder: Path) -> None:
    """Serves the same answer by FastAPI."""
    await _on_uvicorn(fast.application())


async def _on_uvicorn(application: Callable[..., Awaitable[None]]) -> None:
    server, listening = connect.server(application)
    host, port = listening.getsockname()
    print(json.dumps({"http": f"{host}:{port}"}), flush=True)
    await server.serve(sockets=[listening])  # it ends on SIGTERM by itself


async def constant(folder: Path, *, access_log: bool = False) -> None:
    """Everything of the service but the service, and streams beside it."""
    with _streams_beside():
        await composition.serve(Constant(), folder, access_log=access_log)


async def alone(folder: Path) -> None:
    """The same, whose port of JSON takes no gRPC."""
    with mock.patch("server.listeners.Listeners.pipes", return_value=None):
        await constant(folder)


@contextlib.contextmanager
def _streams_beside() -> Iterator[None]:
    """Have the composition register Echo and Files too, whose streams ask for a permission."""
    add = management_pb2_grpc.add_ManagementServiceServicer_to_server

    def add_both(servicer: Constant, server: grpc.aio.Server) -> None:
        add(servicer, server)
        add_EchoServicer_to_server(Echo(), server)
        add_FilesServicer_to_server(files.Depot(), server)

    def both(services: Iterable[ServiceDescriptor]) -> Mapping[str, str]:
        beside = dict.fromkeys((REPEAT, *files.METHODS), "org.action.read")
        return {**required_permissions(services), **beside}

    with (
        mock.patch("server.app.add_ManagementServiceServicer_to_server", add_both),
        mock.patch("server.app.required_permissions", both),
    ):
        yield


SERVERS: Final[Mapping[str, Callable[..., Awaitable[None]]]] = {
    "bare": bare,
    "native": native,
    "proxy": proxy,
    "inprocess": inprocess,
    "connectrpc": connectrpc,
    "fastapi": fastapi,
    "constant": constant,
    "alone": alone,
    "logged": functools.partial(constant, access_log=True),
}


async def _until_asked(addresses: Mapping[str, str]) -> None:
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    print(json.dumps(addresses), flush=True)
    await asked.wait()


async def main(name: str, folder: Path, *given: str) -> None:
    await SERVERS[name](folder, *given)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
