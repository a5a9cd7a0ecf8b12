"""Serves the OpenAPI document from memory, with an entity tag.

Rule: the document is made when it is first asked for, in a thread, and once.
"""

import asyncio
from typing import Final, NamedTuple

from transcoder.http.body import JSON_TYPE
from transcoder.http.entity_tags import entity_tag, has_current
from transcoder.http.offload import Offload
from transcoder.http.plain import PlainAnswer, PlainRequest
from transcoder.openapi.document import Document

OPENAPI_PATH: Final = "/openapi.json"

_OK: Final = 200
_NOT_MODIFIED: Final = 304


class _Page(NamedTuple):
    """The document as it is served.

    Attributes:
        text: its JSON.
        tag: its entity tag.
        changes_count: how often its routes had changed when it was made.
    """

    text: bytes
    tag: str
    changes_count: int


class ServedDocument:
    """Answers requests for a document."""

    def __init__(self, document: Document, offload: Offload) -> None:
        """Makes nothing yet.

        Args:
            document: its routes may change, which the next answer has.
            offload: runs the making.
        """
        self._document = document
        self._offload = offload
        self._page: _Page | None = None
        self._making = asyncio.Lock()

    async def answer(self, request: PlainRequest) -> PlainAnswer:
        """Answers with the document, or with 304 if the client has it."""
        page = await self._current()
        headers = (("Content-Type", JSON_TYPE), ("ETag", page.tag))
        if has_current(request.headers, page.tag):
            return PlainAnswer(_NOT_MODIFIED, headers=headers[1:])
        return PlainAnswer(_OK, page.text, headers)

    async def _current(self) -> _Page:
        async with self._making:
            page = self._page
            if page is None or page.changes_count != self._document.changes_count:
                page = self._page = await self._offload.answer(self._made)
            return page

    def _made(self) -> _Page:
        count = self._document.changes_count
        text = self._document.text()
        return _Page(text, entity_tag(text), count)
