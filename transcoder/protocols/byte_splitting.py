"""Divides a body into pieces of bytes, each of which is a message.

Rule 1: no I/O.
Rule 2: a piece is what has come, so that a reader gets bytes as soon as they are there.
"""

from typing import Final

PIECE_MAX_BYTES: Final = 64 << 10
"""Max bytes of a piece: feed no more at once."""


class Pieces:
    """The pieces of a body, as they were fed; one without bytes for an empty body."""

    __slots__ = ("_has_begun", "_is_ended", "_piece")

    is_within: Final = False

    def __init__(self) -> None:
        self._piece = b""
        self._has_begun = False
        self._is_ended = False

    @property
    def held_bytes(self) -> int:
        return len(self._piece)

    def feed(self, piece: bytes) -> None:
        self._piece = piece

    def finish(self) -> None:
        self._is_ended = True

    def next(self) -> bytes | None:
        piece, self._piece = self._piece, b""
        if piece or (self._is_ended and not self._has_begun):
            self._has_begun = True
            return piece
        return None
