"""Dispatches requests to protocols, and adds what every answer carries.

Rule 1: this is the only place that turns a failure outside of a call into an HTTP answer.
Rule 2: what is refused before it is a call, which interceptors would log, is logged here, as INFO.
"""

import functools
import itertools
import logging
import os
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from aiohttp import web

from transcoder.call import REQUEST_ID_KEY
from transcoder.errors import (
    TranscodeError,
    foreign_origin,
    internal_error,
    malformed,
    without_values,
)
from transcoder.http.connection import end_call, with_connection_close
from transcoder.http.exchange import ExchangeOptions, HttpExchange
from transcoder.http.offload import Offload
from transcoder.http.refused_pages import RefusedPages
from transcoder.http.response import HeaderList, compressed
from transcoder.protocols.protocol import SelectiveProtocol, WireProtocol
from transcoder.protocols.rest import Rest
from transcoder.tasks import Tasks

logger = logging.getLogger(__name__)

_VALID_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_ABSOLUTE: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_OLD_OR_NEW: Final = "request line: expected a method, a path and HTTP/1.1"

CONTENT_TYPES_MAX: Final = 64
"""Max content types whose readers are remembered: clients choose them."""

Respond = Callable[[int, HeaderList, bytes], web.StreamResponse]
Readers = Callable[[str], Sequence[SelectiveProtocol[HttpExchange]]]


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
        """Takes what it dispatches to.

        Args:
            protocols: the first that takes a request answers it.
            rest: answers the requests that none takes.
            options: of all exchanges.
            compress_min_bytes: answers from this size on are compressed for clients that accept it.
            offload: compresses large answers.
            tasks: runs the requests of an application that is mounted.
        """
        self._readers = _readers_of(tuple(protocols))
        self._rest = rest
        self._options = options
        self._cors = options.cors
        self._responses = options.responses
        self._refused_pages = RefusedPages()
        self._compress_min_bytes = compress_min_bytes
        self._offload = offload
        self._tasks = tasks
        # Unique without asking the system for randomness on each request.
        self._id_prefix = os.urandom(6).hex()
        self._id_counter = itertools.count()

    def answer(self, request: web.BaseRequest) -> Coroutine[Any, Any, web.StreamResponse]:
        """Answers a request of our own listener."""
        return self._respond(request, _target(request), self._responses.one_piece)

    async def answer_mounted(self, request: web.Request) -> web.StreamResponse:
        """Answers a request of an aiohttp application."""
        # As a sub-application the route is "/mounted/at/{path}", and the target begins with as many
        # segments. aiohttp has found them alike; how the client escaped them is its own affair.
        resource = request.match_info.route.resource
        mounted_at = resource.canonical.removesuffix("/{path}") if resource else ""
        target = _without_segments(_target(request), mounted_at.count("/"))
        # aiohttp cancels as often as it finds a reason to.
        return await self._tasks.run(
            self._respond(request, target, self._responses.buffered),
            on_cancel=functools.partial(end_call, request),
        )

    def refuse(self, error: TranscodeError) -> web.StreamResponse:
        """Makes the answer to what the listener refuses before it is a request."""
        request_id = self._new_id()
        reason = without_values(error.message)
        logger.info("refused a request: %s, request id %s", reason, request_id)
        out: HeaderList = [("X-Request-Id", request_id)]
        status, body = self._rest.error_answer(error, out)
        return self._responses.one_piece(status, out, body)

    async def _respond(
        self, request: web.BaseRequest, target: str, respond: Respond
    ) -> web.StreamResponse:
        headers = request.headers
        request_id = headers.get(REQUEST_ID_KEY)
        if request_id is None or not _VALID_REQUEST_ID.fullmatch(request_id):
            request_id = self._new_id()
        exchange = HttpExchange(request, target, request_id, self._options)
        readers = self._readers(headers.get("Content-Type", ""))
        protocol = self._protocol_of(exchange, readers) if readers else self._rest
        origin = headers.get("Origin")
        if origin is not None and self._cors.keeps_out(origin, headers):
            self._refused_pages.add(origin)
        try:
            if request.version.major != 1:  # aiohttp's parser takes HTTP/0.9 and HTTP/2.0 too
                raise with_connection_close(malformed(_OLD_OR_NEW))
            if self._cors.refuses(exchange.verb, origin, headers):
                raise foreign_origin(origin)
            answer = await protocol.answer(exchange)
            if answer is None:
                return exchange.begun
            status, body = answer
            if protocol.has_content_coding and len(body) >= self._compress_min_bytes:
                body = await compressed(body, headers, exchange.answer_headers, self._offload)
        except TranscodeError as error:
            exchange.log_refusal(error)
            status, body = protocol.refusal(exchange, error.released())
        except Exception:
            logger.exception("answering %s failed, request id %s", exchange.for_log(), request_id)
            if request.writer.output_size > 0:
                raise ConnectionAbortedError("part of the answer is written already") from None
            del exchange.answer_headers[1:]  # what the answer would have said
            status, body = protocol.failure(exchange, internal_error(request_id))
        finally:
            exchange.release()
        out = exchange.answer_headers
        if self._cors.is_enabled:
            out += self._cors.response_headers(origin, out)
        return respond(status, out, body)

    def _protocol_of(
        self, exchange: HttpExchange, readers: Sequence[SelectiveProtocol[HttpExchange]]
    ) -> WireProtocol[HttpExchange]:
        for protocol in readers:
            if protocol.takes(exchange):
                return protocol
        return self._rest

    def _new_id(self) -> str:
        return f"{self._id_prefix}{next(self._id_counter):08x}"


def _readers_of(protocols: Sequence[SelectiveProtocol[HttpExchange]]) -> Readers:
    """Returns a function from a Content-Type to the protocols that read it, in their order."""

    @functools.lru_cache(maxsize=CONTENT_TYPES_MAX)
    def readers(content_type: str) -> Sequence[SelectiveProtocol[HttpExchange]]:
        return tuple(protocol for protocol in protocols if protocol.reads(content_type))

    return readers


def _without_segments(target: str, number: int) -> str:
    """Returns what follows the first segments of a target, which has at least so many."""
    start = 0
    for _ in range(number):
        start = target.find("/", start + 1)
    return target[start:]


def _target(request: web.BaseRequest) -> str:
    """Returns the request's target without an authority (RFC 9112 section 3.2.2)."""
    target = request.raw_path
    if target.startswith("/"):
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else f"/{rest}"
