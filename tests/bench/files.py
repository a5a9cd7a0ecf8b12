"""Measures files that come and go as streams of HttpBody, against bare aiohttp."""

import functools
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web
from google.api.httpbody_pb2 import HttpBody

from tests.bench.callers import http_request
from tests.bench.ratios import cpu
from tests.bench.servers import Servers
from tests.bench.work import Open, Work, http
from tests.proto.files_pb2 import Asked, Got
from tests.proto.files_pb2_grpc import FilesServicer

PIECE_BYTES: Final = 64 << 10
PIECES: Final = 4096
PREFIX: Final = "/management/v1"
DOWNLOAD_PATH: Final = f"/v1/downloads/{PIECE_BYTES}"
UPLOAD_PATH: Final = "/v1/uploads"
METHODS: Final = ("/files.v1.Files/Download", "/files.v1.Files/Upload")
ASKED: Final = 1.5

_PIECE: Final = bytes(range(256)) * (PIECE_BYTES // 256)
_TYPE: Final = "application/x-tar"


class Depot(FilesServicer):
    """Sends a file of 256 MiB, and counts the bytes of one."""

    async def Download(self, request: Asked, context: Any) -> AsyncIterator[Any]:
        for _ in range(PIECES):
            yield HttpBody(content_type=_TYPE, data=_PIECE)

    async def Upload(self, request_iterator: Any, context: Any) -> Got:
        size = 0
        async for request in request_iterator:
            size += len(request.data)
        return Got(size=size)


async def send(request: web.BaseRequest) -> web.StreamResponse:
    """Sends the same file by aiohttp alone."""
    answer = web.StreamResponse(headers={"Content-Type": _TYPE})
    await answer.prepare(request)
    for _ in range(PIECES):
        await answer.write(_PIECE)
    return answer


async def receive(request: web.BaseRequest) -> web.Response:
    """Counts the bytes of a file by aiohttp alone."""
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
    return web.json_response({"size": str(size)})


class Downloading:
    """Asks for a file, each byte of which must be there."""

    def __init__(self, token: str, path: str) -> None:
        self._request = http_request(path, token=token, body=b"", verb="GET")
        self._checksum = 0
        for _ in range(PIECES):
            self._checksum = zlib.crc32(_PIECE, self._checksum)

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return zlib.crc32(body) == self._checksum


class Uploading:
    """Sends a file, whose size must be told."""

    def __init__(self, token: str, path: str) -> None:
        self._request = http_request(path, token=token, body=_PIECE * PIECES)

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return bool(json.loads(body)["size"] == str(PIECES * PIECE_BYTES))


def _download(servers: Servers, name: str, *, prefix: str = "") -> Open:
    target = servers.target(name)
    return http(target.http, [Downloading(target.token, prefix + DOWNLOAD_PATH)])


def _upload(servers: Servers, name: str, *, prefix: str = "") -> Open:
    target = servers.target(name)
    return http(target.http, [Uploading(target.token, prefix + UPLOAD_PATH)])


FILES: Final = tuple(
    work
    for what, prepare in (("download", _download), ("upload", _upload))
    for work in (
        Work(
            what,
            f"HttpBody, {what} of 256 MiB, all interceptors (each 64 KiB)",
            "constant",
            functools.partial(prepare, prefix=PREFIX),
            PIECES,
        ),
        Work(
            f"{what}-bare",
            f"... bare aiohttp, the same {what} (each 64 KiB)",
            "bare",
            prepare,
            PIECES,
        ),
    )
)

RATIOS: Final = tuple(
    cpu(what, f"CPU, {what} of HttpBody to bare", what, f"{what}-bare", asked=ASKED)
    for what in ("download", "upload")
)
