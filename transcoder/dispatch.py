"""Dispatches requests to protocols; adds what every answer carries; answers health.

A request goes one way through: route, body, binding, metadata, backend, codec, answer. Everything
that descriptors decide was decided when its service was registered (app.py).

Rule 1: this is the only place that turns a failure into an HTTP answer.
Rule 2: the log has the method, the path and the id of a request. Queries, headers and bodies may
hold secrets.
"""

import functools
import itertools
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import grpc
from aiohttp import web
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from transcoder.binding.binder import Binder
from transcoder.call import Backend, Call, Method
from transcoder.codec.codec import Codec
from transcoder.codec.scalars import Fault
from transcoder.errors import (
    TranscodeError,
    foreign_origin,
    internal_error,
    malformed,
    shown,
    status_json,
    unimplemented,
    unsupported_media_type,
    without_values,
    wrong_method,
)
from transcoder.http.asgi_bridge import Routed
from transcoder.http.body import JSON_TYPE, BodyReader, head_of
from transcoder.http.ceiling import Ceiling
from transcoder.http.connection import end_call, hold_call, with_connection_close
from transcoder.http.cors import Cors
from transcoder.http.headers import (
    REQUEST_ID_HEADER,
    HttpMetadata,
    deadline_of,
    http_code,
    initial_headers,
    trailer_headers,
)
from transcoder.http.offload import Offload
from transcoder.http.refused_pages import RefusedPages
from transcoder.http.response import NO_CONTENT, HeaderList, Responses, compressed
from transcoder.http.unserved_paths import HTML, UnservedPaths, asks_for_page
from transcoder.options import Limits
from transcoder.routing.router import Router
from transcoder.sonora import GrpcWeb
from transcoder.tasks import Tasks

logger = logging.getLogger(__name__)

GRPC_WEB: Final = "application/grpc-web"
_VALID_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_ABSOLUTE: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz"})
_SERVING: Final = b'{"status":"SERVING"}'
_NOT_SERVING: Final = b'{"status":"NOT_SERVING"}'

_PAGE_HEADERS: Final = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)
_OLD_OR_NEW: Final = "request line: expected a method, a path and HTTP/1.1"

Respond = Callable[[int, HeaderList, bytes], web.StreamResponse]


@dataclass(frozen=True, slots=True)
class Route:
    """What a matched path leads to; all of it made at registration."""

    method: Method
    binder: Binder
    encode: Callable[[Message], bytes]
    size: Callable[[Message], int]
    """The class's ByteSize: a field may have that name."""


