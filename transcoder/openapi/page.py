"""Serves Swagger UI, a page that shows the OpenAPI document and makes calls.

Follows docs/openapi.md "The page", and Content Security Policy Level 3.
Rule 1: every file is in the folder `swagger_ui`, so nothing is asked of another host.
Rule 2: the page has no script and no style in its HTML, and its policy allows none there, so no
text of a document can run.
Rule 3: links are relative, as the page may be mounted below a path.
"""

import asyncio
import gzip
import html
from collections.abc import Collection, Iterator, Sequence
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from transcoder.http.encodings import GZIP, preferred
from transcoder.http.entity_tags import entity_tag, has_current
from transcoder.http.offload import Offload
from transcoder.http.plain import PlainAnswer, PlainHandler, PlainRequest
from transcoder.http.unserved_paths import HTML
from transcoder.options import OpenApi

PAGE_PATH: Final = "/docs"
VERSION: Final = "5.35.0"
"""The version of Swagger UI (transcoder/openapi/swagger_ui/README.md)."""
FOLDER_PATH: Final = f"{PAGE_PATH}/swagger-ui-{VERSION}"
"""The path of its files, another one for each version, so that browsers may keep them."""

_FILES: Final = files(__package__) / "swagger_ui"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_STYLE: Final = "text/css; charset=utf-8"
_PACKED: Final = (("swagger-ui-bundle.js", _SCRIPT), ("swagger-ui.css", _STYLE))
_START: Final = "start.js"

_KEEP: Final = ("Cache-Control", "public, max-age=31536000, immutable")
_ASK_AGAIN: Final = ("Cache-Control", "no-cache")
_NO_SNIFFING: Final = ("X-Content-Type-Options", "nosniff")

_OK: Final = 200
_NOT_MODIFIED: Final = 304


def page_handlers(
    options: OpenApi, offload: Offload, always: Collection[str]
) -> Iterator[tuple[str, PlainHandler]]:
    """Yields the paths of the page and of its files, with their handlers.

    Args:
        options: of the document.
        offload: inflates files for clients that do not accept gzip.
        always: names of headers that every answer has, whose Cache-Control counts here too.
    """
    is_free = "cache-control" not in {name.lower() for name in always}
    ask_again, keep = ((_ASK_AGAIN,), (_KEEP,)) if is_free else ((), ())
    policy = ("Content-Security-Policy", _policy(options.servers))
    about_page = (policy, ("Referrer-Policy", "no-referrer"), *ask_again)
    yield PAGE_PATH, _Static(_page(options.title), HTML, about_page).answer
    start = (_FILES / _START).read_bytes()
    yield f"{FOLDER_PATH}/{_START}", _Static(start, _SCRIPT, ask_again).answer
    for name, content_type in _PACKED:
        packed = (_FILES / f"{name}.gz").read_bytes()
        yield f"{FOLDER_PATH}/{name}", _Packed(packed, content_type, keep, offload).answer


class _Static:
    """A small file, as it is."""

    def __init__(self, body: bytes, content_type: str, headers: Sequence[tuple[str, str]]) -> None:
        self._body = body
        self._tag = entity_tag(body)
        self._type = ("Content-Type", content_type)
        self._headers = (("ETag", self._tag), _NO_SNIFFING, *headers)

    async def answer(self, request: PlainRequest) -> PlainAnswer:
        """Answers with the file, or with 304 if the client has it."""
        if has_current(request.headers, self._tag):
            return PlainAnswer(_NOT_MODIFIED, headers=self._headers)
        return PlainAnswer(_OK, self._body, (self._type, *self._headers))


class _Packed:
    """A large file, which is kept compressed by gzip."""

    def __init__(
        self,
        packed: bytes,
        content_type: str,
        headers: Sequence[tuple[str, str]],
        offload: Offload,
    ) -> None:
        self._packed = packed
        self._offload = offload
        self._inflated = b""
        self._inflating = asyncio.Lock()
        self._tag = entity_tag(packed)
        self._type = ("Content-Type", content_type)
        self._headers = (("ETag", self._tag), _NO_SNIFFING, *headers, ("Vary", "Accept-Encoding"))

    async def answer(self, request: PlainRequest) -> PlainAnswer:
        """Answers with the file, compressed if the client accepts gzip; or with 304."""
        if has_current(request.headers, self._tag):
            return PlainAnswer(_NOT_MODIFIED, headers=self._headers)
        headers = (self._type, *self._headers)
        accepted = request.headers.getall("Accept-Encoding", ())
        if preferred(accepted, (GZIP,)) == GZIP:
            return PlainAnswer(_OK, self._packed, (*headers, ("Content-Encoding", GZIP)))
        async with self._inflating:  # all clients share one copy
            if not self._inflated:
                self._inflated = await self._offload.answer(gzip.decompress, self._packed)
        # This header has it sent as it is: no request costs the time of another compression.
        return PlainAnswer(_OK, self._inflated, (*headers, ("Accept-Ranges", "none")))


def _page(title: str) -> bytes:
    folder = FOLDER_PATH.removeprefix("/")
    return (
        "<!doctype html>\n"
        '<html lang="en">\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
        '<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="{folder}/swagger-ui.css">\n'
        '<div id="page"></div>\n'
        "<noscript>This page needs JavaScript. "
        'It shows the document at <a href="openapi.json">openapi.json</a>.</noscript>\n'
        f'<script src="{folder}/swagger-ui-bundle.js"></script>\n'
        f'<script src="{folder}/{_START}"></script>\n'
    ).encode()


def _policy(servers: Sequence[str]) -> str:
    """Returns the policy of the page; it may call its own origin, and the servers of the API."""
    called = " ".join(("'self'", *sorted(set(_origins(servers)))))
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src {called}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _origins(servers: Sequence[str]) -> Iterator[str]:
    for server in servers:
        parts = urlsplit(server)
        if parts.scheme and parts.netloc:
            yield f"{parts.scheme}://{parts.netloc}"
