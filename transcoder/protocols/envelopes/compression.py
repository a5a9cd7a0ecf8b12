"""Negotiates the compression of messages in envelopes, and inflates them.

Follows grpc/doc/compression.md and connectrpc.com, "Connect Protocol Reference"; http/encodings.py
does the codings themselves.

Rule 1: no I/O.
Rule 2: inflating a message stops at the limit.
"""

from typing import Final

from grpc import StatusCode

from transcoder.errors import TranscodeError, shown, too_large
from transcoder.http import encodings
from transcoder.http.encodings import CODINGS, GZIP, IDENTITY, TooMuchError, UnreadableError
from transcoder.protocols.envelopes.dialect import Dialect

ENCODINGS: Final = ",".join((IDENTITY, *CODINGS))
"""The encodings of messages that this server reads, as answers name them."""

_INFLATE_AT_ONCE_BYTES: Final = 1 << 10
"""Max bytes of a gzip payload that is inflated on the event loop: deflate's ratio is 1032 at most,
so this gives a megabyte, which takes 5 ms."""


def accepted_coding(accepted: str | None) -> str | None:
    """Returns the best coding that a list of accepted encodings names; None if it names none."""
    if not accepted:
        return None
    names = set(map(str.strip, accepted.split(",")))
    return next((coding for coding in CODINGS if coding in names), None)


def known_encoding(dialect: Dialect, encoding: str | None) -> str:
    """Returns the encoding that a request's header names; without the header, identity.

    Raises:
        TranscodeError: UNIMPLEMENTED with the encodings of this server, for any other encoding.
    """
    if not encoding or encoding == IDENTITY:
        return IDENTITY
    if encoding in CODINGS:
        return encoding
    raise TranscodeError(
        StatusCode.UNIMPLEMENTED,
        f"{dialect.encoding}: expected one of {ENCODINGS}, got {shown(encoding)}",
        headers=((dialect.accept_encoding, ENCODINGS),),
    )


def is_inflated_at_once(payload: bytes, encoding: str) -> bool:
    """True if inflating a payload takes some milliseconds at most.

    That holds for no payload of br and zstd: a few bytes may take as long as a megabyte.
    """
    return encoding == GZIP and len(payload) <= _INFLATE_AT_ONCE_BYTES


def inflate_message(dialect: Dialect, payload: bytes, encoding: str, *, max_bytes: int) -> bytes:
    """Returns the message that a compressed payload holds.

    Raises:
        TranscodeError: RESOURCE_EXHAUSTED if the message has more than `max_bytes`, INTERNAL if the
            payload is not one whole stream of the encoding.
    """
    try:
        return encodings.inflate(payload, encoding, max_bytes=max_bytes)
    except TooMuchError:
        raise too_large("a message, inflated,", limit_bytes=max_bytes) from None
    except UnreadableError as fault:
        # grpc/doc/statuscodes.md: "Error decompressing request".
        raise dialect.broken(f"a compressed message {fault}") from None
