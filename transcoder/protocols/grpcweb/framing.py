"""Reads and writes gRPC-Web frames: bytes to messages, messages and failures to bytes.

Follows grpc/doc/PROTOCOL-WEB.md (the trailer frame, text mode), grpc/doc/PROTOCOL-HTTP2.md
(Status-Message, Custom-Metadata) and grpc/doc/statuscodes.md (the code of each framing error). The
frames of messages are envelopes, as Connect has them.

Rule 1: no I/O. A body may come in pieces of any size; the result is the same.
Rule 2: the status always goes into a trailer frame of the body, never into HTTP headers: every
client can read it there, whatever CORS exposes.
Rule 3: no message, key or value can end its line of the trailer frame.
"""

import base64
import binascii
import enum
import re
from collections.abc import Iterable
from typing import Final

from grpc import StatusCode

from transcoder.errors import CODE_NUMBER, shown
from transcoder.http.encodings import IDENTITY
from transcoder.http.headers import base64_text, log_dropped, wire_value
from transcoder.protocols.envelopes.dialect import Dialect
from transcoder.protocols.envelopes.framing import Envelope, EnvelopeReader

GRPC_WEB: Final = Dialect("gRPC-Web", "grpc-encoding", "grpc-accept-encoding")

_TRAILERS_FLAG: Final = 0x80

_RESERVED_PREFIX: Final = "grpc-"

# Status-Message: printable ASCII but "%" stands for itself; any other byte of its UTF-8 is escaped.
_UNESCAPED: Final = re.compile(r"[\x20-\x24\x26-\x7e]*")
_PERCENT_ENCODED: Final = [
    chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}" for byte in range(256)
]
_EDGES: Final = re.compile(r"\A +| +\Z")

# RFC 4648 section 4: groups of four characters, and what is padded at its end.
_GROUP_CHARS: Final = 4
_RUN: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


class Mode(enum.Enum):
    """The form of frames in a body.

    Attributes:
        content_type: of an answer; it names the codec (`+proto`).
    """

    BINARY = "application/grpc-web+proto"
    TEXT = "application/grpc-web-text+proto"

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type

    def encoded(self, frame: bytes) -> bytes:
        """Returns a frame as it is sent; text mode encodes each frame as padded base64."""
        return frame if self is Mode.BINARY else base64.b64encode(frame)


_MODES: Final = {
    "application/grpc-web": Mode.BINARY,
    "application/grpc-web+proto": Mode.BINARY,
    "application/grpc-web-text": Mode.TEXT,
    "application/grpc-web-text+proto": Mode.TEXT,
}


def mode_of(content_type: str | None) -> Mode | None:
    """Returns the mode that a content type names; None if it is not gRPC-Web with protobuf."""
    if content_type is None:
        return None
    mode = _MODES.get(content_type)
    if mode is None:
        mode = _MODES.get(content_type.partition(";")[0].strip().lower())
    return mode


def answer_mode(asked: Mode, accept: str | None) -> Mode:
    """Returns the mode of an answer: the first that Accept names, else the request's own."""
    if accept is None or accept == "*/*":
        return asked
    named = filter(None, map(mode_of, accept.split(",")))
    return next(named, asked)


