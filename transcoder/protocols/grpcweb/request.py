"""Reads the one message of a gRPC-Web request: receives, inflates, parses it.

Follows grpc/doc/PROTOCOL-WEB.md and grpc/doc/statuscodes.md.
Rule: framing.py reads the frames; only the exchange knows where the body comes from.
"""

import functools
from typing import Final, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from transcoder.errors import TranscodeError, too_large
from transcoder.http.ceiling import Ceiling, Held
from transcoder.http.exchange import Exchange
from transcoder.http.offload import Offload
from transcoder.options import Limits
from transcoder.protocols.envelopes.compression import known_encoding
from transcoder.protocols.envelopes.framing import HEADER_BYTES, Envelope, only_message
from transcoder.protocols.envelopes.messages import MessageReader, Parse
from transcoder.protocols.grpcweb.framing import GRPC_WEB, Mode, UnaryReader

R = TypeVar("R")

_TEXT_CHARS: Final = 4
"""Max characters of a byte in text mode: a client may encode each byte as a group of its own."""
_LENGTH_DIGITS_MAX: Final = 20
"""Max digits that are read of a Content-Length: Python refuses to convert thousands of them."""


class RequestReader:
    """Reads requests; inflates and parses large ones in a thread."""

    def __init__(self, limits: Limits, offload: Offload, ceiling: Ceiling) -> None:
        self._limits = limits
        self._messages = MessageReader(GRPC_WEB, limits, offload)
        self._ceiling = ceiling

    async def read(self, request_type: type[Message], exchange: Exchange, mode: Mode) -> Message:
        """Returns the message in the body of a request.

        Raises:
            TranscodeError: the body is not exactly one message of the type; the body, or the bodies
                of all connections together, are too large.
        """
        return await self._parsed(exchange, mode, functools.partial(_parse_message, request_type))

    async def read_bytes(self, exchange: Exchange, mode: Mode) -> bytes:
        """Returns the bytes of the message in the body of a request; raises as `read`."""
        return await self._parsed(exchange, mode, bytes)

    async def _parsed(self, exchange: Exchange, mode: Mode, parse: Parse[R]) -> R:
        encoding = known_encoding(GRPC_WEB, exchange.headers.get(GRPC_WEB.encoding))
        with Held(self._ceiling) as held:
            received = await self._read(exchange, mode, encoding, held)
            return await self._messages.message(received, encoding, parse)

    async def _read(self, exchange: Exchange, mode: Mode, encoding: str, held: Held) -> Envelope:
        limit_bytes = self._limits.message_max_bytes
        body_max_bytes = limit_bytes + HEADER_BYTES
        if mode is Mode.TEXT:
            body_max_bytes *= _TEXT_CHARS
        declared = exchange.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared[:_LENGTH_DIGITS_MAX]) > body_max_bytes:
            raise too_large("the request body", limit_bytes=body_max_bytes)
        piece, goes_on = await _next_piece(exchange, held)
        if mode is Mode.BINARY and not goes_on:
            message = only_message(piece, max_bytes=limit_bytes)
            if message is not None:
                return Envelope(message, is_compressed=False)
        reader = UnaryReader(mode, message_max_bytes=limit_bytes, encoding=encoding)
        reader.feed(piece)
        while goes_on:
            piece, goes_on = await _next_piece(exchange, held)
            reader.feed(piece)
        return reader.finish()


def _parse_message(request_type: type[Message], payload: bytes) -> Message:
    message = request_type()
    try:
        request_type.ParseFromString(message, payload)  # of the class: a field may have this name
    except DecodeError as exc:
        # grpc/doc/statuscodes.md: "Error parsing request proto".
        raise TranscodeError(
            grpc.StatusCode.INTERNAL,
            f"the request is not a {request_type.DESCRIPTOR.full_name} in protobuf's binary format",
        ) from exc
    return message


async def _next_piece(exchange: Exchange, held: Held) -> tuple[bytes, bool]:
    """Returns the next piece of the body, and True if more follows; counts its bytes."""
    piece, goes_on = await exchange.read()
    held.take(len(piece))
    return piece, goes_on
