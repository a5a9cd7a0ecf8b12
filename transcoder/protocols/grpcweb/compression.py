"""Negotiates the compression of gRPC-Web messages, which is gzip or none, and inflates them.

Follows grpc/doc/compression.md; http/encodings.py does gzip itself.

Rule 1: no I/O.
Rule 2: inflating a message stops at the limit.
"""

from typing import Final

from grpc import StatusCode

from transcoder.errors import TranscodeError, shown, too_large
from transcoder.http import encodings
from transcoder.http.encodings import GZIP, IDENTITY, TooMuchError, UnreadableError

GRPC_ACCEPT_ENCODING: Final = f"{IDENTITY},{GZIP}"
"""The header grpc-accept-encoding of answers."""

INFLATE_AT_ONCE_BYTES: Final = 1 << 10
"""Max bytes of a payload that is inflated on the event loop: deflate's ratio is 1032 at most, so
this gives a megabyte, which takes 5 ms."""


def accepts_gzip(accepted: str | None) -> bool:
    """True if a grpc-accept-encoding names gzip."""
    return accepted is not None and GZIP in map(str.strip, accepted.split(","))


def known_encoding(encoding: str | None) -> str:
    """Returns the encoding that a request's grpc-encoding names; without the header, identity.

    Raises:
        TranscodeError: UNIMPLEMENTED with grpc-accept-encoding, for any other encoding.
    """
    if not encoding or encoding == IDENTITY:
        return IDENTITY
    if encoding == GZIP:
        return GZIP
    raise TranscodeError(
        StatusCode.UNIMPLEMENTED,
        f"grpc-encoding: expected {IDENTITY} or {GZIP}, got {shown(encoding)}",
        headers=(("grpc-accept-encoding", GRPC_ACCEPT_ENCODING),),
    )


def inflate_message(payload: bytes, *, max_bytes: int) -> bytes:
    """Returns the message that a gzip payload holds.

    Raises:
        TranscodeError: RESOURCE_EXHAUSTED if the message has more than `max_bytes`, INTERNAL if the
            payload is not one whole gzip member.
    """
    try:
        return encodings.inflate(payload, GZIP, max_bytes=max_bytes)
    except TooMuchError:
        raise too_large("a message, inflated,", limit_bytes=max_bytes) from None
    except UnreadableError as fault:
        # grpc/doc/statuscodes.md: "Error decompressing request".
        message = f"gRPC-Web framing: a compressed message {fault}"
        raise TranscodeError(StatusCode.INTERNAL, message) from None
