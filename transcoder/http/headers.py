"""Maps HTTP headers to gRPC metadata and back.

Follows grpc/doc/PROTOCOL-HTTP2.md (Custom-Metadata, Timeout) and RFC 9110 section 7.6.1 (hop-by-hop
fields). The sets below list the names that do not pass, in each direction.
Rule: a look-up by name must not walk all headers; most requests look up two names.
"""

import base64
import functools
import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from multidict import MultiMapping

from transcoder.call import REQUEST_ID_KEY, CallMetadata, Metadatum
from transcoder.errors import InvalidHeader, SchemaError, malformed, shown
from transcoder.http.forwarded import FORWARDED_FOR

logger = logging.getLogger(__name__)

HTTP_CODE: Final = "x-http-code"
CONTENT_RANGE: Final = "content-range"
LOGGED_MAX: Final = 1000
"""Max warnings about dropped keys: clients choose the names, and may send any number."""

_CACHED_KEYS: Final = 1024
"""Max keys whose passing is cached; clients choose them."""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_FORWARDED: Final = _HOP_BY_HOP | {"host", "accept-encoding", "expect"}
_NOTHING: Final[frozenset[str]] = frozenset()
_COOKIES: Final = frozenset({"cookie"})
_NOT_FORWARDED_PREFIXES: Final = ("content-", "grpc-", "sec-websocket-", ":")
_NOT_RETURNED: Final = _HOP_BY_HOP | {"date", "server", REQUEST_ID_KEY, HTTP_CODE}
_NOT_RETURNED_PREFIXES: Final = ("content-", "grpc-", ":")
_NOT_FIXED: Final = _NOT_RETURNED | {"allow", "vary", "www-authenticate"}
_NOT_FIXED_PREFIXES: Final = (*_NOT_RETURNED_PREFIXES, "access-control-")
_OF_BODIES: Final = frozenset(
    {"content-disposition", "content-encoding", "content-language", CONTENT_RANGE}
)
"""Names that describe a body; a servicer sets them where it sends the body itself."""
_METADATA_PREFIX: Final = "grpc-metadata-"
_TRAILER_PREFIX: Final = "grpc-trailer-"

_METADATA_KEY: Final = re.compile(r"[0-9a-z_.-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]*")
# RFC 4648 section 4; the last group is padded or not.
_BASE64_HEADER: Final = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?"
)
_TIMEOUT: Final = re.compile(r"([0-9]{1,8})([HMSmun])")
_TIMEOUT_UNIT_S: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def deadline_of(headers: Mapping[str, str]) -> float | None:
    """Returns `time.monotonic()` at which the caller stops waiting; None without a grpc-timeout.

    Raises:
        TranscodeError: INVALID_ARGUMENT for a grpc-timeout that is not 1 to 8 digits and a unit.
    """
    text = headers.get("grpc-timeout")
    if text is None:
        return None
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        expected = "1 to 8 digits and a unit (H M S m u n)"
        raise malformed(f"header grpc-timeout: expected {expected}, got {shown(text)}")
    return time.monotonic() + int(match[1]) * _TIMEOUT_UNIT_S[match[2]]


