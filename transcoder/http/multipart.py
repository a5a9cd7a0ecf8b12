"""Divides a body of multipart/form-data into its parts, by aiohttp's reader.

Follows RFC 7578 (forms), RFC 2046 section 5.1 (boundaries) and RFC 6266 (Content-Disposition).

Rule 1: the body is in memory, so nothing waits: aiohttp's coroutines run to their end at once, in
any thread.
Rule 2: each part has to say `form-data` and a name; aiohttp would guess, and warn with the text of
the client.
"""

import re
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiohttp import BodyPartReader, MultipartReader, hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from transcoder.binding.form import Part
from transcoder.errors import TranscodeError, malformed, shown
from transcoder.http.body import is_json_type

FORM_TYPE: Final = "multipart/form-data"
PARTS_MAX: Final = 100
"""Max parts of a form; each takes CPU."""
PART_HEADERS_MAX: Final = 16
"""Max headers of a part; browsers send two."""
PART_HEADER_MAX_BYTES: Final = 4096
"""Max bytes of a header of a part."""

_LINES_MAX: Final = PARTS_MAX * (PART_HEADERS_MAX + 4)
"""Max lines around the contents of parts; any number may stand before the first part."""
_READ_BYTES: Final = 64 << 10
_PLAIN_CODINGS: Final = frozenset({"", "7bit", "8bit", "binary"})
_CHARS: Final = r"[\w!#$%&'*+.^`|~-]++"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
_PARAMETER: Final = re.compile(rf"[ \t]*+;[ \t]*+({_CHARS})[ \t]*+=[ \t]*+({_QUOTED}|{_CHARS})")
_ESCAPED: Final = re.compile(r'\\(["\\])')

R = TypeVar("R")


def is_form_type(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == FORM_TYPE


def parts_of(body: bytes, content_type: str) -> list[Part]:
    """Returns the parts of a form.

    Raises:
        TranscodeError: INVALID_ARGUMENT, the body is no form, or has too many parts.
    """
    return _run(_parts_of(body, content_type))


async def _parts_of(body: bytes, content_type: str) -> list[Part]:
    parts: list[Part] = []
    try:
        reader = _FormReader(content_type, _Octets(body))
        while isinstance(part := await reader.next(), BodyPartReader):
            if len(parts) == PARTS_MAX:
                raise malformed(f"form: expected at most {PARTS_MAX} parts")
            data = bytearray()
            while not part.at_eof():
                data += await part.read_chunk(_READ_BYTES)
            parts.append(_part(reader.parameters, part.headers, bytes(data)))
    except TranscodeError:
        raise
    except (AssertionError, HttpProcessingError, RuntimeError, ValueError):
        where = f"part {len(parts) + 1}"
        raise malformed(f"form: {where} is malformed, or has no end of its own") from None
    return parts


class _FormReader(MultipartReader):
    """Reads the parts of a form; refuses what is no field.

    Attributes:
        parameters: of the Content-Disposition of the last part.
    """

    multipart_reader_cls = MultipartReader

    def __init__(self, content_type: str, content: "_Octets") -> None:
        super().__init__(
            {hdrs.CONTENT_TYPE: content_type},
            content,  # type: ignore[arg-type]  # has what is read by
            max_field_size=PART_HEADER_MAX_BYTES,
            max_headers=PART_HEADERS_MAX,
        )
        self.parameters: dict[str, str] = {}

    async def fetch_next_part(self) -> BodyPartReader:
        part = await super().fetch_next_part()
        if not isinstance(part, BodyPartReader):
            raise malformed("form: expected no parts within a part")
        headers = part.headers
        coding = headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "")
        if coding.strip().lower() not in _PLAIN_CODINGS:
            raise malformed(f"form: expected no Content-Transfer-Encoding, got {shown(coding)}")
        self.parameters = _parameters_of(headers.get(hdrs.CONTENT_DISPOSITION, ""))
        # Without the header aiohttp does not parse it once more.
        content_type = headers.get(hdrs.CONTENT_TYPE, "")
        part.headers = CIMultiDictProxy(CIMultiDict({hdrs.CONTENT_TYPE: content_type}))
        return part


class _Octets:
    """A body in memory, as aiohttp's reader reads a stream."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0
        self._lines_left = _LINES_MAX

    def at_eof(self) -> bool:
        return self._at == len(self._octets)

    async def read(self, count: int) -> bytes:
        return self._until(self._at + count)

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        self._lines_left -= 1
        if self._lines_left < 0:
            raise malformed(f"form: expected at most {_LINES_MAX} lines around parts")
        end = self._octets.find(b"\n", self._at) + 1 or len(self._octets)
        if max_line_length is not None and end - self._at > max_line_length:
            raise malformed(f"form: expected headers of at most {max_line_length} bytes")
        return self._until(end)

    def unread_data(self, octets: bytes) -> None:
        self._at -= len(octets)

    def _until(self, end: int) -> bytes:
        octets = self._octets[self._at : end]
        self._at += len(octets)
        return octets


def _parameters_of(disposition: str) -> dict[str, str]:
    """Returns the parameters of a Content-Disposition, by names in lower case.

    Raises:
        TranscodeError: it does not say `form-data` and a name.
    """
    kind, divider, rest = disposition.partition(";")
    rest = divider + rest.rstrip()
    parameters: dict[str, str] = {}
    position = 0
    while (match := _PARAMETER.match(rest, position)) is not None:
        value = match[2]
        if value.startswith('"'):
            value = _ESCAPED.sub(r"\1", value[1:-1])
        parameters.setdefault(match[1].lower(), value)
        position = match.end()
    is_form_data = kind.strip().lower() == "form-data"
    if not is_form_data or position < len(rest) or "name" not in parameters:
        expected = 'Content-Disposition: form-data; name="…"'
        raise malformed(f"form: expected parts with {expected}, got {shown(disposition)}")
    try:
        rest.encode()
    except UnicodeEncodeError:  # octets that are not UTF-8
        raise malformed(f"form: expected names in UTF-8, got {shown(disposition)}") from None
    return parameters


def _part(parameters: dict[str, str], headers: CIMultiDictProxy[str], data: bytes) -> Part:
    content_type = headers[hdrs.CONTENT_TYPE]
    if not (content_type.isascii() and content_type.isprintable()):
        raise malformed(f"form: expected ASCII as Content-Type, got {shown(content_type)}")
    return Part(
        name=parameters["name"],
        content_type=content_type,
        is_json=is_json_type(content_type),
        filename=parameters.get("filename"),
        data=data,
    )


def _run(reading: Coroutine[Any, Any, R]) -> R:
    """Runs a coroutine that waits for nothing."""
    try:
        reading.send(None)
    except StopIteration as done:
        result: R = done.value
        return result
    raise RuntimeError("a form in memory was waited for")
