"""Writes and reads frames of gRPC and gRPC-Web: a byte of flags, four of length, a payload.

Follows grpc/doc/PROTOCOL-WEB.md.
Rule: nothing of the transcoder or of the server is used, so that no fault cancels itself out.
"""

from typing import Final

COMPRESSED: Final = 0x01
TRAILERS: Final = 0x80


def framed(payload: bytes, *, flags: int = 0) -> bytes:
    return bytes((flags,)) + len(payload).to_bytes(4, "big") + payload


def split_frame(body: bytes) -> tuple[int, bytes, bytes]:
    """Returns the flags and the payload of the first frame, and what follows it."""
    end = 5 + int.from_bytes(body[1:5], "big")
    return body[0], body[5:end], body[end:]
