"""Serves a page with an upload, live news and a chat; all of them are kept in memory only.

The servicer is one of grpc.aio, which serves it too.
"""

import argparse
import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import grpc
from aiohttp import web
from board_pb2 import ChatMessage, News, UploadRequest, UploadResponse, WatchRequest
from board_pb2_grpc import BoardServicer, add_BoardServicer_to_server
from google.protobuf.message import Message

from transcoder import EventOptions, Transcoder

Context: TypeAlias = grpc.aio.ServicerContext[Message, Message]

PAGE = Path(__file__).with_name("index.html")
QUEUED_MAX = 100
"""Messages that wait for somebody who reads slowly; more are lost for them."""


class Board(BoardServicer):
    """The service."""

    def __init__(self) -> None:
        self._news: list[News] = []
        self._more_news = asyncio.Event()
        self._chat: set[asyncio.Queue[ChatMessage | None]] = set()

    async def Upload(
        self, request_iterator: AsyncIterator[UploadRequest], context: Context
    ) -> UploadResponse:
        uploaded, digest = UploadResponse(), hashlib.sha256()
        async for request in request_iterator:
            uploaded.name, uploaded.content_type = request.name, request.file.content_type
            uploaded.size += len(request.file.data)
            digest.update(request.file.data)
        uploaded.sha256 = digest.hexdigest()
        self._tell(f"{uploaded.name} has {uploaded.size} bytes")
        return uploaded

    async def Watch(self, request: WatchRequest, context: Context) -> AsyncIterator[News]:
        # The number that a browser has seen, when it connects again.
        seen = int(dict(context.invocation_metadata() or ()).get("last-event-id", 0))
        while True:
            while seen < len(self._news):
                yield self._news[seen]
                seen += 1
            await self._more_news.wait()

    async def Chat(self, request_iterator: AsyncIterator[ChatMessage], context: Context) -> None:
        queue: asyncio.Queue[ChatMessage | None] = asyncio.Queue(QUEUED_MAX)
        self._chat.add(queue)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_write_all(queue, context))
                async for said in request_iterator:
                    for each in self._chat:
                        if not each.full():
                            each.put_nowait(said)
                await queue.put(None)
        finally:
            self._chat.discard(queue)

    def _tell(self, text: str) -> None:
        self._news.append(News(number=len(self._news) + 1, text=text))
        self._more_news.set()
        self._more_news = asyncio.Event()


async def _write_all(queue: asyncio.Queue[ChatMessage | None], context: Context) -> None:
    while (said := await queue.get()) is not None:
        await context.write(said)


def application(native: str) -> web.Application:
    """Returns the page at "/" and the service below "/api"; it serves gRPC while it runs."""
    board = Board()

    async def page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE)

    async def grpc_server(_: web.Application) -> AsyncIterator[None]:
        # Without the option a second server would start, and share the port.
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_BoardServicer_to_server(board, server)
        port = server.add_insecure_port(native)
        await server.start()
        print(f"gRPC on port {port}", flush=True)
        yield
        await server.stop(grace=1)

    app = web.Application()
    app.router.add_get("/", page)
    app.cleanup_ctx.append(grpc_server)
    transcoder = Transcoder(events=EventOptions(ids={"board.v1.Board.Watch": "number"}))
    add_BoardServicer_to_server(board, transcoder)
    app.add_subapp("/api", transcoder.app())
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8083, help="default: %(default)s")
    parser.add_argument("--grpc", default="127.0.0.1:50051", help="default: %(default)s")
    options = parser.parse_args()
    try:
        web.run_app(
            application(options.grpc),
            host="127.0.0.1",
            port=options.port,
            handler_cancellation=True,  # a client that leaves cancels its call
            shutdown_timeout=1,  # s; news have no end
        )
    except (OSError, OverflowError, RuntimeError) as error:  # an address that cannot be had
        sys.exit(f"error: {error}")
