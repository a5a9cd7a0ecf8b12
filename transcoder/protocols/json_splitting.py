"""Divides a body into the JSON texts of its messages: one a line, or the elements of an array.

Follows ndjson.org and RFC 8259. Only what divides messages is read here: strings, brackets, commas,
line breaks. Whether a text is JSON is for the codec to say.

Rule 1: no I/O.
Rule 2: each byte is looked at a fixed number of times, however the body is cut into pieces.
Rule 3: at most one unfinished message is kept, up to the limit.
"""

import re
from enum import Enum, auto
from typing import Final

from transcoder.errors import TranscodeError, malformed, shown, too_large

_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
# Up to the next byte that divides elements, or may begin or end what holds such bytes.
_OUTSIDE: Final = re.compile(rb'[^"\[\]{},]*+')
# The same within brackets, where commas divide nothing; strings that are whole are passed.
_WITHIN: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)

_QUOTE, _COMMA, _OPENING, _CLOSING = b'",[]'
_BRACKETS: Final = b"[{"
_SHOWN_BYTES: Final = 50


class _Fed:
    """The part of a body that has come, and is not read yet."""

    __slots__ = ("_at", "_buffer", "_is_ended", "_max_bytes", "_scanned")

    def __init__(self, *, max_bytes: int) -> None:
        """Starts before the first message; one of more than `max_bytes` is refused."""
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        # Where the message begins, and up to where it was looked through.
        self._at = 0
        self._scanned = 0
        self._is_ended = False

    @property
    def held_bytes(self) -> int:
        return len(self._buffer) - self._at

    @property
    def is_within(self) -> bool:
        return len(self._buffer) > self._at

    def feed(self, piece: bytes) -> None:
        del self._buffer[: self._at]
        self._scanned -= self._at
        self._at = 0
        self._buffer += piece

    def finish(self) -> None:
        self._is_ended = True


class Lines(_Fed):
    """Messages of a line each; blank lines are ignored, and the last one needs no line break."""

    __slots__ = ()

    def next(self) -> bytes | None:
        buffer = self._buffer
        if self._at == self._scanned:
            self._at = self._scanned = _after_space(buffer, self._at)
        start = self._at
        end = buffer.find(b"\n", self._scanned)
        if end < 0:
            end = len(buffer)
            if not self._is_ended or start == end:
                _refuse_large(end - start, self._max_bytes)
                self._scanned = end
                return None
        _refuse_large(end - start, self._max_bytes)
        self._at = self._scanned = end
        return bytes(buffer[start:end])


class _Place(Enum):
    """A place in the text of an array."""

    START = auto()
    """Before its bracket."""
    FIRST = auto()
    """Before the first element, or the end."""
    ELEMENT = auto()
    """Before an element, which has to come, or in it."""
    END = auto()
    """Behind its bracket."""


class Elements(_Fed):
    """Messages that are the elements of one array; an empty body has none."""

    __slots__ = ("_depth", "_is_in_string", "_place")

    def __init__(self, *, max_bytes: int) -> None:
        """Starts before the array; an element of more than `max_bytes` is refused."""
        super().__init__(max_bytes=max_bytes)
        self._place = _Place.START
        self._depth = 0
        self._is_in_string = False

    def next(self) -> bytes | None:
        if self._at == self._scanned:
            self._skip_space()
            if self._at == len(self._buffer):
                self._refuse_cut()
                return None
            if not self._enter():
                return None
        end = self._end_of_element()
        if end is None:
            _refuse_large(len(self._buffer) - self._at, self._max_bytes)
            self._refuse_cut()
            return None
        _refuse_large(end - self._at, self._max_bytes)
        text = bytes(self._buffer[self._at : end])
        self._place = _Place.END if self._buffer[end] == _CLOSING else _Place.ELEMENT
        self._at = self._scanned = end + 1
        return text

    def _refuse_cut(self) -> None:
        """Raises TranscodeError if the body has ended, but not the array."""
        is_whole = self._place is _Place.END or (self._place is _Place.START and not self.is_within)
        if self._is_ended and not is_whole:
            raise malformed("body: expected the rest of the array, got the end of the body")

    def _skip_space(self) -> None:
        self._at = self._scanned = _after_space(self._buffer, self._at)

    def _enter(self) -> bool:
        """Goes to the next element; False if the array has ended, or more of the body is needed."""
        place = self._place
        if place is _Place.END:
            raise self._unexpected("nothing behind the array")
        if place is _Place.START:
            if self._buffer[self._at] != _OPENING:
                raise self._unexpected("an array of messages")
            self._place = _Place.FIRST
            self._at += 1
            self._skip_space()
            if self._at == len(self._buffer):
                self._refuse_cut()
                return False
        first = self._buffer[self._at]
        if first == _CLOSING and self._place is _Place.FIRST:
            self._place = _Place.END
            self._at += 1
            self._skip_space()
            if self._at < len(self._buffer):
                raise self._unexpected("nothing behind the array")
            return False
        if first in b",]}":
            raise self._unexpected("a message")
        return True

    def _end_of_element(self) -> int | None:
        """Returns where the element ends; None if more of the body is needed."""
        buffer, position, depth = self._buffer, self._scanned, self._depth
        size = len(buffer)
        while True:
            if self._is_in_string:
                position = _STRING.match(buffer, position).end()  # type: ignore[union-attr]  # always
            else:
                pattern = _WITHIN if depth else _OUTSIDE
                position = pattern.match(buffer, position).end()  # type: ignore[union-attr]  # always
            if position == size or (self._is_in_string and buffer[position] != _QUOTE):
                # The text ends here, perhaps in an escape.
                self._scanned, self._depth = position, depth
                return None
            found = buffer[position]
            if found == _QUOTE:
                self._is_in_string = not self._is_in_string
            elif found in _BRACKETS:
                depth += 1
            elif depth:
                depth -= 1
            elif found in (_COMMA, _CLOSING):
                self._depth = 0
                return position
            else:
                self._at = position
                raise self._unexpected("',' or ']' behind a message")
            position += 1

    def _unexpected(self, expected: str) -> TranscodeError:
        rest = bytes(self._buffer[self._at : self._at + _SHOWN_BYTES]).decode("utf-8", "replace")
        return malformed(f"body: expected {expected}, got {shown(rest)}")


def _after_space(buffer: bytearray, position: int) -> int:
    space = _SPACE.match(buffer, position)
    return position if space is None else space.end()


def _refuse_large(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise too_large("a message of the request body", limit_bytes=max_bytes)
