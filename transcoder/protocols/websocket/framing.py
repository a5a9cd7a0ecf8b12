"""Reads and writes the frames of WebSocket.

Follows RFC 6455 sections 5 (framing), 7.4 (close codes) and 8.1 (UTF-8). No extension is known.
Rule 1: no I/O; octets come in pieces of any size.
Rule 2: one unfinished message is held, up to the limit of its kind.
"""

import struct
from typing import Final, NamedTuple

from transcoder.http.switched import Kind, Outgoing

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
NOT_UTF8: Final = 1007
TOO_LARGE: Final = 1009

_CONTINUATION: Final = 0
_CONTROL_MAX_BYTES: Final = 125
_REASON_MAX_BYTES: Final = _CONTROL_MAX_BYTES - 2
_FIN: Final = 0x80
_RESERVED: Final = 0x70
_OPCODE: Final = 0x0F
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
_MASK_BYTES: Final = 4
_HEAD: Final = struct.Struct(">BB")
_HEAD_16: Final = struct.Struct(">BBH")
_HEAD_64: Final = struct.Struct(">BBQ")
# Section 7.4: those that an endpoint may send, and those for applications.
_CLOSE_CODES: Final = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))


_KIND_BY_OPCODE: Final = {kind.value: kind for kind in Kind}
_ONLY_FRAMES: Final = frozenset((_FIN | Kind.TEXT, _FIN | Kind.BINARY))
"""First bytes of frames that are a whole message each."""


class Received(NamedTuple):
    """A whole message, or a control frame."""

    kind: Kind
    data: bytes


class FrameError(Exception):
    """Octets that end the connection.

    Attributes:
        close_code: tells the client why.
        problem: the same as a text.
    """

    def __init__(self, close_code: int, problem: str) -> None:
        super().__init__(close_code, problem)
        self.close_code = close_code
        self.problem = problem


class FrameReader:
    """Divides what a client sends into messages and control frames."""

    __slots__ = ("_buffer", "_kind", "_max_bytes", "_message")

    def __init__(self, *, text_max_bytes: int, binary_max_bytes: int) -> None:
        """Begins behind the handshake, with the max bytes of a message of each kind."""
        self._max_bytes: dict[Kind | None, int] = {
            Kind.TEXT: text_max_bytes,
            Kind.BINARY: binary_max_bytes,
        }
        self._buffer = bytearray()
        # The message whose last fragment is missing.
        self._kind: Kind | None = None
        self._message = bytearray()

    @property
    def held_bytes(self) -> int:
        """Returns the bytes that are in nothing that `next` has returned."""
        return len(self._buffer) + len(self._message)

    @property
    def is_within(self) -> bool:
        """True if a message or a frame has begun that is not whole."""
        return self._kind is not None or bool(self._buffer)

    def feed(self, octets: bytes) -> None:
        self._buffer += octets

    def clear(self) -> None:
        """Drops what is held."""
        self._buffer.clear()
        self._message.clear()
        self._kind = None

    def next(self) -> Received | None:
        """Returns the next message or control frame; None if it needs more octets.

        Raises:
            FrameError: the frames are malformed, or a message is too large.
        """
        while (frame := self._frame()) is not None:
            is_last, kind, payload = frame
            if kind is not None and kind >= Kind.CLOSE:
                return _checked_control(kind, payload)
            if kind is not None:
                if is_last:
                    return _checked_message(kind, payload)
                self._kind = kind
            self._message += payload
            if is_last and self._kind is not None:
                kind, self._kind = self._kind, None
                payload = bytes(self._message)
                self._message.clear()
                return _checked_message(kind, payload)
        return None

    def require_size(self, kind: Kind, length: int) -> None:
        """Raises FrameError if a message of a host has too many bytes."""
        max_bytes = self._max_bytes[kind]
        if length > max_bytes:
            raise self._too_large(kind, max_bytes)

    def _frame(self) -> tuple[bool, Kind | None, bytes] | None:
        """Takes a whole frame: True if it is the last of its message, its kind, its payload.

        The kind is None for a frame that continues a message.
        """
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        kind = _KIND_BY_OPCODE.get(first & _OPCODE)
        if first not in _ONLY_FRAMES or not second & _MASKED or self._kind is not None:
            self._check_head(first, second, kind)
        start, length = 2, second & _LENGTH
        if length >= _LENGTH_16:
            octets, least = (2, _LENGTH_16) if length == _LENGTH_16 else (8, 1 << 16)
            start += octets
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start])
            if not least <= length < 1 << 63:
                raise FrameError(PROTOCOL_ERROR, "the length of a frame is malformed")
        max_bytes = self._max_bytes.get(self._kind if kind is None else kind)
        if max_bytes is not None and len(self._message) + length > max_bytes:
            raise self._too_large(kind, max_bytes)
        end = start + _MASK_BYTES + length
        if len(buffer) < end:
            return None
        begin = start + _MASK_BYTES
        payload = _unmasked(buffer[begin:end], buffer[start:begin])
        del buffer[:end]
        return first >= _FIN, kind, payload

    def _check_head(self, first: int, second: int, kind: Kind | None) -> None:
        problem, opcode = "", first & _OPCODE
        if first & _RESERVED:
            problem = "a frame has a reserved bit, of an extension that was not agreed on"
        elif not second & _MASKED:
            problem = "a frame is not masked"
        elif opcode == _CONTINUATION:
            if self._kind is None:
                problem = "a frame continues no message"
        elif kind in self._max_bytes:
            if self._kind is not None:
                problem = "a message begins before the last frame of another"
        elif kind is None:
            problem = f"a frame has the unknown opcode {opcode}"
        elif not first & _FIN:
            problem = "a control frame is fragmented"
        elif second & _LENGTH > _CONTROL_MAX_BYTES:
            problem = f"a control frame is larger than {_CONTROL_MAX_BYTES} bytes"
        if problem:
            raise FrameError(PROTOCOL_ERROR, problem)

    def _too_large(self, kind: Kind | None, max_bytes: int) -> FrameError:
        begun = kind or self._kind
        name = "" if begun is None else begun.name.lower()
        return FrameError(
            TOO_LARGE, f"a {name} message is larger than the limit of {max_bytes} bytes"
        )