class Base64Reader:
    """Decodes a base64 body piece by piece.

    A client that encodes a body in pieces pads each of them, so padding may stand after any group
    of four characters.
    """

    __slots__ = ("_is_broken", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._is_broken = False

    def feed(self, data: bytes) -> bytes:
        """Returns the bytes of whole groups; none after text that is not base64."""
        if self._is_broken:
            return b""
        text = self._rest + data if self._rest else data
        end = 0
        decoded = []
        for run in _RUN.finditer(text):
            if run.start() != end:
                break
            end = run.end() - (run.end() - end) % _GROUP_CHARS
            decoded.append(binascii.a2b_base64(text[run.start() : end]))
            if end != run.end():
                break
        self._rest = text[end:]
        self._is_broken = len(self._rest) >= _GROUP_CHARS
        return b"".join(decoded)

    def check(self) -> None:
        """Checks that all text fed so far is base64.

        Raises:
            TranscodeError: INTERNAL, it is not.
        """
        if self._is_broken:
            came = self._rest[:_GROUP_CHARS].decode("latin-1")
            raise GRPC_WEB.broken(f"expected base64, got {shown(came)}")

    def finish(self) -> None:
        """Ends the body.

        Raises:
            TranscodeError: INTERNAL when it ends inside a group of four characters.
        """
        if self._rest:
            came = len(self._rest)
            raise GRPC_WEB.broken(
                f"the body ends after {came} of a base64 group's {_GROUP_CHARS} characters"
            )


class UnaryReader:
    """Reads the one message of a unary request's body, piece by piece."""

    __slots__ = ("_frame", "_frames", "_text")

    def __init__(
        self, mode: Mode = Mode.BINARY, *, message_max_bytes: int, encoding: str = IDENTITY
    ) -> None:
        self._text = Base64Reader() if mode is Mode.TEXT else None
        self._frames = EnvelopeReader(
            GRPC_WEB, message_max_bytes=message_max_bytes, encoding=encoding
        )
        self._frame: Envelope | None = None

    def feed(self, data: bytes) -> None:
        """Takes the next piece of the body.

        Raises:
            TranscodeError: the body does not hold exactly one message.
        """
        frames = self._frames
        text = self._text
        frames.feed(data if text is None else text.feed(data))
        if self._frame is None:
            self._frame = frames.next()
        if self._frame is not None and frames.is_within:
            raise GRPC_WEB.not_one_message("the body goes on after its first message")
        if text is not None:
            text.check()

    def finish(self) -> Envelope:
        """Ends the body, and returns its message.

        Raises:
            TranscodeError: the body has no message, or an incomplete one.
        """
        if self._text is not None:
            self._text.finish()
        if self._frame is None:
            self._frames.finish()
            self._frame = self._frames.next()
        if self._frame is None:
            raise GRPC_WEB.not_one_message("the body is empty")
        return self._frame


def trailer_frame(
    code: StatusCode = StatusCode.OK,
    message: str = "",
    *,
    details: bytes = b"",
    metadata: Iterable[tuple[str, str | bytes]] = (),
) -> bytes:
    """Returns the last frame of an answer: the call's status, and its trailing metadata.

    Metadata that gRPC does not allow is left out and logged: a key that is not lower-case ASCII or
    begins with "grpc-", a value that is neither printable ASCII nor under a `-bin` key.

    Args:
        code: the status.
        message: for the caller; may be empty.
        details: a serialized google.rpc.Status, or empty.
        metadata: the handler's trailing metadata.
    """
    lines = [f"grpc-status:{CODE_NUMBER[code]}\r\n"]
    if message:
        lines.append(f"grpc-message:{_percent_encoded(message)}\r\n")
    if details:
        lines.append(f"grpc-status-details-bin:{base64_text(details)}\r\n")
    for key, value in metadata:
        text = None if key.startswith(_RESERVED_PREFIX) else wire_value(key, value)
        if text is None:
            log_dropped("trailing metadata", key)
        else:
            lines.append(f"{key}:{text}\r\n")
    payload = "".join(lines).encode("ascii")
    return bytes((_TRAILERS_FLAG,)) + len(payload).to_bytes(4, "big") + payload


def _percent_encoded(message: str) -> str:
    if _UNESCAPED.fullmatch(message) and message == message.strip(" "):
        return message
    text = "".join([_PERCENT_ENCODED[byte] for byte in message.encode("utf-8", "replace")])
    # Clients trim the value of a line, so blanks at its ends are escaped.
    return _EDGES.sub(lambda blanks: "%20" * len(blanks[0]), text)
