"""Serves the OpenAPI document from memory, with entity tags: as JSON and YAML, whole and in parts.

Follows docs/openapi.md; RFC 9512 for the media type of YAML.
Rule: a text is made when it is first asked for, in a thread, and compressed once for each coding.
The last `_TEXTS_MAX` texts are kept.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from urllib.parse import parse_qs

import orjson

from transcoder.errors import malformed, route_not_found, shown
from transcoder.http.body import JSON_TYPE
from transcoder.http.encodings import IDENTITY, deflate, preferred
from transcoder.http.entity_tags import entity_tag, has_current
from transcoder.http.offload import Offload
from transcoder.http.plain import PlainAnswer, PlainHandler, PlainRequest
from transcoder.openapi.document import Document, Part
from transcoder.openapi.values import Schema
from transcoder.openapi.yaml import written_as_yaml

OPENAPI_PATH: Final = "/openapi.json"
YAML_PATH: Final = "/openapi.yaml"
YAML_TYPE: Final = "application/yaml"

_TEXTS_MAX: Final = 16
"""Max texts that are kept: one for each service would be hundreds of MB of a large API."""

_OK: Final = 200
_NOT_MODIFIED: Final = 304


class _Form(NamedTuple):
    """A form of the document: its media type, and what writes it."""

    media_type: str
    write: Callable[[Schema], bytes]


_JSON: Final = _Form(JSON_TYPE, orjson.dumps)
_YAML: Final = _Form(YAML_TYPE, written_as_yaml)


class _Text(NamedTuple):
    """A text of the document as it is served.

    Attributes:
        body: the text.
        tag: its entity tag.
        changes_count: how often the routes had changed when it was made.
        coded: the text by content coding, once a client has asked for it.
    """

    body: bytes
    tag: str
    changes_count: int
    coded: dict[str, bytes]


class ServedDocument:
    """Answers requests for a document."""

    def __init__(self, document: Document, offload: Offload, *, compress_min_bytes: int) -> None:
        """Makes nothing yet.

        Args:
            document: its routes may change, which the next answer has.
            offload: runs the making.
            compress_min_bytes: texts from this size on are compressed for clients that accept it.
        """
        self._document = document
        self._offload = offload
        self._compress_min_bytes = compress_min_bytes
        self._texts: OrderedDict[tuple[_Form, Part], _Text] = OrderedDict()
        self._making = asyncio.Lock()

    def handlers(self) -> Iterator[tuple[str, PlainHandler]]:
        """Yields the paths of the document, with their handlers."""
        yield OPENAPI_PATH, self.answer_json
        yield YAML_PATH, self.answer_yaml

    async def answer_json(self, request: PlainRequest) -> PlainAnswer:
        """Answers with the document as JSON, or with 304 if the client has it."""
        return await self._answer(request, _JSON)

    async def answer_yaml(self, request: PlainRequest) -> PlainAnswer:
        """Answers with the document as YAML, or with 304 if the client has it."""
        return await self._answer(request, _YAML)

    async def _answer(self, request: PlainRequest, form: _Form) -> PlainAnswer:
        text = await self._text(form, _asked_part(request.query))
        headers = (("Content-Type", form.media_type), ("ETag", text.tag))
        if has_current(request.headers, text.tag):
            return PlainAnswer(_NOT_MODIFIED, headers=headers[1:])
        coding = preferred(request.headers.getall("Accept-Encoding", ()))
        if coding == IDENTITY or len(text.body) < self._compress_min_bytes:
            return PlainAnswer(_OK, text.body, headers)
        if coding not in text.coded:
            text.coded[coding] = await self._offload.answer(deflate, text.body, coding)
        coded = (*headers, ("Content-Encoding", coding), ("Vary", "Accept-Encoding"))
        return PlainAnswer(_OK, text.coded[coding], coded)

    async def _text(self, form: _Form, part: Part) -> _Text:
        async with self._making:
            text = self._texts.get((form, part))
            if text is None or text.changes_count != self._document.changes_count:
                text = await self._offload.answer(self._made, form, part)
                self._texts[form, part] = text
            self._texts.move_to_end((form, part))
            if len(self._texts) > _TEXTS_MAX:
                self._texts.popitem(last=False)
            return text

    def _made(self, form: _Form, part: Part) -> _Text:
        """Makes a text; raises TranscodeError, NOT_FOUND, if nothing is in the part."""
        count = self._document.changes_count
        content = self._document.content(part)
        if not content["paths"] and part != Part():
            expected = "a service and a tag of the document"
            got = f"service {shown(part.service)} and tag {shown(part.tag)}"
            raise route_not_found(f"openapi: expected {expected}, got {got}")
        body = form.write(content)
        return _Text(body, entity_tag(body), count, {})


def _asked_part(query: str) -> Part:
    """Returns the part that a query asks for; other parameters are ignored."""
    given = parse_qs(query)
    for name in Part._fields:
        if len(given.get(name, ())) > 1:
            raise malformed(f"query parameter {name}: expected one value, got {len(given[name])}")
    return Part(*(given.get(name, [""])[0] for name in Part._fields))