class Dispatcher:
    """Answers requests; what `Transcoder` registers is served from the next request on.

    What is refused before it is a call, which interceptors would log, is logged here, as INFO.

    Attributes:
        is_ready: what /readyz says.
    """

    def __init__(
        self,
        backend: Backend,
        codec: Codec,
        *,
        cors: Cors,
        forward_cookies: bool,
        compress_min_bytes: int,
        response_headers: HeaderList,
        unserved: UnservedPaths,
        limits: Limits,
        offload: Offload,
        tasks: Tasks,
    ) -> None:
        self.is_ready = False
        self.unserved: Final = unserved
        self.router: Final[Router[Route]] = Router()
        self.methods: Final[dict[str, Method]] = {}
        self._backend = backend
        self._codec = codec
        self._cors = cors
        self._refused_pages = RefusedPages()
        self._forward_cookies = forward_cookies
        self._compress_min_bytes = compress_min_bytes
        self._responses = Responses(response_headers)
        self._limits = limits
        self._offload = offload
        ceiling = Ceiling(max_bytes=limits.bodies_max_bytes, small_bytes=limits.inline_max_bytes)
        self._body_reader = BodyReader(limits, offload, ceiling)
        self._tasks = tasks
        self._grpc_web = GrpcWeb(
            backend,
            self.methods,
            limits=limits,
            offload=offload,
            ceiling=ceiling,
            forward_cookies=forward_cookies,
            compress_min_bytes=compress_min_bytes,
            unknown_method=unserved.unknown_method,
        )
        # Unique without asking the system for randomness on each request.
        self._id_prefix = os.urandom(6).hex()
        self._id_counter = itertools.count()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._respond(request, _target(request), self._responses.one_piece)

    async def answer_mounted(self, request: web.Request) -> web.StreamResponse:
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

    async def _respond(
        self, request: web.BaseRequest, target: str, respond: Respond
    ) -> web.StreamResponse:
        headers = request.headers
        request_id = headers.get(REQUEST_ID_HEADER)
        if request_id is None or not _VALID_REQUEST_ID.fullmatch(request_id):
            request_id = self._new_id()
        out: HeaderList = [("X-Request-Id", request_id)]
        content_type = headers.get("Content-Type", "")
        is_grpc_web = content_type[: len(GRPC_WEB)].lower() == GRPC_WEB
        origin = headers.get("Origin")
        if origin is not None and self._cors.keeps_out(origin, headers):
            self._refused_pages.add(origin)
        try:
            if request.version.major != 1:  # aiohttp's parser takes HTTP/0.9 and HTTP/2.0 too
                raise with_connection_close(malformed(_OLD_OR_NEW))
            if self._cors.refuses(request.method, headers):
                raise foreign_origin(headers.get("Origin"))
            if is_grpc_web:
                answer = await self._answer_grpc_web(request, target, request_id, out)
                if isinstance(answer, web.StreamResponse):
                    return answer
                status, body = answer
            else:
                status, body = await self._answer_json(request, target, request_id, out)
                if len(body) >= self._compress_min_bytes:
                    body = await compressed(body, headers, out, self._offload)
        except TranscodeError as error:
            _log_refusal(request, target, error, request_id)
            error.released()
            if is_grpc_web:
                status, more, body = self._grpc_web.refusal(error)
                out += more
            else:
                status, body = self._failure(error, out)
        except Exception:
            what = _for_log(request, target)
            logger.exception("answering %s failed, request id %s", what, request_id)
            if request.writer.output_size > 0:
                raise ConnectionAbortedError("part of the answer is written already") from None
            del out[1:]  # what the answer would have said
            if is_grpc_web:
                status, more, body = self._grpc_web.failure(internal_error(request_id), headers)
                out += more
            else:
                status, body = self._failure(internal_error(request_id), out)
        out += self._cors.response_headers(origin, out)
        return respond(status, out, body)

    def refuse(self, error: TranscodeError) -> web.StreamResponse:
        """The answer to what the listener refuses before it is a request."""
        request_id = self._new_id()
        reason = without_values(error.message)
        logger.info("refused a request: %s, request id %s", reason, request_id)
        out: HeaderList = [("X-Request-Id", request_id)]
        status, body = self._failure(error, out)
        return self._responses.one_piece(status, out, body)

    def _new_id(self) -> str:
        return f"{self._id_prefix}{next(self._id_counter):08x}"

    async def _answer_json(
        self, request: web.BaseRequest, target: str, request_id: str, out: HeaderList
    ) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        verb = request.method
        if verb == "OPTIONS" and self._is_preflight(request):
            # Also where a route takes every method: it is not the service that a browser asks.
            out += self._cors.preflight_headers(request.headers)
            return 204, b""
        try:
            match = self.router.match(verb, path)
        except TranscodeError as error:
            return self._unrouted(request, path, error, out)
        route = match.target
        if not route.method.is_unary:
            raise unimplemented(f"{route.method.path}: methods that stream are not served as JSON")
        head = head_of(request) if route.binder.reads_body and request.body_exists else None
        call = self._call(route.method, request, request_id)

        async def receive() -> Message:
            try:
                if head is None:
                    return route.binder.bind(match.variables, query, b"")
                bind = functools.partial(route.binder.bind, match.variables, query)
                return await self._body_reader.read(request, head, bind)
            except TranscodeError as error:
                _log_refusal(request, target, error, request_id)
                raise

        failure: TranscodeError | None = None
        try:
            response = await self._backend.unary(call, receive)
        except TranscodeError as error:
            failure = error.released()
        if call.initial_metadata:
            out += initial_headers(call.initial_metadata)
        if call.trailing_metadata:
            out += trailer_headers(call.trailing_metadata)
        if failure is not None:
            return self._failure(failure, out)
        status = http_code(call.initial_metadata) if call.initial_metadata else 200
        if status in NO_CONTENT:
            return status, b""
        try:
            if route.size(response) > self._limits.inline_max_bytes:
                # A copy: what a servicer returns may be its own state, which its next call changes.
                copy = route.method.response_type()
                type(copy).CopyFrom(copy, response)
                encoded = await self._offload.answer(route.encode, copy)
            else:
                encoded = route.encode(response)
        except Fault as fault:
            reason = without_values(fault.text("the message"))
            logger.error(
                "answer of %s has no JSON form: %s, request id %s",
                route.method.path,
                reason,
                request_id,
            )
            del out[1:]  # what the answer would have said
            return self._failure(internal_error(request_id), out)
        out.append(("Content-Type", JSON_TYPE))
        return status, encoded

    async def _answer_grpc_web(
        self, request: web.BaseRequest, target: str, request_id: str, out: HeaderList
    ) -> web.StreamResponse | tuple[int, bytes]:
        """At the method's own path, or on a REST route, whose path then wins over the message."""
        path = target.partition("?")[0]
        override = None
        if path not in self.methods:
            try:
                match = self.router.match(request.method, path)
            except TranscodeError as error:
                if error.code is grpc.StatusCode.INVALID_ARGUMENT:
                    status, more, body = self._grpc_web.failure(error, request.headers)
                    out += more
                    return status, body
                if request.method != "POST" or error.http_status == 405:
                    raise
            else:
                path = match.target.method.path
                override = functools.partial(match.target.binder.bind_path, match.variables)
        answer = await self._grpc_web.answer(
            request,
            path,
            routed=Routed(
                request_id, override, request.headers, functools.partial(hold_call, request)
            ),
            begin=functools.partial(self._begin, request, out),
        )
        if isinstance(answer, web.StreamResponse):
            return answer
        status, headers, body = answer
        out += headers
        return status, body

    async def _begin(
        self, request: web.BaseRequest, out: HeaderList, status: int, headers: HeaderList
    ) -> web.StreamResponse:
        """Send the head of an answer whose body is written as it comes."""
        out += headers
        out += self._cors.response_headers(request.headers.get("Origin"), out)
        response = self._responses.begun(status, out)
        await response.prepare(request)
        return response

    def _call(self, method: Method, request: web.BaseRequest, request_id: str) -> Call:
        headers = request.headers
        metadata = HttpMetadata(
            headers, request_id=request_id, forward_cookies=self._forward_cookies
        )
        peername = request.protocol.peername
        call = Call(method, metadata, deadline=deadline_of(headers), peername=peername)
        hold_call(request, call)
        return call

    def _failure(self, error: TranscodeError, out: HeaderList) -> tuple[int, bytes]:
        out += error.headers
        out.append(("Content-Type", JSON_TYPE))
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            out.append(("WWW-Authenticate", "Bearer"))
        details: list[object] = []
        if error.details:
            try:
                details += map(self._codec.any_json, Status.FromString(error.details).details)
            except DecodeError:
                logger.warning("dropped grpc-status-details-bin: not a google.rpc.Status")
        return error.http_status, status_json(error, details)

    def _is_preflight(self, request: web.BaseRequest) -> bool:
        return self._cors.is_enabled and "Access-Control-Request-Method" in request.headers

    def _unrouted(
        self, request: web.BaseRequest, path: str, error: TranscodeError, out: HeaderList
    ) -> tuple[int, bytes]:
        """Answer what no route of a service serves: OPTIONS and health."""
        is_health = path in _HEALTH_PATHS
        if is_health and error.code is grpc.StatusCode.NOT_FOUND:
            error = wrong_method(("GET", "HEAD"))
        if request.method == "OPTIONS" and error.http_status == 405:
            out += error.headers
            return 204, b""
        if is_health and request.method in ("GET", "HEAD"):
            out.append(("Content-Type", JSON_TYPE))
            if path == "/readyz" and not self.is_ready:
                return 503, _NOT_SERVING
            return 200, _SERVING
        if path in self.methods and request.method == "POST":
            # A method with a rule answers JSON there, and only gRPC-Web at its own path.
            content_type = shown(request.headers.get("Content-Type"))
            raise unsupported_media_type(f"content type {content_type}: expected {GRPC_WEB}+proto")
        if error.code is grpc.StatusCode.NOT_FOUND:
            error = self.unserved.missing(path)
            is_404 = error.code is grpc.StatusCode.NOT_FOUND
            if is_404 and asks_for_page(request.headers.get("Accept")):
                _log_refusal(request, path, error, out[0][1])
                out += (("Content-Type", HTML), ("Vary", "Accept"), *_PAGE_HEADERS)
                return error.http_status, self.unserved.page()
        raise error


def _log_refusal(
    request: web.BaseRequest, target: str, error: TranscodeError, request_id: str
) -> None:
    what, reason = _for_log(request, target), without_values(error.message)
    logger.info("refused %s: %s, request id %s", what, reason, request_id)


def _for_log(request: web.BaseRequest, target: str) -> str:
    """Returns what the log has of a request: no query, and no user of an authority."""
    path, mark, _ = target.partition("?")
    if not path.startswith("/"):
        path = path.rpartition("@")[2]
    return f"{request.method} {shown(path)}{' with a query' if mark else ''}"


def _without_segments(target: str, number: int) -> str:
    """Returns what follows the first segments of a target, which has at least so many."""
    start = 0
    for _ in range(number):
        start = target.find("/", start + 1)
    return target[start:]


def _target(request: web.BaseRequest) -> str:
    """Returns the request's target without scheme and authority (RFC 9112 section 3.2.2)."""
    target = request.raw_path
    if target.startswith("/"):
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else f"/{rest}"
