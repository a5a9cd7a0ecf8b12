"""Dispatches requests to protocols, and adds what every answer carries.

Rule 1: this is the only place that turns a failure outside of a call into an HTTP answer.
Rule 2: a request that is refused before it becomes a call, which interceptors log, is logged here
at INFO.
"""

import itertools
import logging
import os
import re
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web

from transcoder.call import REQUEST_ID_KEY
from transcoder.errors import (
    TranscodeError,
    foreign_origin,
    internal_error,
    malformed,
    without_values,
)
from transcoder.http.aiohttp_request import AiohttpRequest
from transcoder.http.exchange import ExchangeOptions, HttpExchange
from transcoder.http.offload import Offload
from transcoder.http.refused_pages import RefusedPages
from transcoder.http.request import Request
from transcoder.http.response import Answer, HeaderList, compressed, with_connection_close
from transcoder.protocols.protocol import SelectiveProtocol, WireProtocol
from transcoder.protocols.rest import Rest
from transcoder.registry import Route
from transcoder.routing.router import NewRoute
from transcoder.tasks import Tasks

logger = logging.getLogger(__name__)

_VALID_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_SCHEME_AND_AUTHORITY: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_EXPECTED_VERSION: Final = "request line: expected a method, a path and HTTP/1.1"

_ID_PREFIX_BYTES: Final = 6
"""Random bytes of the request ids of one Dispatcher, which tell those of processes apart."""

CONTENT_TYPES_MAX: Final = 64
"""Max content types whose protocols are cached: clients choose them."""


class ServedRoute(NamedTuple):
    """A route, and how clients can call it."""

    verb: str
    """The HTTP method; "*" for any."""
    path: str
    """The template of the path, behind its prefix."""
    method: str
    """The path that gRPC calls: "/library.v1.Library/GetBook"."""
    forms: tuple[str, ...]
    """JSON, NDJSON and SSE (of streams), HttpBody, multipart, gRPC-Web, WebSocket, Connect."""


