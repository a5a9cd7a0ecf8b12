"""The octets between the service and a worker: four of length, one of kind, a payload.

Rule: neither side believes the other's lengths beyond what it may send.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from server.scripts.triggers import PRE_USERINFO, Trigger

HEAD: Final = struct.Struct(">IB")

FRAME_MAX_BYTES: Final = 4 << 20
"""Of what a worker sends, which is held to less in all."""

RUN_MAX_BYTES: Final = 64 << 20
"""Of what it is sent: a script, a context, and what the actions before made of that, as JSON in
JSON. It has memory for less."""


CPU_MAX_S: Final = 60
"""Seconds of CPU that a worker has in its life (RLIMIT_CPU); it is replaced at half of them."""

SHIM_LINE: Final = 5_000
"""Each part of our script side is this one line, so that its frames in a stack are told.

Every line before it costs each context a little; a script has all places but those in this line.
"""


FIRST_TRIGGER: Final[Trigger] = PRE_USERINFO
"""A worker makes its first context for this one, before it is told of any."""


class FrameKind(IntEnum):
    """Of a frame; what its payload is."""

    RUN = 1
    """To the worker. Five parts: `run` or `check`, trigger, setup (JSON), name, source."""
    ANSWER = 2
    """To the worker: the answer to FETCH (JSON)."""
    READY = 3
    """From the worker, when it has a fresh context: the protections that hold, by name."""
    EVALUATED = 4
    """From the worker: the script is evaluated, its function comes next."""
    EFFECT = 5
    """From the worker: something that a script asked for (JSON)."""
    LOG = 6
    """From the worker: a line of a script (JSON)."""
    FETCH = 7
    """From the worker, which then waits for ANSWER: a request over HTTP (JSON)."""
    DONE = 8
    """From the worker: how it ended (JSON)."""


class FrameError(Exception):
    """Octets that are no frame."""


def frame(kind: FrameKind, payload: bytes) -> bytes:
    return HEAD.pack(len(payload), kind) + payload


def join(*parts: bytes) -> bytes:
    """Parts as one payload; `split` takes them apart."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def split(payload: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(payload):
        end = at + 4 + int.from_bytes(payload[at : at + 4], "big")
        parts.append(payload[at + 4 : end])
        at = end
    return parts


class FrameReader:
    """Frames out of octets that come in pieces."""

    def __init__(self, *, size_max: int = FRAME_MAX_BYTES) -> None:
        self._size_max = size_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[FrameKind, bytes]]:
        """Every frame that is whole now.

        Raises:
            FrameError: what came is no frame, or too large.
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
