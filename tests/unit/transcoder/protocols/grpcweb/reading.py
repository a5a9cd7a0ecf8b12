"""Reads a gRPC-Web request's body in pieces, and writes out how one is refused."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from grpc import StatusCode

from transcoder.errors import TranscodeError
from transcoder.protocols.grpcweb.framing import Mode, UnaryReader

LIMIT_BYTES: Final = 1000


@dataclass(frozen=True)
class Refused:
    """The refusal of a body."""

    code: StatusCode
    message: str


Read: TypeAlias = bytes | Refused


def malformed(message: str) -> Refused:
    return Refused(StatusCode.INTERNAL, f"gRPC-Web framing: {message}")


def ends_after(part: str) -> Refused:
    return malformed(f"the body ends after {part}")


def bad_flags(flags: str) -> Refused:
    return malformed(f"frame flags: expected 0x00 or 0x01, got {flags}")


def not_one_message(fault: str) -> Refused:
    text = f"gRPC-Web framing: expected exactly one message, but the body {fault}"
    return Refused(StatusCode.UNIMPLEMENTED, text)


def too_large(size: int) -> Refused:
    text = f"a message of {size} bytes is larger than the limit of {LIMIT_BYTES} bytes"
    return Refused(StatusCode.RESOURCE_EXHAUSTED, text)


def cut(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def read(pieces: list[bytes], mode: Mode = Mode.BINARY, *, encoding: str = "identity") -> Read:
    reader = UnaryReader(mode, message_max_bytes=LIMIT_BYTES, encoding=encoding)
    try:
        for piece in pieces:
            reader.feed(piece)
        return reader.finish().payload
    except TranscodeError as error:
        return Refused(error.code, error.message)
