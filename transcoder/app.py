"""Requests to doors: which door a request is for, what every answer carries, health, drain.

A request goes one way through: route, body, binding, metadata, backend, codec, answer. Everything
that descriptors decide is decided when a service is registered; what is wrong with a service or its
rules is raised there (`SchemaError`).

Rule: this is the only place that turns a failure into an HTTP answer.
"""

import asyncio
import functools
import itertools
import logging
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from aiohttp import web
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from transcoder.asgi import Routed
from transcoder.binding import Binder
from transcoder.calls import Call, Metadata, Method
from transcoder.codec import Codec
from transcoder.cors import Cors
from transcoder.errors import (
    SchemaError,
    TranscodeError,
    internal,
    shown,
    status_json,
    unsupported_media_type,
    wrong_method,
)
from transcoder.headers import (
    REQUEST_ID,
    HttpMetadata,
    deadline_of,
    http_code,
    initial_headers,
    trailer_headers,
)
from transcoder.inprocess import Handler, HandlerCallDetails, InProcess
from transcoder.listener import Listener, read_body
from transcoder.options import JsonOptions, Limits
from transcoder.responses import HeaderList, buffered, one_piece
from transcoder.routes import Router
from transcoder.rules import rules_of
from transcoder.schema import methods_of
from transcoder.web import GrpcWeb

logger = logging.getLogger(__name__)

JSON: Final = "application/json"
GRPC_WEB: Final = "application/grpc-web"
_JSON_TYPE: Final = re.compile(r"application/(?:[\w.!#$&^+-]+\+)?json", re.IGNORECASE)
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_ABSOLUTE: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_HEALTH: Final = frozenset({"/healthz", "/readyz"})
_SERVING: Final = b'{"status":"SERVING"}'
_NOT_SERVING: Final = b'{"status":"NOT_SERVING"}'

Respond = Callable[[int, HeaderList, bytes], web.StreamResponse]


@dataclass(frozen=True, slots=True)
class Route:
    """What a matched path leads to; all of it made at registration."""

    method: Method
    binder: Binder
    encode: Callable[[Message], bytes]


