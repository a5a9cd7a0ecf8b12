"""Inflates the body of a request as it is read, if it is a stream in gzip.

Follows RFC 9110 section 8.4 (Content-Encoding) and RFC 1952.
Rule: no other coding. The window of a stream in br or zstd may take megabytes for as long as the
stream is open; that of gzip takes 32 KiB.
"""

from typing import Final

from transcoder.errors import malformed, shown, unsupported_media_type
from transcoder.http.encodings import GZIP, IDENTITY, UnreadableError
from transcoder.http.exchange import HttpExchange
from transcoder.http.request import Request
from transcoder.http.stream_encodings import StreamInflater
from transcoder.protocols.streams import BodySource

_INFLATED_MAX_BYTES: Final = 64 << 10
"""Max bytes that are inflated at once."""


def inflated(exchange: HttpExchange) -> BodySource:
    """Returns what gives the body of a request without its content coding.

    Raises:
        TranscodeError: 415, it is in another coding than gzip.
    """
    encoding = coding_of(exchange.request)
    if encoding == IDENTITY:
        return exchange
    if encoding in (GZIP, "x-gzip"):
        return _InflatedBody(exchange)
    message = f"content encoding {shown(encoding)}: expected gzip or none for a stream of requests"
    raise unsupported_media_type(message, ("Accept-Encoding", f"{GZIP}, {IDENTITY}"))


def coding_of(request: Request) -> str:
    """Returns the content coding of a body, in lower case, as the server has to decode it."""
    if request.is_inflated:
        return IDENTITY
    return request.headers.get("Content-Encoding", IDENTITY).strip().lower() or IDENTITY


class _InflatedBody:
    """A body that is read in gzip, and given inflated."""

    __slots__ = ("_exchange", "_inflater", "_is_read")

    def __init__(self, exchange: HttpExchange) -> None:
        self._exchange = exchange
        self._inflater = StreamInflater()
        self._is_read = False

    async def next_piece(self, *, until: float, timeout_s: float, what: str) -> tuple[bytes, bool]:
        try:
            while not (piece := self._inflater.take(_INFLATED_MAX_BYTES)):
                if self._is_read:
                    self._inflater.finish()
                    return b"", False
                fed, goes_on = await self._exchange.next_piece(
                    until=until, timeout_s=timeout_s, what=what
                )
                self._is_read = not goes_on
                self._inflater.feed(fed)
        except UnreadableError as fault:
            raise malformed(f"request body, sent as gzip, {fault}") from None
        return piece, True
