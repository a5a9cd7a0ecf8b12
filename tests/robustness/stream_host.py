"""echo.v1.Echo and files.v1.Files on a free port, in a process that counts its calls.

`stream_host transcoder` serves them by a Transcoder, `stream_host grpc` by grpc.aio, and
`stream_host proxy --upstream ADDRESS` forwards calls to the latter. Prints its address, and a line
of JSON at each SIGUSR1: the fields of `Census`. All but `grpc` run under uvloop, as advised.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import grpc
import uvloop

from tests.proto import echo_pb2, echo_pb2_grpc, files_pb2, files_pb2_grpc
from tests.proto.echo_pb2 import EchoReply, EchoRequest
from tests.support.files_fixture import Files
from tests.support.grpcweb_fixture import Echo
from transcoder import Limits, Transcoder

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 10_000),
)
"""Options of grpc.aio, which would cancel some of more than 1,000 calls that begin at once."""


@dataclass(slots=True)
class Census:
    """The calls of a process.

    Attributes:
        begun: handlers that were called.
        cancelled: those that were cancelled.
        ended: those that are over, cancelled ones too.
        ended_at: `time.monotonic()` of all processes, when the last one was over.
        tasks: of the event loop, now.
    """

    begun: int = 0
    cancelled: int = 0
    ended: int = 0
    ended_at: float = 0.0
    tasks: int = 0

    @asynccontextmanager
    async def noted(self, context: object) -> AsyncIterator[None]:
        self.begun += 1
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.ended += 1
            self.ended_at = time.monotonic()


Around = Callable[[Any], AbstractAsyncContextManager[None]]
"""Returns what a call runs in, by its context."""


def _around(handler: Any, around: Around) -> Any:
    """Returns a handler whose calls run in something."""
    kinds = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
    kind = next(each for each in kinds if getattr(handler, each) is not None)
    function = getattr(handler, kind)

    async def call(request: object, context: object) -> object:
        async with around(context):
            return await function(request, context)

    async def stream(request: object, context: object) -> AsyncIterator[object]:
        async with around(context), contextlib.aclosing(function(request, context)) as responses:
            async for response in responses:
                yield response

    return handler._replace(**{kind: stream if kind.endswith("_stream") else call})


class Counting(grpc.aio.ServerInterceptor):
    """Counts the calls of all handlers."""

    def __init__(self, census: Census) -> None:
        self._census = census

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        return _around(await continuation(details), self._census.noted)


class Busy(grpc.aio.ServerInterceptor):
    """Lets calls take turns at what takes its time, and refuses those beyond a number in flight."""

    def __init__(self, calls_max: int, *, at_once: int, call_s: float) -> None:
        """Sets how many calls may be in flight, how many run at once, and how long one takes."""
        self._places = calls_max
        self._turns = asyncio.Semaphore(at_once)
        self._call_s = call_s

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        return _around(await continuation(details), self._turn)

    @asynccontextmanager
    async def _turn(self, context: Any) -> AsyncIterator[None]:
        if not self._places:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls in flight")
        self._places -= 1
        try:
            async with self._turns:
                await asyncio.sleep(self._call_s)
            yield
        finally:
            self._places += 1


class Summing(Echo):
    """Sums up a stream of requests: their number, and the SHA-256 of names and payloads."""

    async def Count(self, request_iterator: AsyncIterator[EchoRequest], context: Any) -> EchoReply:
        digest, number = hashlib.sha256(), 0
        async for request in request_iterator:
            number += 1
            digest.update(request.name.encode() + request.payload)
        return EchoReply(name=digest.hexdigest(), index=number)


def _register(server: Any) -> None:
    echo_pb2_grpc.add_EchoServicer_to_server(Summing(), server)
    files_pb2_grpc.add_FilesServicer_to_server(Files(), server)


@asynccontextmanager
async def _serving(arguments: argparse.Namespace, census: Census) -> AsyncIterator[str]:
    interceptors: list[grpc.aio.ServerInterceptor] = [Counting(census)]
    if arguments.calls_max:
        at_once, call_s = arguments.at_once, arguments.call_s
        interceptors.append(Busy(arguments.calls_max, at_once=at_once, call_s=call_s))
    if arguments.kind == "grpc":
        server = grpc.aio.server(interceptors=interceptors, options=_OPTIONS)
        _register(server)
        port = server.add_insecure_port(f"127.0.0.1:{arguments.port}")
        await server.start()
        yield f"127.0.0.1:{port}"
        return
    limits = Limits(write_timeout_s=arguments.write_timeout_s)
    if arguments.kind == "proxy":
        files = [echo_pb2.DESCRIPTOR, files_pb2.DESCRIPTOR]
        transcoder = Transcoder.proxy(arguments.upstream, files=files, limits=limits)
    else:
        transcoder = Transcoder(interceptors=interceptors, limits=limits)
        _register(transcoder)
    yield await transcoder.start("127.0.0.1:0")


async def main(arguments: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    census = Census()

    def tell() -> None:
        census.tasks = len(asyncio.all_tasks())
        print(json.dumps(asdict(census)), flush=True)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    async with _serving(arguments, census) as address:
        print(address, flush=True)
        await asyncio.Event().wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["transcoder", "grpc", "proxy"])
    parser.add_argument("--upstream", default="", help="of a proxy")
    parser.add_argument("--port", type=int, default=0, help="of grpc")
    parser.add_argument("--calls-max", type=int, default=0, help="in flight; 0 for any number")
    parser.add_argument("--at-once", type=int, default=1, help="of --calls-max")
    parser.add_argument("--call-s", type=float, default=0.0, help="of --calls-max")
    parser.add_argument("--write-timeout-s", type=float, default=Limits().write_timeout_s)
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    run = asyncio.run if given.kind == "grpc" else uvloop.run
    run(main(given))