class Dispatcher:
    """Answers requests, each by the protocol that it is in."""

    def __init__(
        self,
        protocols: Sequence[SelectiveProtocol[HttpExchange]],
        rest: Rest,
        *,
        options: ExchangeOptions,
        compress_min_bytes: int,
        offload: Offload,
        tasks: Tasks,
    ) -> None:
        """Makes a dispatcher.

        Args:
            protocols: the first that takes a request answers it.
            rest: answers the requests that none of them takes.
            options: of all exchanges.
            compress_min_bytes: answers from this size on are compressed for clients that accept it.
            offload: compresses large answers.
            tasks: runs the requests of a mounted application.
        """
        self._protocols = tuple(protocols)
        self._readers = _Readers(self._protocols)
        self._rest = rest
        self._options = options
        self._cors = options.cors
        self._responses = options.responses
        self._refused_pages = RefusedPages()
        self._compress_min_bytes = compress_min_bytes
        self._offload = offload
        self._tasks = tasks
        # Unique, without random bytes from the system for each request.
        self._id_prefix = os.urandom(_ID_PREFIX_BYTES).hex()
        self._id_counter = itertools.count()

    def served(self, route: NewRoute[Route]) -> ServedRoute:
        """Returns a route with the forms in which clients can call it."""
        protocols: Sequence[WireProtocol[HttpExchange]] = (self._rest, *self._protocols)
        forms = tuple(form for protocol in protocols for form in protocol.forms(route))
        return ServedRoute(route.verb, route.path, route.target.method.path, forms)

    def answer(self, request: Request) -> Coroutine[Any, Any, Answer | None]:
        """Answers a request of a listener or of a host; None if it was written in pieces."""
        return self._answer(request, _origin_form(request))

    async def answer_mounted(self, mounted: web.Request) -> web.StreamResponse:
        """Answers a request of an aiohttp application."""
        # The route of a sub-application is "/mounted/at/{path}". The target begins with the same
        # number of segments; their text may differ, as clients escape it in several ways.
        resource = mounted.match_info.route.resource
        mounted_at = resource.canonical.removesuffix("/{path}") if resource else ""
        request = AiohttpRequest(mounted)
        target = _without_segments(_origin_form(request), mounted_at.count("/"))
        # aiohttp may cancel a request several times; `Tasks` cancels the call once.
        answer = await self._tasks.run(self._answer(request, target), on_cancel=request.end_call)
        if request.is_reading:
            await request.end_reading()
        if answer is None:
            return request.begun
        return self._responses.buffered(answer)

    def refuse(self, error: TranscodeError, request: Request | None) -> Answer:
        """Makes the answer to a request that the listener refuses or ends, in its protocol.

        Args:
            error: the reason.
            request: None if it could not be parsed.
        """
        if request is None:
            request_id = self._new_id()
            out: HeaderList = [("X-Request-Id", request_id)]
            status, body = self._rest.errors.answer(error, out)
        else:
            request_id = self._id_of(request)
            exchange = HttpExchange(request, _origin_form(request), request_id, self._options)
            status, body = self._protocol_of(exchange).failure(exchange, error)
            out = exchange.answer_headers
            out += self._cors.response_headers(request.headers.get("Origin"), out)
        reason = without_values(error.message)
        logger.info("refused a request: %s, request id %s", reason, request_id)
        return Answer(status, out, body)

    async def _answer(self, request: Request, target: str) -> Answer | None:
        headers = request.headers
        request_id = self._id_of(request)
        exchange = HttpExchange(request, target, request_id, self._options)
        protocol = self._protocol_of(exchange)
        origin = headers.get("Origin")
        if origin is not None and self._cors.keeps_out(origin, headers):
            self._refused_pages.add(origin)
        try:
            if not request.is_known_version:
                raise with_connection_close(malformed(_EXPECTED_VERSION))
            if self._cors.refuses(exchange.verb, origin, headers):
                raise foreign_origin(origin)
            answer = await protocol.answer(exchange)
            if answer is None:
                return None
            status, body = answer
            if protocol.has_content_coding and len(body) >= self._compress_min_bytes:
                body = await compressed(body, headers, exchange.answer_headers, self._offload)
        except TranscodeError as error:
            exchange.log_refusal(error)
            status, body = protocol.refusal(exchange, error.released())
        except Exception:
            logger.exception("answering %s failed, request id %s", exchange.for_log(), request_id)
            if request.is_begun:
                raise ConnectionAbortedError("part of the answer is written already") from None
            del exchange.answer_headers[1:]  # those of the answer that failed
            status, body = protocol.failure(exchange, internal_error(request_id))
        finally:
            request.call = None  # which refers to the exchange: no cycle outlasts the answer
        out = exchange.answer_headers
        if self._cors.is_enabled:
            out += self._cors.response_headers(origin, out)
        return Answer(status, out, body)

    def _protocol_of(self, exchange: HttpExchange) -> WireProtocol[HttpExchange]:
        for protocol in self._readers[exchange.headers.get("Content-Type", "")]:
            if protocol.takes(exchange):
                return protocol
        return self._rest

    def _id_of(self, request: Request) -> str:
        """Returns the id of a request: that of its call, of its headers, or a new one."""
        given: object
        if request.call is not None:
            given = request.call.metadata.get(REQUEST_ID_KEY)
        else:
            given = request.headers.get(REQUEST_ID_KEY)
        if isinstance(given, str) and _VALID_REQUEST_ID.fullmatch(given):
            return given
        return self._new_id()

    def _new_id(self) -> str:
        return f"{self._id_prefix}{next(self._id_counter):08x}"


class _Readers(dict[str, Sequence[SelectiveProtocol[HttpExchange]]]):
    """Maps a Content-Type to the protocols that read it, in their order; each is asked once."""

    def __init__(self, protocols: Sequence[SelectiveProtocol[HttpExchange]]) -> None:
        self._protocols = tuple(protocols)

    def __missing__(self, content_type: str) -> Sequence[SelectiveProtocol[HttpExchange]]:
        if len(self) >= CONTENT_TYPES_MAX:
            self.clear()
        readers = tuple(each for each in self._protocols if each.reads(content_type))
        self[content_type] = readers
        return readers


def _without_segments(target: str, number: int) -> str:
    """Returns a target without its first `number` segments, which it has."""
    start = 0
    for _ in range(number):
        start = target.find("/", start + 1)
    return target[start:]


def _origin_form(request: Request) -> str:
    """Returns the request's target without an authority (RFC 9112 section 3.2.2)."""
    target = request.target
    if target.startswith("/"):
        return target
    absolute = _SCHEME_AND_AUTHORITY.match(target)
    if absolute is None:
        return target
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else f"/{rest}"
