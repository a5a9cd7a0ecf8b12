"""Frames messages between the service and a worker: four octets of length, one of kind, a payload.

Rule: each side refuses a frame that is longer than the other side may send.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from server.triggers import PRE_USERINFO, Trigger

HEAD: Final = struct.Struct(">IB")

FRAME_MAX_BYTES: Final = 4 << 20
"""Max bytes of a frame from a worker; `process` limits all frames of an action."""

RUN_MAX_BYTES: Final = 64 << 20
"""Max bytes of a frame to a worker: script, context and lists, JSON in JSON."""

CPU_MAX_S: Final = 60
"""Max CPU seconds of a worker in its life (RLIMIT_CPU); it is replaced after half of them."""

SHIM_LINE: Final = 1_000
SHIM_COLUMN_MIN: Final = 1_000
"""Line and first column of our own code in the engine; by them its frames are recognised.

Every character before it costs each context some time. A script's own line of this number would be
mistaken for it from this column on.
"""

FIRST_TRIGGER: Final[Trigger] = PRE_USERINFO
"""Trigger for which a worker prepares its first context."""


class FrameKind(IntEnum):
    """Numbers the kinds of frames; each has a sender and a payload."""

    RUN = 1
    """To the worker: five parts: `run` or `check`, trigger, setup (JSON), name, source."""
    ANSWER = 2
    """To the worker: the answer to FETCH, SECRET or METADATA (JSON)."""
    READY = 3
    """From the worker when it has a fresh context: names of the protections that are active."""
    EVALUATED = 4
    """From the worker: the script was evaluated; its function is called next."""
    EFFECT = 5
    """From the worker: an effect that a script asked for (JSON)."""
    LOG = 6
    """From the worker: a log line of a script (JSON)."""
    FETCH = 7
    """From the worker, which then waits for ANSWER: an HTTP request (JSON)."""
    DONE = 8
    """From the worker: the end of the action (JSON)."""
    SECRET = 9
    """From the worker, which then waits for ANSWER: the name of a secret (JSON)."""
    METADATA = 10
    """From the worker, which then waits for ANSWER: a place of metadata (JSON)."""


class FrameError(Exception):
    """The octets are not a valid frame."""


def frame(kind: FrameKind, payload: bytes) -> bytes:
    return HEAD.pack(len(payload), kind) + payload


def join(*parts: bytes) -> bytes:
    """Joins parts into one payload; `split` is the inverse."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def split(payload: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(payload):
        end = at + 4 + int.from_bytes(payload[at : at + 4], "big")
        parts.append(payload[at + 4 : end])
        at = end
    return parts


class FrameReader:
    """Reads frames from octets that arrive in pieces."""

    def __init__(self, *, size_max: int = FRAME_MAX_BYTES) -> None:
        self._size_max = size_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[FrameKind, bytes]]:
        """Yields the frames that are complete.

        Raises:
            FrameError: the frame is invalid or too large.
        """
        self._buffer += data
        while len(self._buffer) >= HEAD.size:
            size, kind = HEAD.unpack_from(self._buffer)
            if size > self._size_max:
                raise FrameError(f"a frame of {size} bytes, expected at most {self._size_max}")
            if len(self._buffer) < HEAD.size + size:
                return
            payload = bytes(self._buffer[HEAD.size : HEAD.size + size])
            del self._buffer[: HEAD.size + size]
            try:
                yield FrameKind(kind), payload
            except ValueError:
                raise FrameError(f"a frame of kind {kind}") from None
