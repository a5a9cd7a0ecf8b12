"""Makes messages of envelopes, and envelopes of messages; large ones in a thread.

Follows grpc/doc/compression.md: each message is compressed alone, or not at all.
Rule: framing.py divides the body; only a protocol knows how a message is parsed and written.
"""

from collections.abc import Callable
from typing import TypeVar

from transcoder.http.encodings import DEFLATE_AT_ONCE_BYTES, deflate
from transcoder.http.offload import Offload
from transcoder.options import Limits
from transcoder.protocols.envelopes.compression import inflate_message, is_inflated_at_once
from transcoder.protocols.envelopes.dialect import Dialect
from transcoder.protocols.envelopes.framing import Envelope, compressed_envelope, envelope

R = TypeVar("R")

Parse = Callable[[bytes], R]
"""Makes a message of its bytes, or raises TranscodeError."""


class MessageReader:
    """Inflates and parses messages."""

    def __init__(self, dialect: Dialect, limits: Limits, offload: Offload) -> None:
        self._dialect = dialect
        self._limits = limits
        self._offload = offload

    async def message(self, received: Envelope, encoding: str, parse: Parse[R]) -> R:
        """Returns the message in an envelope.

        Args:
            received: the envelope.
            encoding: of compressed messages.
            parse: makes the message.

        Raises:
            TranscodeError: it cannot be inflated or parsed, or is too large when inflated.
        """
        payload, is_compressed = received
        limits = self._limits
        if is_compressed:
            max_bytes = limits.message_max_bytes
            if not is_inflated_at_once(payload, encoding):
                # As one item, so that only one inflated message exists at a time.
                return await self._offload.request(
                    self._inflated_and_parsed, payload, encoding, max_bytes, parse
                )
            payload = inflate_message(self._dialect, payload, encoding, max_bytes=max_bytes)
        if len(payload) > limits.inline_max_bytes:
            return await self._offload.request(parse, payload)
        return parse(payload)

    def _inflated_and_parsed(
        self, payload: bytes, encoding: str, max_bytes: int, parse: Parse[R]
    ) -> R:
        return parse(inflate_message(self._dialect, payload, encoding, max_bytes=max_bytes))


class MessageWriter:
    """Puts the messages of one answer into envelopes, compressed if that makes them smaller."""

    __slots__ = ("_coding", "_min_bytes", "_offload")

    def __init__(self, offload: Offload, coding: str | None, *, min_bytes: int) -> None:
        """Makes a writer.

        Args:
            offload: compresses large messages.
            coding: of messages of `min_bytes` and more; None compresses none.
            min_bytes: smaller messages stay as they are.
        """
        self._offload = offload
        self._coding = coding
        self._min_bytes = min_bytes

    async def envelope(self, payload: bytes) -> bytes:
        """Returns the envelope of a message."""
        coding = self._coding
        if coding is None or len(payload) < self._min_bytes:
            return envelope(payload)
        if len(payload) <= DEFLATE_AT_ONCE_BYTES:
            smaller = deflate(payload, coding)
        else:
            smaller = await self._offload.answer(deflate, payload, coding)
        if len(smaller) >= len(payload):
            return envelope(payload)
        return compressed_envelope(smaller)
