"""Messages compressed one by one, as gRPC's frames have them: by gzip, or not at all.

Follows grpc/doc/compression.md and RFC 1952 (gzip).

Rule 1: no I/O.
Rule 2: of a message that inflates beyond the limit no more than the limit ever exists.
"""

import zlib
from typing import Final

from grpc import StatusCode

from transcoder.errors import TranscodeError, too_large

GZIP: Final = "gzip"
IDENTITY: Final = "identity"
ACCEPTED: Final = f"{IDENTITY},{GZIP}"
"""What grpc-accept-encoding says here."""

DEFLATE_MIN_BYTES: Final = 4 << 10
"""Below this a message is sent as it is: what is saved is less than the 80 µs that it takes."""
DEFLATE_AT_ONCE_BYTES: Final = 256 << 10
"""This takes about 2 ms; more leaves the loop."""
INFLATE_AT_ONCE_BYTES: Final = 1 << 10
"""This much gives a megabyte at most, as deflate's ratio ends at 1032: 5 ms."""

_GZIP_BITS: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 1  # of a 32 KiB message this leaves 16 %, and 6 leaves 14 % for twice the time


def accepts_gzip(accepted: str | None) -> bool:
    """Whether a grpc-accept-encoding names gzip."""
    return accepted is not None and GZIP in map(str.strip, accepted.split(","))


def deflated(message: bytes) -> bytes:
    return zlib.compress(message, _LEVEL, _GZIP_BITS)


def inflated(payload: bytes, *, max_bytes: int) -> bytes:
    """The message that a gzip payload holds.

    Raises:
        TranscodeError: RESOURCE_EXHAUSTED when there is more than `max_bytes`, INTERNAL when it is
            not one whole gzip member.
    """
    inflater = zlib.decompressobj(_GZIP_BITS)
    try:
        message = inflater.decompress(payload, max_bytes + 1)
    except zlib.error as exc:
        raise _broken("is not gzip") from exc
    if len(message) > max_bytes:
        raise too_large("a message, inflated,", limit_bytes=max_bytes)
    if not inflater.eof:
        raise _broken("ends early")
    if inflater.unused_data:
        raise _broken("goes on after its end")
    return message


def _broken(what: str) -> TranscodeError:
    # statuscodes.md: "Error decompressing request".
    return TranscodeError(StatusCode.INTERNAL, f"gRPC-Web framing: a compressed message {what}")
