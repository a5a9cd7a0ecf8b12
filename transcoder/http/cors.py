"""Decides which origins may call from a browser, and makes the CORS headers.

Follows the Fetch standard, "CORS protocol", and the Private Network Access draft (one header more
in a preflight). It applies to every protocol, and to errors too.

Rule 1: this file reads and makes headers only; protocols and dispatch.py answer.
Rule 2: an origin that is not allowed gets no header that names it, so the browser hides the answer
from the page. Methods that are not safe are refused too, because a browser sends forms and simple
requests of any site without a preflight. A caller that is not a browser sends no origin, and is not
checked.
Rule 3: with "*" the browser's credentials (cookies) are never allowed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from transcoder.errors import SchemaError, shown

ANY_ORIGIN: Final = "*"
PREFLIGHT_MAX_AGE_S: Final = 7200
"""Max seconds that a browser remembers a preflight; Chromium's upper limit."""

_ALLOWED_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Always exposed, so that what a page can read does not depend on how its call ended.
_EXPOSED: Final = (
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "x-request-id",
    "location",
    "content-length",
)
# Readable without being exposed (the safelist), never readable by pages, or exposed already.
_NOT_EXPOSED: Final = frozenset(
    {
        *_EXPOSED,
        "cache-control",
        "connection",
        "content-language",
        "content-type",
        "date",
        "expires",
        "keep-alive",
        "last-modified",
        "pragma",
        "server",
        "set-cookie",
        "transfer-encoding",
        "vary",
        "x-robots-tag",
    }
)
_NOT_EXPOSED_PREFIX: Final = "access-control-"

# As a browser serializes an origin (HTML standard, "ASCII serialization of an origin").
_SERIALIZED_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_OPAQUE_ORIGIN: Final = "null"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 section 9.2.1
_OWN_SITES: Final = ("same-origin", "none")  # Fetch Metadata: a page of this origin; the user
_DEFAULT_PORT_BY_SCHEME: Final = {"http": "80", "https": "443"}
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2