def frame(kind: Kind, *parts: bytes) -> bytes:
    """Writes a message or a control frame, given in parts, as one frame of a server."""
    length = sum(map(len, parts))
    if length < _LENGTH_16:
        head = _HEAD.pack(_FIN | kind, length)
    elif length < 1 << 16:
        head = _HEAD_16.pack(_FIN | kind, _LENGTH_16, length)
    else:
        head = _HEAD_64.pack(_FIN | kind, _LENGTH_64, length)
    return b"".join((head, *parts))


def close_message(code: int, reason: str) -> Outgoing:
    """Returns the frame that ends a connection, with as much of the reason as fits."""
    text = reason.encode("utf-8", "replace")[:_REASON_MAX_BYTES]
    whole = text.decode("utf-8", "ignore").encode()
    return Outgoing(Kind.CLOSE, (code.to_bytes(2), whole))


def close_code_of(payload: bytes) -> int:
    """Returns the code in the payload of a Close frame; 1000 if it has none."""
    return int.from_bytes(payload[:2]) if payload else NORMAL


def _checked_message(kind: Kind, payload: bytes) -> Received:
    if kind is Kind.TEXT and not _is_utf8(payload):
        raise FrameError(NOT_UTF8, "a text message is not UTF-8")
    return Received(kind, payload)


def _checked_control(kind: Kind, payload: bytes) -> Received:
    if kind is Kind.CLOSE and payload:
        if len(payload) < 2 or close_code_of(payload) not in _CLOSE_CODES:
            raise FrameError(PROTOCOL_ERROR, "the code of a close frame is invalid")
        if not _is_utf8(payload[2:]):
            raise FrameError(NOT_UTF8, "the reason of a close frame is not UTF-8")
    return Received(kind, payload)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unmasked(data: bytearray, mask: bytearray) -> bytes:
    """Returns the octets without their mask (section 5.3), as one operation on integers."""
    length = len(data)
    masks = (mask * (length // _MASK_BYTES + 1))[:length]
    plain = int.from_bytes(data, "little") ^ int.from_bytes(masks, "little")
    return plain.to_bytes(length, "little")