class HttpMetadata(CallMetadata):
    """Metadata of HTTP headers, which are converted when they are read."""

    __slots__ = ("_built", "_headers", "_held_back", "_request_id")

    def __init__(
        self, headers: MultiMapping[str], *, request_id: str, forward_cookies: bool = False
    ) -> None:
        """Wraps the headers of one request.

        Raises:
            TranscodeError: INVALID_ARGUMENT when a `-bin` header is not base64.
        """
        self._headers = headers
        self._request_id = request_id
        self._built: Sequence[Metadatum] | None = None
        self._held_back = _NOTHING if forward_cookies else _COOKIES
        if "connection" in headers:
            self._held_back |= _tokens(headers.getall("connection"))
        # One search of all names costs half of a loop over them.
        if "-bin\n" in "\n".join(headers).lower() + "\n":
            self._all()

    def get(self, key: str, default: str | bytes | None = None) -> str | bytes | None:
        """Returns the first value under a lower-case key.

        Raises:
            InvalidHeader: the header has a value that is not valid as metadata. Iteration leaves it
                out; a look-up fails, as the caller must not take the header for absent.
        """
        if key == REQUEST_ID_KEY:
            return self._request_id
        if not _may_pass(key) or key in self._held_back:
            return default
        value = self._headers.get(key)
        if value is None:
            value = self._headers.get(_METADATA_PREFIX + key)
        if value is None:
            return default
        if key.endswith("-bin"):
            return super().get(key, default)
        if not (value.isascii() and value.isprintable()):
            raise InvalidHeader(key)
        return value

    def _all(self) -> Sequence[Metadatum]:
        if self._built is None:
            self._built = tuple(self._build())
        return self._built

    def _build(self) -> Iterable[Metadatum]:
        present: set[str] = set()
        prefixed: list[tuple[str, str]] = []
        for name, value in self._headers.items():
            key = name.lower()
            if key.startswith(_METADATA_PREFIX):
                prefixed.append((key.removeprefix(_METADATA_PREFIX), value))
            elif key != REQUEST_ID_KEY and _may_pass(key) and key not in self._held_back:
                present.add(key)
                yield from _metadatum(key, value)
        for key, value in prefixed:
            # A prefixed name neither replaces a header nor adds one that is not forwarded.
            if key in present or key == REQUEST_ID_KEY or key in self._held_back:
                continue
            if _may_pass(key):
                yield from _metadatum(key, value)
        yield Metadatum(REQUEST_ID_KEY, self._request_id)


class ForwardedMetadata(CallMetadata):
    """Metadata whose X-Forwarded-For has all hops, whatever else was sent under its name."""

    __slots__ = ("_built", "_hops", "_received")

    def __init__(self, received: CallMetadata, hops: str) -> None:
        """Wraps the metadata of one request; empty hops leave the name out."""
        self._received = received
        self._hops = hops
        self._built: Sequence[Metadatum] | None = None

    def get(self, key: str, default: str | bytes | None = None) -> str | bytes | None:
        """Returns the first value under a lower-case key, as `HttpMetadata` does."""
        if key != FORWARDED_FOR:
            return self._received.get(key, default)
        if not _VALUE.fullmatch(self._hops):
            raise InvalidHeader(key)
        return self._hops or default

    def _all(self) -> Sequence[Metadatum]:
        if self._built is None:
            others = (each for each in self._received if each.key != FORWARDED_FOR)
            hops = _metadatum(FORWARDED_FOR, self._hops) if self._hops else ()
            self._built = (*others, *hops)
        return self._built


@functools.lru_cache(maxsize=_CACHED_KEYS)
def _may_pass(key: str) -> bool:
    return key not in _NOT_FORWARDED and not key.startswith(_NOT_FORWARDED_PREFIXES)


def _tokens(values: Iterable[str]) -> frozenset[str]:
    """Returns the names in a header of comma-separated names, in lower case."""
    return frozenset(map(str.strip, ",".join(values).lower().split(",")))


def _metadatum(key: str, value: str) -> Iterable[Metadatum]:
    if not _METADATA_KEY.fullmatch(key):
        log_dropped("request header", key)
    elif key.endswith("-bin"):
        # Several values of one -bin key may come joined by commas (gRPC over HTTP/2, ASCII-Value).
        for part in value.split(","):
            yield Metadatum(key, _binary(key, part.strip()))
    elif not _VALUE.fullmatch(value):
        log_dropped("value of request header", key)
    else:
        yield Metadatum(key, value)