class Cors:
    """Decides for one list of allowed origins."""

    def __init__(
        self,
        origins: Sequence[str],
        *,
        always: Iterable[str] = (),
        preflight_max_age_s: int = PREFLIGHT_MAX_AGE_S,
    ) -> None:
        """Checks the list.

        Args:
            origins: each as a browser sends it ("https://app.example"), or "*" alone for any;
                with an empty list no answer has a CORS header.
            always: names of further headers that every answer has.
            preflight_max_age_s: how long a browser may remember a preflight.

        Raises:
            SchemaError: no browser would send an origin of the list, or it is not a list.
        """
        if isinstance(origins, str):  # which is a sequence of its letters
            raise SchemaError(f"CORS origins: expected a list of them, got {shown(origins)}")
        for origin in origins:
            if origin != ANY_ORIGIN:
                _check_origin(origin)
            elif len(origins) > 1:
                message = (
                    f"CORS origins: '*' allows any and stands alone, got {len(origins)} origins"
                )
                raise SchemaError(message)
        self.is_enabled = bool(origins)
        self._allows_any = ANY_ORIGIN in origins
        self._origins = frozenset(origins)
        self._exposed = dict.fromkeys((*_EXPOSED, *filter(_is_exposed, map(str.lower, always))))
        self._max_age = str(preflight_max_age_s)

    def refuses(self, verb: str, origin: str | None, headers: Mapping[str, str]) -> bool:
        """True if a page whose origin is not allowed makes a browser send the request.

        Args:
            verb: the HTTP method.
            origin: the request's Origin header.
            headers: all of the request's, looked up by any case.
        """
        return verb not in _SAFE and self.refuses_page(origin, headers)

    def refuses_page(self, origin: str | None, headers: Mapping[str, str]) -> bool:
        """True if the page that makes a browser send a request is of an origin not allowed.

        Args:
            origin: the request's Origin header.
            headers: all of the request's, looked up by any case.
        """
        if origin is None and "Sec-Fetch-Site" not in headers:
            return False
        return _is_foreign(origin, headers) and (origin is None or not self._allows(origin))

    def keeps_out(self, origin: str, headers: Mapping[str, str]) -> bool:
        """True if a page sends the request and may not read its answer.

        An Origin that no browser would send is not a page's.

        Args:
            origin: the request's Origin header.
            headers: all of the request's.
        """
        is_page = origin == _OPAQUE_ORIGIN or _SERIALIZED_ORIGIN.fullmatch(origin) is not None
        return is_page and not self._allows(origin) and _is_foreign(origin, headers)

    def is_preflight(self, headers: Mapping[str, str]) -> bool:
        """True if an OPTIONS request with these headers asks what a page may send."""
        return self.is_enabled and "Access-Control-Request-Method" in headers

    def preflight_headers(self, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """Returns the headers of the answer to a preflight, besides `response_headers`.

        Args:
            headers: the request's, looked up by any case.
        """
        if not self.is_enabled:
            return []
        out = [("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")]
        if not self._allows(headers.get("Origin", "")):
            return out
        methods: tuple[str, ...] = _ALLOWED_METHODS
        asked = headers.get("Access-Control-Request-Method", "")
        if asked not in methods and _HEADER_NAME.fullmatch(asked):  # an HTTP rule of a custom kind
            methods = (*methods, asked)
        out.append(("Access-Control-Allow-Methods", ", ".join(methods)))
        # Any header may be metadata of a service, so all that are asked for are allowed. "*" would
        # not include Authorization.
        names = map(str.strip, headers.get("Access-Control-Request-Headers", "").split(","))
        allowed = ", ".join(name for name in names if _HEADER_NAME.fullmatch(name))
        if allowed:
            out.append(("Access-Control-Allow-Headers", allowed))
        if headers.get("Access-Control-Request-Private-Network") == "true":
            out.append(("Access-Control-Allow-Private-Network", "true"))
        out.append(("Access-Control-Max-Age", self._max_age))
        return out

    def response_headers(
        self, origin: str | None, sent: Iterable[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Returns the headers of any answer, a preflight's too.

        Args:
            origin: the request's Origin header.
            sent: the headers that the answer has so far; they are exposed to the page.
        """
        if not self.is_enabled:
            return []
        if origin is None or not self._allows(origin):
            # A cache must not give this answer to a page that may read it.
            return [("Vary", "Origin")]
        exposed = self._exposed.copy()
        for name, _ in sent:
            key = name.lower()
            if _is_exposed(key):
                exposed[key] = None
        out = [
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", ", ".join(exposed)),
        ]
        if not self._allows_any:
            out.append(("Access-Control-Allow-Credentials", "true"))
        return out

    def _allows(self, origin: str) -> bool:
        if self._allows_any:
            return origin == _OPAQUE_ORIGIN or _SERIALIZED_ORIGIN.fullmatch(origin) is not None
        return origin in self._origins


def _is_foreign(origin: str | None, headers: Mapping[str, str]) -> bool:
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN_SITES
    # Browsers send Sec-Fetch-Site over https, and over http to loopback only.
    return origin is not None and origin.partition("://")[2] != headers.get("Host")


def _is_exposed(key: str) -> bool:
    return key not in _NOT_EXPOSED and not key.startswith(_NOT_EXPOSED_PREFIX)


def _check_origin(origin: str) -> None:
    match = _SERIALIZED_ORIGIN.fullmatch(origin)
    if match is None:
        message = (
            "CORS origin: expected scheme://host or scheme://host:port in lower case, "
            f"without a path or a final slash, got {shown(origin)}"
        )
        raise SchemaError(message)
    port = match["port"]
    if port is not None and port == _DEFAULT_PORT_BY_SCHEME.get(match["scheme"]):
        message = (
            f"CORS origin {shown(origin)}: browsers leave out port {port} of {match['scheme']}, "
            "so it would never match"
        )
        raise SchemaError(message)
