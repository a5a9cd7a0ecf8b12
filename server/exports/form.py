"""Makes the lines of an export, and reads them: a header, events, a trailer.

Follows docs/moving.md, "The file". The trailer has the number of events and the SHA-256 of their
lines, so that a file that was cut off or changed is noticed.
No I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import orjson

from server.clock import exact_text_of, time_of
from server.domain.events import RecordedEvent

FORMAT: Final = "actions-export"
VERSION: Final = 1

_INT_MAX: Final = 2**63 - 1
_SHOWN_CHARS: Final = 40


class Malformed(ValueError):
    """A line is not as expected; the text says what was expected, and what came."""


@dataclass(frozen=True, slots=True)
class Header:
    """Describes an export.

    Attributes:
        exported_at: the time of the export, in microseconds.
        org_ids: the organisations that it has; None for all of the instance.
        last_position: of the instance at that time; the export has no later event.
    """

    exported_at: int
    org_ids: tuple[str, ...] | None
    last_position: int


@dataclass(frozen=True, slots=True)
class Trailer:
    events: int
    sha256: str


def document_of(event: RecordedEvent) -> dict[str, Any]:
    """Returns an event as a JSON object."""
    return {
        "position": event.position,
        "createdAt": exact_text_of(event.created_at),
        "orgId": event.org_id,
        "aggregateType": event.aggregate_type,
        "aggregateId": event.aggregate_id,
        "sequence": event.sequence,
        "type": event.type,
        "editor": event.editor,
        "payload": event.payload,
    }


def event_line(event: RecordedEvent) -> bytes:
    return _line(document_of(event))


def header_line(header: Header) -> bytes:
    return _line(
        {
            "format": FORMAT,
            "version": VERSION,
            "exportedAt": exact_text_of(header.exported_at),
            "orgIds": header.org_ids,
            "lastPosition": header.last_position,
        }
    )


def trailer_line(trailer: Trailer) -> bytes:
    return _line({"events": trailer.events, "sha256": trailer.sha256})


def read_header(line: bytes) -> Header:
    """Returns the header.

    Raises:
        Malformed: it is not the header of an export, or of another version.
    """
    try:
        fields = _object(line)
    except Malformed:
        fields = {}
    if fields.get("format") != FORMAT:
        _refuse("the header of an export", line)
    if (version := _number(fields, "version")) != VERSION:
        raise Malformed(
            f"expected version {VERSION}, got {version}; import it by the program that wrote it"
        )
    return Header(
        exported_at=_time(fields, "exportedAt"),
        org_ids=_texts_or_none(fields, "orgIds"),
        last_position=_number(fields, "lastPosition"),
    )


def read_line(line: bytes) -> RecordedEvent | Trailer:
    """Returns an event, or the trailer, which ends the file.

    Raises:
        Malformed: it is neither.
    """
    fields = _object(line)
    if "sha256" in fields:
        return Trailer(_number(fields, "events"), _text(fields, "sha256"))
    payload = fields.get("payload")
    if not isinstance(payload, dict):
        _refuse("an object as payload", payload)
    return RecordedEvent(
        position=_number(fields, "position", least=1),
        org_id=_id(fields, "orgId"),
        aggregate_type=_id(fields, "aggregateType"),
        aggregate_id=_id(fields, "aggregateId"),
        sequence=_number(fields, "sequence", least=1),
        type=_id(fields, "type"),
        payload=payload,
        editor=_id(fields, "editor"),
        created_at=_time(fields, "createdAt"),
    )


def _line(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        _refuse("a JSON object", line)
    return found


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        _refuse(f"a text as {name}", value)
    return value


def _id(fields: Mapping[str, Any], name: str) -> str:
    """Returns an id: every database has room for it, as it has no control characters."""
    text = _text(fields, name)
    if not text.isprintable():
        _refuse(f"an id of printable characters as {name}", text)
    return text


def _number(fields: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _INT_MAX:
        _refuse(f"a number from {least} as {name}", value)
    return value


def _time(fields: Mapping[str, Any], name: str) -> int:
    text = _text(fields, name)
    try:
        return time_of(text)
    except ValueError:
        _refuse(f"a time as {name}", text)


def _texts_or_none(fields: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        _refuse(f"a list of texts as {name}", value)
    return tuple(value)


def _refuse(expected: str, got: object) -> NoReturn:
    start = got[:_SHOWN_CHARS] if isinstance(got, bytes) else got
    raise Malformed(f"expected {expected}, got {ascii(start)[:_SHOWN_CHARS]}")