class Transcoder:
    """JSON and gRPC-Web doors to gRPC services.

    Registers services as a `grpc.aio.Server` does: every generated `add_*_to_server` works on it.
    """

    def __init__(
        self,
        *,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        json: JsonOptions = JsonOptions(),  # noqa: B008  frozen
        strict: bool = False,
        forward_cookies: bool = False,
        cors_origins: Sequence[str] = (),
        limits: Limits = Limits(),  # noqa: B008  frozen
    ) -> None:
        """Configure the doors.

        Args:
            interceptors: run around every call, outermost first, as under `grpc.aio.server`.
            json: how messages are written.
            strict: refuse unknown JSON fields and query parameters, and values that the path
                overrides, instead of ignoring them.
            forward_cookies: let the Cookie header through as metadata.
            cors_origins: exact origins ("https://app.example"), or "*" for any of them.
            limits: what a client may make the server hold.

        Raises:
            SchemaError: an origin is not one.
        """
        self._limits = limits
        self._strict = strict
        self._forward_cookies = forward_cookies
        self._codec = Codec(json, nesting_max=limits.nesting_max, strict=strict)
        self._backend = InProcess(interceptors)
        self._cors = Cors(cors_origins) if cors_origins else None
        self._router: Router[Route] = Router()
        self._methods: dict[str, Method] = {}
        self._grpc_web = GrpcWeb(
            self._backend, self._methods, limits=limits, forward_cookies=forward_cookies
        )
        self._root = Mount(self, "")
        self._listeners: list[Listener] = []
        self._is_ready = False
        # Unique without asking the system for randomness on each request.
        self._id_prefix = os.urandom(6).hex()
        self._id_counter = itertools.count()

    # Registration.

    def at(self, prefix: str) -> "Mount":
        """The same registration, with a prefix for the REST routes of what is registered there."""
        return Mount(self, prefix)

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]
    ) -> None:
        self._root.add_generic_rpc_handlers(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        self._root.add_registered_method_handlers(service_name, method_handlers)

    def register(self, service: str, handlers: Mapping[str, Handler], *, prefix: str) -> None:
        """Serve a service's handlers, given by method name.

        Raises:
            SchemaError: the service has no descriptor, or a rule of it cannot be served.
        """
        for path, method in methods_of(service).items():
            handler = handlers.get(path.rpartition("/")[2])
            if handler is None:
                continue
            self._backend.register({path: handler})
            self._methods[path] = method
            for rule in rules_of(method.descriptor):
                self._router.add(
                    rule.verb,
                    rule.template,
                    Route(
                        method,
                        Binder(method, rule, self._codec, strict=self._strict),
                        self._codec.encoder(method.response_type, rule.response_body),
                    ),
                    prefix="" if rule.is_default else prefix,
                    origin=path,
                )

    # Serving.

    async def start(self, address: str) -> str:
        """Listen on "host:port" and answer; port 0 takes a free one.

        Returns:
            The address bound.

        Raises:
            OSError: the address cannot be bound.
        """
        listener = Listener(self._answer, self._refuse, limits=self._limits)
        bound = await listener.start(address)
        self._listeners.append(listener)
        self._is_ready = True
        return bound

    def set_not_ready(self) -> None:
        """Answer /readyz with 503 from now on, so that a balancer sends no more."""
        self._is_ready = False

    async def stop(self) -> None:
        """Refuse new connections, and let calls in flight end within `limits.drain_timeout_s`."""
        self.set_not_ready()
        listeners, self._listeners = self._listeners, []
        await asyncio.gather(*(listener.stop() for listener in listeners))

    async def serve(self, address: str) -> None:
        """Start, and go on until SIGTERM or SIGINT; then drain."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        logger.info("listening on %s", await self.start(address))
        await asked.wait()
        await self.stop()

    def app(self) -> web.Application:
        """The doors as an aiohttp application, to run or to mount in one's own."""
        application = web.Application(handler_args={"handler_cancellation": True})
        application.router.add_route("*", "/{path:.*}", self._answer_mounted)
        self._is_ready = True
        return application

    # Requests.

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._respond(request, _target(request), one_piece)

    async def _answer_mounted(self, request: web.Request) -> web.StreamResponse:
        # As a sub-application the route is "/mounted/at/{path}", and the target begins with it.
        resource = request.match_info.route.resource
        mounted_at = resource.canonical.removesuffix("/{path}") if resource else ""
        return await self._respond(request, _target(request).removeprefix(mounted_at), buffered)

    async def _respond(
        self, request: web.BaseRequest, target: str, respond: Respond
    ) -> web.StreamResponse:
        headers = request.headers
        request_id = headers.get(REQUEST_ID)
        if request_id is None or not _REQUEST_ID.fullmatch(request_id):
            request_id = self._new_id()
        out: HeaderList = [("X-Request-Id", request_id)]
        content_type = headers.get("Content-Type", "")
        is_grpc_web = content_type[: len(GRPC_WEB)].lower() == GRPC_WEB
        try:
            if is_grpc_web:
                answer = await self._grpc_web_door(request, target, request_id, out)
                if isinstance(answer, web.StreamResponse):
                    return answer
                status, body = answer
            else:
                status, body = await self._json_door(request, target, request_id, out)
        except TranscodeError as error:
            status, body = self._failure(error, out)
        except Exception:
            logger.exception("answering failed, request id %s", request_id)
            if request.writer.output_size > 0:
                raise ConnectionAbortedError("part of the answer is written already") from None
            if is_grpc_web:
                status, more, body = self._grpc_web.failure(internal(request_id), headers)
                out += more
            else:
                status, body = self._failure(internal(request_id), out)
        if self._cors is not None:
            out += self._cors.response_headers(headers.get("Origin"), out)
        return respond(status, out, body)

    def _refuse(self, error: TranscodeError) -> web.StreamResponse:
        """The answer to what the listener refuses before it is a request."""
        out: HeaderList = [("X-Request-Id", self._new_id())]
        status, body = self._failure(error, out)
        return one_piece(status, out, body)

    def _new_id(self) -> str:
        return f"{self._id_prefix}{next(self._id_counter):08x}"

    async def _json_door(
        self, request: web.BaseRequest, target: str, request_id: str, out: HeaderList
    ) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        verb = request.method
        try:
            match = self._router.match(verb, path)
        except TranscodeError as error:
            return self._unrouted(request, path, error, out)
        route = match.target
        body = b""
        if route.binder.reads_body and request.body_exists:
            _check_json(request.headers.get("Content-Type"))
            body = await read_body(request, self._limits)
        if len(body) > self._limits.inline_max_bytes:
            message = await asyncio.to_thread(route.binder.bind, match.variables, query, body)
        else:
            message = route.binder.bind(match.variables, query, body)
        call = self._call(route.method, request, request_id)
        try:
            response = await self._backend.unary(call, message)
        finally:
            if call.initial_metadata:
                out += initial_headers(call.initial_metadata)
            if call.trailing_metadata:
                out += trailer_headers(call.trailing_metadata)
        out.append(("Content-Type", JSON))
        if response.ByteSize() > self._limits.inline_max_bytes:
            encoded = await asyncio.to_thread(route.encode, response)
        else:
            encoded = route.encode(response)
        return http_code(call.initial_metadata) if call.initial_metadata else 200, encoded

    async def _grpc_web_door(
        self, request: web.BaseRequest, target: str, request_id: str, out: HeaderList
    ) -> web.StreamResponse | tuple[int, bytes]:
        """At the method's own path, or on a REST route, whose path then wins over the message."""
        path = target.partition("?")[0]
        override = None
        if path not in self._methods:
            try:
                match = self._router.match(request.method, path)
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
            routed=Routed(request_id, override),
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
        if self._cors is not None:
            out += self._cors.response_headers(request.headers.get("Origin"), out)
        response = web.StreamResponse(status=status, headers=out)
        await response.prepare(request)
        return response

    def _call(self, method: Method, request: web.BaseRequest, request_id: str) -> Call:
        headers = request.headers
        metadata = HttpMetadata(
            headers, request_id=request_id, forward_cookies=self._forward_cookies
        )
        peername = request.protocol.peername
        return Call(method, metadata, deadline=deadline_of(headers), peername=peername)

    def _failure(self, error: TranscodeError, out: HeaderList) -> tuple[int, bytes]:
        out += error.headers
        out.append(("Content-Type", JSON))
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            out.append(("WWW-Authenticate", "Bearer"))
        details: list[object] = []
        if error.details:
            try:
                details += map(self._codec.any_json, Status.FromString(error.details).details)
            except DecodeError:
                logger.warning("dropped grpc-status-details-bin: not a google.rpc.Status")
        return error.http_status, status_json(error, details)

    def _unrouted(
        self, request: web.BaseRequest, path: str, error: TranscodeError, out: HeaderList
    ) -> tuple[int, bytes]:
        """Answer what no route of a service serves: preflights, OPTIONS and health."""
        is_health = path in _HEALTH
        if is_health and error.code is grpc.StatusCode.NOT_FOUND:
            error = wrong_method(("GET", "HEAD"))
        if request.method == "OPTIONS":
            if self._cors is not None and "Access-Control-Request-Method" in request.headers:
                out += self._cors.preflight_headers(request.headers)
                return 204, b""
            if error.http_status == 405:
                out += error.headers
                return 204, b""
        if is_health and request.method in ("GET", "HEAD"):
            out.append(("Content-Type", JSON))
            if path == "/readyz" and not self._is_ready:
                return 503, _NOT_SERVING
            return 200, _SERVING
        raise error


class Mount:
    """Registration with a prefix for REST routes; see `Transcoder.at`."""

    def __init__(self, transcoder: Transcoder, prefix: str) -> None:
        self._transcoder = transcoder
        self._prefix = prefix
        self._seen: dict[str, Mapping[str, Handler]] = {}

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]
    ) -> None:
        """Serve what each handler has of its service.

        Raises:
            SchemaError: a handler does not name its service, or the service cannot be served.
        """
        for generic in generic_rpc_handlers:
            if not isinstance(generic, grpc.ServiceRpcHandler):
                message = f"{type(generic).__name__}: expected a handler with a service_name()"
                raise SchemaError(message)
            service = generic.service_name()
            handlers: dict[str, Handler] = {}
            for path in methods_of(service):
                handler = generic.service(HandlerCallDetails(path, Metadata()))
                if handler is not None:
                    handlers[path.rpartition("/")[2]] = handler
            self._register(service, handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        """As `add_generic_rpc_handlers`; generated code calls both with the same handlers."""
        self._register(service_name, method_handlers)

    def _register(self, service: str, handlers: Mapping[str, Handler]) -> None:
        if self._seen.get(service) == handlers:
            return
        self._transcoder.register(service, handlers, prefix=self._prefix)
        self._seen[service] = handlers


def _target(request: web.BaseRequest) -> str:
    """The request's target, less the authority that an absolute one names (RFC 9112, 3.2.2)."""
    target = request.raw_path
    if target.startswith("/"):
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else f"/{rest}"


def _check_json(content_type: str | None) -> None:
    if content_type is None or content_type == JSON:
        return
    if not _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip()):
        message = f"content type {shown(content_type)}: expected {JSON}"
        raise unsupported_media_type(message)
