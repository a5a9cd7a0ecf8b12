"""Names the parts of ASGI: a scope, events, and the two functions by which they are passed.

Follows the ASGI specification 3.0; the types are those of Starlette, which so takes what has them.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from multidict import CIMultiDict, CIMultiDictProxy

from transcoder.http.response import HeaderPairs

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

_OF_A_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
"""Headers that make an answer of HTTP/2 malformed (RFC 9113 section 8.2.2)."""


def headers_of(scope: Scope) -> CIMultiDictProxy[str]:
    """Returns the headers of a request, as aiohttp decodes them."""
    pairs = CIMultiDict[str]()
    for name, value in scope["headers"]:
        pairs.add(name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
    return CIMultiDictProxy(pairs)


def header_octets(headers: HeaderPairs, *, is_http1: bool) -> list[tuple[bytes, bytes]]:
    """Returns the headers of an answer as events have them."""
    octets = []
    for name, value in headers:
        key = name.lower()
        if is_http1 or key not in _OF_A_CONNECTION:
            octets.append((key.encode("latin-1"), value.encode("latin-1")))
    return octets


def extensions_of(scope: Scope) -> Mapping[str, object]:
    """Returns what the host can do besides the specification."""
    extensions: Mapping[str, object] | None = scope.get("extensions")
    return extensions or {}
