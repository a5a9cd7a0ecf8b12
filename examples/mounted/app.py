"""An aiohttp application with a page, a middleware, and a gRPC service below `/api`."""

import argparse
import html
import sys
from typing import TypeAlias

import grpc
from aiohttp import web
from aiohttp.typedefs import Handler
from google.protobuf.message import Message
from notes_pb2 import AddNoteRequest, GetNoteRequest, Note
from notes_pb2_grpc import NotesServicer, add_NotesServicer_to_server

from transcoder import Transcoder

Context: TypeAlias = grpc.aio.ServicerContext[Message, Message]


class Notes(NotesServicer):
    """The service."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def AddNote(self, request: AddNoteRequest, context: Context) -> Note:
        self.texts.append(request.text)
        return Note(number=len(self.texts), text=request.text)

    async def GetNote(self, request: GetNoteRequest, context: Context) -> Note:
        if not 0 < request.number <= len(self.texts):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no note {request.number}")
        return Note(number=request.number, text=self.texts[request.number - 1])


@web.middleware
async def uncached(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keeps every answer out of caches."""
    response = await handler(request)
    response.headers["Cache-Control"] = "no-store"
    return response


def application() -> web.Application:
    notes = Notes()

    async def page(_: web.Request) -> web.Response:
        items = "".join(f"<li>{html.escape(text)}</li>" for text in notes.texts)
        return web.Response(text=f"<h1>Notes</h1><ol>{items}</ol>", content_type="text/html")

    app = web.Application(middlewares=[uncached])
    app.router.add_get("/", page)

    transcoder = Transcoder()
    add_NotesServicer_to_server(notes, transcoder)
    app.add_subapp("/api", transcoder.app())
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8081, help="default: %(default)s")
    options = parser.parse_args()
    try:
        # With handler_cancellation a client that leaves cancels its call.
        web.run_app(application(), host="127.0.0.1", port=options.port, handler_cancellation=True)
    except (OSError, OverflowError) as error:  # a port that cannot be had
        sys.exit(f"error: {error}")
