"""files.v1.Files: bodies that are no JSON, both ways; and a step of what to ask it, for tables."""

import functools
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from google.api.httpbody_pb2 import HttpBody
from yarl import URL

from tests.proto import files_pb2_grpc
from tests.proto.files_pb2 import Asked, Form, Got, Held
from tests.support.transcoder_client import client_of
from transcoder import Limits, Transcoder
from transcoder.errors import CODE_BY_NUMBER

PIECE: Final = bytes(range(256))


def content(size: int) -> bytes:
    """Bytes of every value, line breaks among them."""
    return (PIECE * (size // len(PIECE) + 1))[:size]


class Files(files_pb2_grpc.FilesServicer):
    """Sends what it is asked for, and tells what it got."""

    async def Get(self, request: Asked, context: Any) -> Any:
        await begin(request, context)
        await end(request, context)
        return HttpBody(content_type=request.content_type, data=content(request.size))

    async def GetHeld(self, request: Asked, context: Any) -> Any:
        return Held(name="n", file=await self.Get(request, context))

    async def Download(self, request: Asked, context: Any) -> Any:
        await begin(request, context)
        content_type = request.content_type
        for _ in range(request.pieces):
            yield HttpBody(content_type=content_type, data=content(request.size))
            content_type = "of/later-pieces"  # which counts for nothing
        await end(request, context)

    async def DownloadHeld(self, request: Asked, context: Any) -> Any:
        async for body in self.Download(request, context):
            yield Held(file=body)

    async def NoRule(self, request: Any, context: Any) -> Any:
        return request

    async def Put(self, request: Any, context: Any) -> Got:
        return await gathered([request])

    async def PutHeld(self, request: Held, context: Any) -> Got:
        return await gathered([request])

    async def Upload(self, request_iterator: Any, context: Any) -> Got:
        return await gathered(request_iterator)

    async def UploadHeld(self, request_iterator: Any, context: Any) -> Got:
        return await gathered(request_iterator)

    async def Echo(self, request_iterator: Any, context: Any) -> Any:
        async for request in request_iterator:
            yield request

    async def Fill(self, request: Form, context: Any) -> Form:
        return request

    async def Write(self, request: Asked, context: Any) -> Asked:
        return request


async def begin(request: Asked, context: Any) -> None:
    if request.metadata:
        pairs = (text.partition("=") for text in request.metadata)
        await context.send_initial_metadata([(name, value) for name, _, value in pairs])


async def end(request: Asked, context: Any) -> None:
    if request.code:
        await context.abort(CODE_BY_NUMBER[request.code], "as asked")


async def gathered(requests: Any) -> Got:
    """Tells what the requests, pieces of one body, have in them."""
    got, digest = Got(), hashlib.sha256()
    async for request in _each(requests):
        body = request if isinstance(request, HttpBody) else request.file
        if isinstance(request, Held):
            got.name, got.note = request.name, request.note
        got.content_type = body.content_type
        got.pieces += 1
        got.size += len(body.data)
        got.largest = max(got.largest, len(body.data))
        digest.update(body.data)
    got.sha256 = digest.hexdigest()
    return got


async def _each(requests: Any) -> AsyncIterator[Any]:
    if isinstance(requests, list):
        for request in requests:
            yield request
        return
    async for request in requests:
        yield request


@functools.cache
def registered(*, strict: bool = False, limits: Limits = Limits()) -> Transcoder:  # noqa: B008  frozen
    transcoder = Transcoder(strict=strict, limits=limits)
    files_pb2_grpc.add_FilesServicer_to_server(Files(), transcoder)  # type: ignore[arg-type]  # has what they call
    return transcoder


@dataclass(frozen=True, slots=True)
class Sent:
    """A request with any body, and the answer to it.

    Attributes:
        expected: the body of the answer.
        has: headers of the answer, among others; a value of None is a header that it has not.
        is_cut: True if the connection closes in the middle of the answer.
    """

    request: str
    expected: bytes | str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    has: Mapping[str, str | None] = field(default_factory=dict)
    is_cut: bool = False
    strict: bool = False
    limits: Limits = Limits()  # noqa: RUF009  frozen

    async def __call__(self) -> None:
        verb, _, target = self.request.partition(" ")
        async with (
            client_of(registered(strict=self.strict, limits=self.limits)) as session,
            session.request(
                verb,
                URL(target, encoded=True),
                data=self.body,
                headers={"Accept-Encoding": "identity", **self.headers},
                skip_auto_headers=["Content-Type"],
            ) as answer,
        ):
            got = b""
            is_cut = False
            try:
                async for piece in answer.content.iter_any():
                    got += piece
            except aiohttp.ClientPayloadError:
                is_cut = True
            expected = self.expected if isinstance(self.expected, bytes) else self.expected.encode()
            assert (answer.status, got, is_cut) == (self.status, expected, self.is_cut), self
            for name, value in self.has.items():
                assert answer.headers.get(name) == value, name
