"""Serves plain HTTP handlers by path, beside the routes of services.

A handler gets the whole request in one piece and returns the whole answer. For what has a wire
format of its own: forms, signed payloads, documents at well-known paths.

Follows google/api/http.proto, "Path template syntax", for paths.
Rule 1: routes of services come first; a request gets here only when no method has its route.
Rule 2: a body is read as it was sent. A handler may verify a signature over it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from multidict import CIMultiDictProxy

from transcoder.call import peer_text
from transcoder.errors import SchemaError, TranscodeError, shown, unsupported_media_type
from transcoder.http.body import read_body
from transcoder.http.ceiling import Ceiling, Held
from transcoder.http.encodings import IDENTITY, codings_of
from transcoder.http.exchange import HttpExchange
from transcoder.http.request import Request
from transcoder.options import Limits
from transcoder.routing.router import RouteMatch, Router
from transcoder.routing.template import PathTemplate


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A whole request, as a plain handler gets it.

    Attributes:
        method: the HTTP method.
        path: as received, still percent-encoded.
        query: what follows the "?", as received.
        headers: looked up by any case.
        variables: decoded values of the path, by the names in the handler's template.
        body: as sent.
        peer: the client's address as gRPC writes it, "ipv4:127.0.0.1:5000"; behind a trusted proxy
            that of the proxy's client.
        request_id: as the answer carries it.
    """

    method: str
    path: str
    query: str
    headers: CIMultiDictProxy[str]
    variables: Mapping[str, str]
    body: bytes
    peer: str
    request_id: str


class PlainAnswer(NamedTuple):
    """A whole answer; Content-Length, Date and what all answers carry are added to it."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()


PlainHandler = Callable[[PlainRequest], Awaitable[PlainAnswer]]
"""Answers a request; may raise `TranscodeError`, which is answered as JSON calls answer it."""


@dataclass(frozen=True, slots=True)
class PlainRoute:
    """One registered handler; `limits` bound the body of its requests."""

    handler: PlainHandler
    variables: tuple[str, ...]
    limits: Limits


class PlainRoutes:
    """The plain handlers behind one port."""

    def __init__(self, limits: Limits, ceiling: Ceiling) -> None:
        """Starts without handlers.

        Args:
            limits: of bodies.
            ceiling: counts the bodies of all connections.
        """
        self._limits = limits
        self._ceiling = ceiling
        self._router: Router[PlainRoute] = Router()

    def add(
        self,
        verb: str,
        path: str,
        handler: PlainHandler,
        *,
        body_max_bytes: int | None = None,
        origin: str = "a plain handler",
    ) -> None:
        """Adds a handler; an error of a second one names the `origin` of both.

        Raises:
            SchemaError: the path is no template, has a handler for the method already, or
                `body_max_bytes` is more than the limit of all bodies.
        """
        most = self._limits.body_max_bytes
        if body_max_bytes is not None and body_max_bytes > most:
            expected = f"body_max_bytes of at most {most}"
            raise SchemaError(f"{verb} {path}: expected {expected}, got {body_max_bytes}")
        template = PathTemplate.parse(path)
        names = tuple(".".join(each.field_path) for each in template.variables)
        limits = replace(self._limits, body_max_bytes=body_max_bytes or most)
        route = PlainRoute(handler, names, limits)
        self._router.add(verb, template, route, origin=origin)

    def find(self, verb: str, path: str) -> RouteMatch[PlainRoute] | TranscodeError:
        """Returns the handler of a request, or the error of a path without one."""
        try:
            return self._router.match(verb, path)
        except TranscodeError as error:
            return error.released()

    async def answer(
        self, exchange: HttpExchange, match: RouteMatch[PlainRoute]
    ) -> tuple[int, bytes]:
        """Reads the body, runs the handler, and returns its status and body.

        Raises:
            TranscodeError: the body is too large (413), too slow (408), compressed (415), or not
                what its transfer coding says (400); or the handler raised it.
        """
        route, values = match
        request = exchange.request
        _require_no_coding(request)
        with Held(self._ceiling) as held:
            body = await read_body(request, route.limits, held) if request.has_body else b""
            answer = await route.handler(
                PlainRequest(
                    exchange.verb,
                    exchange.path,
                    exchange.query,
                    exchange.headers,
                    dict(zip(route.variables, values, strict=True)),
                    body,
                    peer_text(exchange.peername),
                    exchange.request_id,
                )
            )
        exchange.answer_headers += answer.headers
        return answer.status, answer.body


def _require_no_coding(request: Request) -> None:
    said = request.headers.getall("Content-Encoding", ())
    if said and (request.is_inflated or codings_of(said)):
        message = f"content encoding {shown(','.join(said))}: expected none"
        raise unsupported_media_type(message, ("Accept-Encoding", IDENTITY))
