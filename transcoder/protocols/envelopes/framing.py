"""Reads and writes envelopes: a message behind its flags and its size.

Follows grpc/doc/PROTOCOL-WEB.md (the message frame), connectrpc.com, "Connect Protocol Reference"
(Enveloped-Message), and grpc/doc/statuscodes.md (the code of each framing error).

Rule 1: no I/O. A body may come in pieces of any size; the result is the same.
Rule 2: both protocols end an answer by an envelope of their own, which no request has.
"""

from typing import Final, NamedTuple

from transcoder.errors import too_large
from transcoder.http.encodings import IDENTITY
from transcoder.protocols.envelopes.dialect import Dialect

HEADER_BYTES: Final = 5
"""Bytes of an envelope's header: one of flags, four of the payload's size."""

_COMPRESSED_FLAG: Final = 0x01
_END_OF_STREAM_FLAG: Final = 0x02


class Envelope(NamedTuple):
    """The payload of one envelope: a message, compressed or not."""

    payload: bytes
    is_compressed: bool


class EnvelopeReader:
    """Reads the messages of a request body piece by piece.

    Call `feed` with each piece, and `finish` after the last; then `next` until it returns None.
    """

    __slots__ = ("_buffer", "_dialect", "_encoding", "_has_ended", "_message_max_bytes", "_size")

    def __init__(
        self, dialect: Dialect, *, message_max_bytes: int, encoding: str = IDENTITY
    ) -> None:
        """Expects the first envelope.

        Args:
            dialect: of the protocol.
            message_max_bytes: an envelope that announces more is refused before its payload is
                read.
            encoding: of messages that are flagged as compressed.
        """
        self._dialect = dialect
        self._message_max_bytes = message_max_bytes
        self._encoding = encoding
        self._has_ended = False
        self._buffer = bytearray()
        # Bytes of the payload that is being read; None while its header is incomplete.
        self._size: int | None = None

    @property
    def held_bytes(self) -> int:
        """Returns how many bytes fed are in no message that was returned."""
        return len(self._buffer)

    @property
    def is_within(self) -> bool:
        """True if a message has begun that was not returned."""
        return self._size is not None or bool(self._buffer)

    def feed(self, piece: bytes) -> None:
        self._buffer += piece

    def next(self) -> Envelope | None:
        """Returns the next whole message; None until more has been fed, and after the last.

        Raises:
            TranscodeError: INTERNAL for invalid flags, and if the body ends inside an envelope;
                RESOURCE_EXHAUSTED for a message that is too large.
        """
        buffer = self._buffer
        if self._size is None:
            if not buffer:
                return None
            self._check_flags(buffer[0])
            if len(buffer) < HEADER_BYTES:
                self._require_more(f"{len(buffer)} of a frame header's {HEADER_BYTES} bytes")
                return None
            size = int.from_bytes(buffer[1:HEADER_BYTES], "big")
            if size > self._message_max_bytes:
                raise too_large(f"a message of {size} bytes", limit_bytes=self._message_max_bytes)
            self._size = size
        end = HEADER_BYTES + self._size
        if len(buffer) < end:
            came = len(buffer) - HEADER_BYTES
            self._require_more(f"{came} of a message's {self._size} bytes")
            return None
        payload = bytes(memoryview(buffer)[HEADER_BYTES:end])
        envelope = Envelope(payload, buffer[0] == _COMPRESSED_FLAG)
        del buffer[:end]
        self._size = None
        return envelope

    def finish(self) -> None:
        """Ends the body."""
        self._has_ended = True

    def _require_more(self, came: str) -> None:
        if self._has_ended:
            raise self._dialect.broken(f"the body ends after {came}")

    def _check_flags(self, flags: int) -> None:
        if flags == 0:
            return
        dialect = self._dialect
        if flags != _COMPRESSED_FLAG:
            raise dialect.broken(f"frame flags: expected 0x00 or 0x01, got 0x{flags:02x}")
        if self._encoding == IDENTITY:
            problem = f"a frame is flagged as compressed, but {dialect.encoding} names no encoding"
            raise dialect.broken(problem)


def only_message(body: bytes, *, max_bytes: int) -> bytes | None:
    """Returns the message of a whole body that is one plain envelope; None for any other body.

    Nearly all bodies with one message are such, and need no reader.
    """
    size = len(body) - HEADER_BYTES
    if 0 <= size <= max_bytes and body[0] == 0 and int.from_bytes(body[1:HEADER_BYTES]) == size:
        return body[HEADER_BYTES:]
    return None


def envelope(payload: bytes, flags: int = 0) -> bytes:
    """Returns an envelope: its flags and its size are one number of five bytes."""
    return (flags << 32 | len(payload)).to_bytes(HEADER_BYTES, "big") + payload


def compressed_envelope(payload: bytes) -> bytes:
    return envelope(payload, _COMPRESSED_FLAG)


def end_envelope(payload: bytes) -> bytes:
    """Returns the last envelope of Connect's answers."""
    return envelope(payload, _END_OF_STREAM_FLAG)
