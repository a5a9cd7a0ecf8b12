"""Translates errors of aiohttp's parser into errors for clients.

Knows the texts of aiohttp 3.14 and its llhttp, none of which reaches a client. Follows RFC 9112
(HTTP/1.1) and RFC 6585 section 5 (431).
"""

from typing import Final

from aiohttp import http_exceptions
from grpc import StatusCode

from transcoder.errors import TranscodeError, malformed
from transcoder.options import Limits

_TLS: Final = "request: expected HTTP/1.1, got TLS"
_TEXT_BY_PART: Final = (
    # By a part of the parser's text; the first that fits applies, else `_OTHERWISE`.
    ("HTTPS traffic", _TLS),
    (r"b'\x16'", _TLS),  # the first byte of a handshake, when it arrives alone
    ("Pause on PRI", "request: expected HTTP/1.1, got HTTP/2"),
    ("nvalid method", "request line: expected an HTTP method first"),
    ("Bad status line", "request line: expected a method, a path and HTTP/1.1"),
    ("can't be present with", "headers: expected Content-Length or Transfer-Encoding, got both"),
    ("Content-Length", "header Content-Length: expected one whole number"),
    ("Transfer-Encoding", "header Transfer-Encoding: expected chunked, last and once"),
    ("'Host' header", "header Host: expected one"),
    ("hunk", "request body: its chunks are malformed"),
    ("eader", "headers: expected lines of a name, a colon and a value, each once"),
)
_OTHERWISE: Final = "request: expected HTTP/1.1"


def unparsed(exc: BaseException | None, message: str, limits: Limits) -> TranscodeError:
    """Returns the error of a request that the parser refuses.

    Args:
        exc: the parser's exception, if it raised one.
        message: the parser's text.
        limits: the limits that the parser has.
    """
    if isinstance(exc, http_exceptions.LineTooLong):
        limit = max(limits.line_max_bytes, limits.header_max_bytes)
        return _headers_too_large(f"request line or header: longer than {limit} bytes")
    if isinstance(exc, http_exceptions.InvalidURLError):
        return malformed("request target: expected a path or an absolute URL")
    if "Too many headers" in message:
        return _headers_too_large(f"headers: more than {limits.headers_max}")
    return malformed(next((text for part, text in _TEXT_BY_PART if part in message), _OTHERWISE))


def _headers_too_large(message: str) -> TranscodeError:
    return TranscodeError(StatusCode.RESOURCE_EXHAUSTED, message, http_status=431)