def _binary(key: str, text: str) -> bytes:
    # Not left to b64decode: versions of Python differ in the padding that they accept.
    if not _BASE64_HEADER.fullmatch(text):
        raise malformed(f"header {key}: expected base64, got {shown(text)}")
    return base64.b64decode(text + "=" * (-len(text) % 4))


def fixed_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Checks the headers that every answer has, and returns them as pairs.

    Raises:
        SchemaError: HTTP does not allow a name or a value, or the value of a name is not the same
            for every answer or connection.
    """
    for name, value in headers.items():
        key = name.lower()
        if not _METADATA_KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            expected = "a name and a value that HTTP allows"
            raise SchemaError(
                f"response header {shown(name)}: expected {expected}, got {shown(value)}"
            )
        if key in _NOT_FIXED or key.startswith(_NOT_FIXED_PREFIXES):
            raise SchemaError(f"response header {shown(name)}: is not the same for every answer")
    return list(headers.items())


def initial_headers(metadata: Iterable[tuple[str, str | bytes]]) -> Iterable[tuple[str, str]]:
    """Yields initial metadata as response headers, each under its own name."""
    for key, value in metadata:
        text = _header_value(key, value)
        if text is not None:
            yield key, text


def body_headers(metadata: Iterable[tuple[str, str | bytes]]) -> Iterable[tuple[str, str]]:
    """Yields the initial metadata that describes a body which the servicer sends itself."""
    for key, value in metadata:
        if key in _OF_BODIES:
            text = wire_value(key, value)
            if text is not None:
                yield key, text
            else:
                log_dropped("response metadata", key)


def trailer_headers(metadata: Iterable[tuple[str, str | bytes]]) -> Iterable[tuple[str, str]]:
    """Yields trailing metadata of a unary call as `grpc-trailer-` response headers."""
    for key, text in initial_headers(metadata):
        yield _TRAILER_PREFIX + key, text


def http_code(metadata: Iterable[tuple[str, str | bytes]]) -> int:
    """Returns the HTTP status of a successful answer: 200, or that of `x-http-code` (2xx, 3xx)."""
    for key, value in metadata:
        if key == HTTP_CODE:
            if isinstance(value, str) and re.fullmatch(r"[23][0-9]{2}", value):
                return int(value)
            log_dropped("value of initial metadata", key)
    return 200


def _header_value(key: str, value: str | bytes) -> str | None:
    if not _may_return(key):
        return None
    text = wire_value(key, value)
    if text is None:
        log_dropped("response metadata", key)
    return text


@functools.lru_cache(maxsize=_CACHED_KEYS)
def _may_return(key: str) -> bool:
    return key not in _NOT_RETURNED and not key.startswith(_NOT_RETURNED_PREFIXES)


def wire_value(key: str, value: str | bytes) -> str | None:
    """Returns the value of metadata for a header or a trailer frame; None if gRPC forbids it.

    A key has to be lower-case ASCII. The value is base64 under a `-bin` key, else printable ASCII.
    """
    if not _is_key(key):
        return None
    if key.endswith("-bin"):
        return base64_text(value if isinstance(value, bytes) else value.encode("utf-8", "replace"))
    text = value if isinstance(value, str) else value.decode("latin-1")
    return text if _VALUE.fullmatch(text) else None


@functools.lru_cache(maxsize=_CACHED_KEYS)
def _is_key(key: str) -> bool:
    return _METADATA_KEY.fullmatch(key) is not None


def base64_text(value: bytes) -> str:
    """Returns a binary value as gRPC writes it: base64, unpadded."""
    return base64.b64encode(value).decode("ascii").rstrip("=")


def log_dropped(what: str, key: str) -> None:
    """Logs once per key that it is dropped, for the first `LOGGED_MAX` keys."""
    if _log_once.cache_info().currsize < LOGGED_MAX:
        _log_once(what, key)


@functools.cache
def _log_once(what: str, key: str) -> None:
    logger.warning("dropped %s %s: not valid as metadata", what, shown(key))
