"""Answers requests that no route of a service serves: plain handlers, health, OPTIONS, 404.

Follows RFC 9110 sections 9.3.7 (OPTIONS) and 15.5.5 (404). Health is JSON with the words of
grpc.health.v1.
Rule: routes of services come first; this module is called only when no route matches.
"""

from collections.abc import Container
from typing import Final

import grpc

from transcoder.errors import TranscodeError, shown, unsupported_media_type, wrong_method
from transcoder.http.body import JSON_TYPE
from transcoder.http.exchange import HttpExchange
from transcoder.http.plain import PlainRoutes
from transcoder.http.unserved_paths import HTML, UnservedPaths, asks_for_page
from transcoder.protocols.protocol import WholeAnswer

_READINESS: Final = "/readyz"
_HEALTH_PATHS: Final = frozenset({"/healthz", _READINESS})
_SERVING: Final = b'{"status":"SERVING"}'
_NOT_SERVING: Final = b'{"status":"NOT_SERVING"}'
_PAGE_HEADERS: Final = (
    ("Content-Type", HTML),
    ("Vary", "Accept"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)


class Unrouted:
    """Answers requests that no route serves.

    Attributes:
        is_ready: True answers /readyz with 200, False with 503.
        plain: the plain handlers.
        unserved: texts for paths that are not served.
    """

    def __init__(
        self, methods: Container[str], *, plain: PlainRoutes, unserved: UnservedPaths
    ) -> None:
        """Starts not ready.

        Args:
            methods: the paths by which gRPC calls methods.
            plain: the plain handlers.
            unserved: texts for paths that are not served.
        """
        self.is_ready = False
        self.plain: Final = plain
        self.unserved: Final = unserved
        self._methods = methods

    async def answer(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        """Answers a request, or raises its error.

        Args:
            exchange: the request.
            error: the router's.

        Raises:
            TranscodeError: 404, 405, 415 or UNIMPLEMENTED; or a plain handler fails.
        """
        found = self.plain.find(exchange.verb, exchange.path)
        if not isinstance(found, TranscodeError):
            return await self.plain.answer(exchange, found)
        if found.code is not grpc.StatusCode.NOT_FOUND:
            error = found
        return self._answer_unserved(exchange, error)

    def _answer_unserved(self, exchange: HttpExchange, error: TranscodeError) -> WholeAnswer:
        verb, path = exchange.verb, exchange.path
        is_health = path in _HEALTH_PATHS
        if is_health and error.code is grpc.StatusCode.NOT_FOUND:
            error = wrong_method(("GET", "HEAD"))
        if verb == "OPTIONS" and error.http_status == 405:
            exchange.answer_headers += error.headers
            return 204, b""
        if is_health and verb in ("GET", "HEAD"):
            exchange.answer_headers.append(("Content-Type", JSON_TYPE))
            is_unready = path == _READINESS and not self.is_ready
            return (503, _NOT_SERVING) if is_unready else (200, _SERVING)
        if path in self._methods and verb == "POST":
            # A method with an HTTP rule answers JSON at its route, and gRPC-Web alone at this path.
            content_type = shown(exchange.headers.get("Content-Type"))
            raise unsupported_media_type(
                f"content type {content_type}: expected application/grpc-web+proto"
            )
        if error.code is not grpc.StatusCode.NOT_FOUND:
            raise error
        error = self.unserved.missing(path)
        is_404 = error.code is grpc.StatusCode.NOT_FOUND
        if not (is_404 and asks_for_page(exchange.headers.get("Accept"))):
            raise error
        exchange.log_refusal(error)
        exchange.answer_headers += _PAGE_HEADERS
        return error.http_status, self.unserved.page()
