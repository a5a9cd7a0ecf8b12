"""Writes a stream of messages as JSON lines, as one JSON array, or as server-sent events.

Follows ndjson.org (lines), RFC 8259 (arrays), WHATWG's HTML, "Server-sent events", and RFC 9110
section 12.5.1 (Accept).

Rule 1: no I/O.
Rule 2: a client can tell the end of a stream from a failure. Lines and events say so; an array
cannot, so its body is cut.
"""

import functools
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from transcoder.options import EventOptions

NDJSON: Final = "application/x-ndjson"
ARRAY: Final = "application/json"
EVENTS: Final = "text/event-stream"

FORMS: Final = ("JSON", "NDJSON", "SSE")
"""The names of the formats in the table of routes: an array, lines and events."""

EVENTS_COMMENT: Final = b":\n\n"
"""A comment between events, which clients ignore; it keeps connections open."""

_NOT_IN_IDS: Final = re.compile(r"[\r\n\0]")
_CACHED_MAX: Final = 256
"""Max Accept headers whose formats are cached; clients choose them."""
_RANGES_MAX: Final = 32
"""Max media ranges that are read of an Accept header."""
_WEIGHT: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)
_RANK: Final = {NDJSON: (NDJSON, 2), ARRAY: (ARRAY, 2), EVENTS: (EVENTS, 2)} | {
    "application/*": (NDJSON, 1),
    "text/*": (EVENTS, 1),
    "*/*": (NDJSON, 0),
}
"""The format that a media range stands for, and how specific the range is."""


class StreamFormat(NamedTuple):
    """The text around messages.

    Attributes:
        content_type: of the answer.
        opening: before everything.
        before: before the first message.
        between: before each further one.
        after: after each message.
        closing: after the last one.
        failing: around the Status of a failed stream; None if the body has to be cut.
    """

    content_type: str
    opening: bytes
    before: bytes
    between: bytes
    after: bytes
    closing: bytes
    failing: tuple[bytes, bytes] | None

    def failure(self, status: bytes) -> bytes | None:
        """Returns the end of a failed stream; None if the body has to be cut."""
        if self.failing is None:
            return None
        return status.join(self.failing)


RAW: Final = StreamFormat(
    "", opening=b"", before=b"", between=b"", after=b"", closing=b"", failing=None
)
"""Nothing around messages, whose bytes are the body."""


class StreamFormats:
    """The formats of one Transcoder, by the Accept header of a request."""

    def __init__(self, events: EventOptions, *, has_error_envelope: bool) -> None:
        """Prepares the formats.

        Args:
            events: how events are written.
            has_error_envelope: True if the JSON of an error is `{"error": …}` already.
        """
        lines = StreamFormat(
            NDJSON,
            opening=b"",
            before=b'{"result":',
            between=b'{"result":',
            after=b"}\n",
            closing=b"",
            failing=(b"", b"\n") if has_error_envelope else (b'{"error":', b"}\n"),
        )
        array = StreamFormat(
            ARRAY, opening=b"[", before=b"", between=b",", after=b"", closing=b"]", failing=None
        )
        of_events = StreamFormat(
            EVENTS,
            opening=b"retry: %d\n\n" % events.retry_ms,
            before=b"data: ",
            between=b"data: ",
            after=b"\n\n",
            closing=b"event: end\ndata: {}\n\n",
            failing=(b"event: error\ndata: ", b"\n\n"),
        )
        self._formats = {each.content_type: each for each in (lines, array, of_events)}

    def of(self, accept: Sequence[str]) -> StreamFormat:
        """Returns the format of an answer; lines unless the Accept header prefers another."""
        return self._formats[_preferred(",".join(accept)) if accept else NDJSON]


def event_id(text: str) -> bytes:
    """Returns the line with the id of an event, behind its data; b"" for an invalid id."""
    if not text or _NOT_IN_IDS.search(text):
        return b""
    return f"\nid: {text}".encode()


@functools.lru_cache(maxsize=_CACHED_MAX)
def _preferred(accept: str) -> str:
    """Returns the content type with the largest weight; of equals the most specific, the first."""
    best, best_rank = NDJSON, (0.0, -1)
    for element in accept.split(",", _RANGES_MAX)[:_RANGES_MAX]:
        name, *parameters = (part.strip() for part in element.split(";"))
        found = _RANK.get(name.lower())
        weights = [match[1] for match in map(_WEIGHT.fullmatch, parameters) if match is not None]
        weight = float(weights[0]) if weights else 1.0
        if found is not None and weight > 0 and (weight, found[1]) > best_rank:
            best, best_rank = found[0], (weight, found[1])
    return best
