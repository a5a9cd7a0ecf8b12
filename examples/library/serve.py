"""Serves a library as JSON, gRPC-Web and gRPC from one process; the books are kept in memory only.

The servicer and the interceptor are those of a server with grpc.aio alone.
"""

import argparse
import asyncio
import hmac
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf import any_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.rpc.code_pb2 import FAILED_PRECONDITION
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status
from library_pb2 import (
    AddBookRequest,
    Book,
    CountBooksRequest,
    CountBooksResponse,
    GetBookRequest,
    LendBookRequest,
    ListBooksRequest,
    ListBooksResponse,
    RemoveBookRequest,
    UpdateBookRequest,
)
from library_pb2_grpc import LibraryServicer, add_LibraryServicer_to_server

from transcoder import OpenApi, SchemaError, Transcoder

Context: TypeAlias = grpc.aio.ServicerContext[Message, Message]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]

SERVICE = "library.v1.Library"
WRITES = {f"/{SERVICE}/{name}" for name in ("AddBook", "UpdateBook", "LendBook", "RemoveBook")}
FIELDS = {field.name for field in Book.DESCRIPTOR.fields}
DOCUMENT = OpenApi(
    title="Library",
    security={"key": {"type": "http", "scheme": "bearer"}},
    public_methods=[f"{SERVICE}.{name}" for name in ("GetBook", "ListBooks", "CountBooks")],
)


class Library(LibraryServicer):
    """The service."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._last_id = 0

    async def AddBook(self, request: AddBookRequest, context: Context) -> Book:
        if not request.book.title:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "book.title: expected a text")
        self._last_id += 1
        book = request.book
        book.id = str(self._last_id)
        self._books[book.id] = book
        created = (("x-http-code", "201"), ("location", f"/v1/books/{book.id}"))
        await context.send_initial_metadata(created)
        return book

    async def GetBook(self, request: GetBookRequest, context: Context) -> Book:
        return await self._book(request.id, context)

    async def ListBooks(self, request: ListBooksRequest, context: Context) -> ListBooksResponse:
        books = [
            book
            for book in self._books.values()
            if request.author in ("", book.author)
            and (not request.genres or book.genre in request.genres)
            and book.pages >= request.pages_min
        ]
        return ListBooksResponse(books=books)

    async def UpdateBook(self, request: UpdateBookRequest, context: Context) -> Book:
        if not FIELDS.issuperset(request.update_mask.paths):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "update_mask: no field of a book")
        book = await self._book(request.book.id, context)
        request.update_mask.MergeMessage(request.book, book)
        return book

    async def LendBook(self, request: LendBookRequest, context: Context) -> Book:
        if not request.reader:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "reader: expected a name")
        book = await self._book(request.id, context)
        if book.reader:
            detail = any_pb2.Any()
            detail.Pack(ErrorInfo(reason="LENT", domain=SERVICE, metadata={"reader": book.reader}))
            status = Status(code=FAILED_PRECONDITION, message="book is lent", details=[detail])
            await context.abort_with_status(rpc_status.to_status(status))
        book.reader = request.reader
        book.due_at.CopyFrom(request.due_at)
        return book

    async def RemoveBook(self, request: RemoveBookRequest, context: Context) -> Empty:
        await self._book(request.id, context)
        del self._books[request.id]
        return Empty()

    async def CountBooks(self, request: CountBooksRequest, context: Context) -> CountBooksResponse:
        lent = sum(bool(book.reader) for book in self._books.values())
        return CountBooksResponse(books=len(self._books), lent=lent)

    async def _book(self, id: str, context: Context) -> Book:
        if id not in self._books:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no book {id!r}")
        return self._books[id]


class LibrariansWrite(grpc.aio.ServerInterceptor):
    """Everybody may read; what changes the library asks for the librarians' key."""

    def __init__(self, key: str) -> None:
        self._expected = f"Bearer {key}".encode()

    async def intercept_service(
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> Handler:
        given = str(dict(details.invocation_metadata).get("authorization", ""))
        if details.method not in WRITES or hmac.compare_digest(given.encode(), self._expected):
            return await continuation(details)
        return grpc.stream_unary_rpc_method_handler(_refuse)


async def _refuse(_: object, context: Context) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "expected the librarians' key")


async def serve(http: str, native: str, key: str) -> None:
    interceptors = [LibrariansWrite(key)]
    library = Library()

    transcoder = Transcoder(interceptors=interceptors, openapi=DOCUMENT)
    # Without the option a second server would start, and share the port.
    server = grpc.aio.server(interceptors=interceptors, options=[("grpc.so_reuseport", 0)])
    for each in (transcoder.at("/v1"), server):
        add_LibraryServicer_to_server(library, each)

    reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), server)
    port = server.add_insecure_port(native)
    await server.start()
    print(f"gRPC on port {port}", flush=True)
    try:
        await transcoder.serve(http)  # until SIGTERM or SIGINT
    finally:
        await server.stop(grace=10)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--http", default="127.0.0.1:8080", help="default: %(default)s")
    parser.add_argument("--grpc", default="127.0.0.1:50051", help="default: %(default)s")
    parser.add_argument("--key", default="secret", help="the librarians'; default: %(default)s")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        asyncio.run(serve(options.http, options.grpc, options.key))
    except (OSError, RuntimeError, SchemaError) as error:  # an address that cannot be had
        sys.exit(f"error: {error}")
