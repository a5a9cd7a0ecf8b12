"""Reads and checks a request that a script makes with `fetch`; sends nothing.

Follows docs/scripts.md "Modules", and RFC 9110 sections 5 (fields) and 9 (methods).
Rule: the text of an error is never that of a foreign exception, as it goes to the script.
"""

from typing import Annotated, Final

import msgspec
from yarl import URL

FETCH_REQUEST_MAX_BYTES: Final = 1 << 20
"""Max bytes of a request as the worker sends it; a larger one is an error."""

HEADERS_MAX: Final = 100
"""Max headers of a request; more are an error."""

QUOTED_MAX_CHARS: Final = 80
"""Max characters of a value in an error."""

_RESERVED: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")
)
"""Headers of framing and routing, which scripts may not set."""

_HTTP_NAME: Final = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z"


class FetchError(Exception):
    """The request failed; the text is for the script."""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    method: Annotated[str, msgspec.Meta(pattern=_HTTP_NAME)] = "GET"
    headers: list[tuple[Annotated[str, msgspec.Meta(pattern=_HTTP_NAME)], str]] | None = None
    body: str | None = None


_decode_request: Final = msgspec.json.Decoder(Request).decode


def read_request(payload: bytes) -> Request:
    """Reads a request.

    Raises:
        FetchError: it is too large or invalid.
    """
    if len(payload) > FETCH_REQUEST_MAX_BYTES:
        raise FetchError(
            f"a request of {len(payload)} bytes, expected at most {FETCH_REQUEST_MAX_BYTES}"
        )
    try:
        request = _decode_request(payload)
    except msgspec.ValidationError:
        raise FetchError("method and names of headers: expected tokens of HTTP") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FetchError("a request that cannot be read") from None
    headers = request.headers or ()
    if len(headers) > HEADERS_MAX:
        raise FetchError(f"{len(headers)} headers, expected at most {HEADERS_MAX}")
    for name, value in headers:
        if name.lower() in _RESERVED:
            raise FetchError(f"header {name}: it is not a script's to set")
        if any(character in value for character in "\r\n\0"):
            raise FetchError(f"header {name}: a line break in its value")
    return request


def url_of(text: str, *, base: URL | None = None) -> URL:
    """Returns the URL, without a fragment.

    Args:
        text: absolute, or relative to the base.
        base: the URL that a relative one is resolved against.

    Raises:
        FetchError: it is not a URL of http or https with a host.
    """
    try:
        url = URL(text)
        if base is not None:
            url = base.join(url)
        if url.scheme in ("http", "https") and url.raw_host and url.host:
            return url.with_fragment(None)
    except ValueError:  # also of `host`, for an invalid IDNA name as in http://xn--/
        pass
    raise FetchError(f"url: expected one of http or https, got {text[:QUOTED_MAX_CHARS]!r}")


def is_same_origin(one: URL, other: URL) -> bool:
    """True if scheme, host and port are equal (RFC 6454); the default port of a scheme counts."""
    return (one.scheme, one.raw_host, one.port) == (other.scheme, other.raw_host, other.port)
