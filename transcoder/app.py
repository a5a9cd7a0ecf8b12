"""Registers services, serves them, and drains: the public API.

Descriptors and HTTP rules are read when a service is registered. What cannot be served raises
`SchemaError` there, never during a request.
"""

import asyncio
import functools
import logging
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import grpc
from aiohttp import web
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.backends.channel import KEEPALIVE_S
from transcoder.backends.inprocess import Handler, InProcess
from transcoder.codec.codec import Codec
from transcoder.descriptor_sets import TypePools
from transcoder.dispatch import Dispatcher, ServedRoute
from transcoder.errors import SchemaError
from transcoder.http.asgi import AsgiApplication
from transcoder.http.body import BodyReader
from transcoder.http.ceiling import Ceiling
from transcoder.http.connections import LINGER_S
from transcoder.http.cors import Cors
from transcoder.http.exchange import ExchangeOptions
from transcoder.http.forwarded import TrustedProxies
from transcoder.http.headers import fixed_headers
from transcoder.http.http2_pipes import Http2Pipes
from transcoder.http.offload import Offload
from transcoder.http.plain import PlainHandler, PlainRoutes
from transcoder.http.response import Responses
from transcoder.http.server import Listener
from transcoder.http.tls import TlsContext
from transcoder.http.unserved_paths import UnservedPaths
from transcoder.mount import Mount
from transcoder.openapi.document import Document
from transcoder.openapi.page import page_handlers
from transcoder.openapi.serving import ServedDocument
from transcoder.options import COMPRESS_MIN_BYTES, EventOptions, JsonOptions, Limits, OpenApi
from transcoder.protocols.connect.handler import Connect
from transcoder.protocols.grpcweb.handler import GrpcWeb
from transcoder.protocols.json_errors import JsonErrors
from transcoder.protocols.rest import Rest
from transcoder.protocols.rest_requests import StreamReaders
from transcoder.protocols.rest_streams import RestStreams
from transcoder.protocols.stream_formats import StreamFormats
from transcoder.protocols.unrouted import Unrouted
from transcoder.protocols.websocket.handler import WebSockets
from transcoder.registry import Registry
from transcoder.routing.service_config import ServiceConfig
from transcoder.services import NewService, Services
from transcoder.stop_signals import stop_signals
from transcoder.tasks import Tasks
from transcoder.upstreams import Upstreams

logger = logging.getLogger(__name__)


class Transcoder:
    """Serves gRPC services as JSON, gRPC-Web and Connect, and over WebSocket.

    Registers services as a `grpc.aio.Server` does: every generated `add_*_to_server` works on it.
    """

    def __init__(
        self,
        *,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        service_config: str | os.PathLike[str] | bytes | None = None,
        json: JsonOptions = JsonOptions(),  # noqa: B008  frozen
        events: EventOptions = EventOptions(),  # noqa: B008  frozen
        strict: bool = False,
        ignored_query_parameters: Collection[str] = (),
        without_json: Collection[str] = (),
        forward_cookies: bool = False,
        cors_origins: Sequence[str] = (),
        trusted_proxies: Collection[str] = (),
        compress_min_bytes: int | None = COMPRESS_MIN_BYTES,
        response_headers: Mapping[str, str] = MappingProxyType({}),
        docs: str = "",
        not_served: Mapping[str, str] = MappingProxyType({}),
        openapi: OpenApi | None = None,
        grpc_web: type[GrpcWeb] = GrpcWeb,
        limits: Limits = Limits(),  # noqa: B008  frozen
    ) -> None:
        """Configures the transcoder.

        Args:
            interceptors: run around every call, outermost first, as under `grpc.aio.server`.
            service_config: a google.api.Service in YAML or JSON: the path of the file or, as bytes,
                its text. Its `http.rules` replace the annotations of the methods that they select;
                `start` refuses a rule of a method that a registered service does not have, and logs
                those of other services.
            json: how messages and errors are written.
            events: how streams are written as server-sent events.
            strict: refuse unknown JSON fields and query parameters, and values that the path
                overrides, instead of ignoring them.
            ignored_query_parameters: names that `strict` accepts and ignores ("$alt", "key"), as
                tools add them to every request.
            without_json: methods that get no JSON route ("library.v1.Library.Search", or all of
                "library.v1.*"), or single bindings of them ("library.v1.Library.Search GET
                /v1/{name=**}"). gRPC-Web and Connect still serve them.
            forward_cookies: let the Cookie header through as metadata.
            cors_origins: exact origins ("https://app.example") whose pages may call, or "*" for
                any. Other pages cannot read answers, and only their safe requests (GET) are served.
            trusted_proxies: networks ("10.0.0.0/8"), addresses, and "unix" for every connection
                over a unix socket. X-Forwarded-For of such a connection names the client: in
                `context.peer()`, and with the proxy's own address added in metadata. That of others
                is plain metadata.
            compress_min_bytes: answers from this size on are compressed for clients that accept it.
                None never compresses: for answers that hold both a secret and text of an attacker.
            response_headers: added to every answer, errors and health included
                ({"Cache-Control": "no-store"}).
            docs: where the services are documented; the 404 of a path outside of all prefixes
                names it.
            not_served: texts by the beginning of a path ("/acme." or "/acme/v1/"), for APIs that
                clients may expect here. A path without a route is then answered UNIMPLEMENTED with
                the text, instead of 404.
            openapi: serves a document of all JSON routes at `GET /openapi.json` and
                `GET /openapi.yaml`, and a page that shows it at `GET /docs`, unless a service has a
                route there. None serves neither.
            grpc_web: the class that answers gRPC-Web; `transcoder.sonora.SonoraGrpcWeb` is also an
                ASGI application of sonora's.
            limits: the most that clients may take: sizes, times, connections.

        Raises:
            SchemaError: an origin, a trusted proxy or an interceptor is invalid, the service
                configuration cannot be read, `compress_min_bytes` is negative, a response header is
                invalid or not the same for every answer, a beginning in `not_served` does not start
                with "/", or the descriptor set of `openapi` cannot be read.
        """
        compressed_min_bytes = _compressed_min_bytes(compress_min_bytes)
        self._limits = limits
        self._trusted_proxies = TrustedProxies(trusted_proxies) if trusted_proxies else None
        types = TypePools()
        codec = Codec(json, pool=types, nesting_max=limits.nesting_max, strict=strict)
        config = None if service_config is None else ServiceConfig(service_config)
        self._registry = Registry(
            codec,
            config=config,
            strict=strict,
            ignored_parameters=ignored_query_parameters,
            without_json=without_json,
            event_ids=events.ids,
        )
        self._offload = Offload()
        self._tasks = Tasks()
        self._backend = InProcess(interceptors, tasks=self._tasks)
        unserved = UnservedPaths(docs, not_served)
        cors = Cors(cors_origins, always=response_headers)
        self._responses = Responses(fixed_headers(response_headers))
        ceiling = Ceiling(max_bytes=limits.bodies_max_bytes, small_bytes=limits.inline_max_bytes)
        self._unrouted = Unrouted(
            self._registry.methods, plain=PlainRoutes(limits, ceiling), unserved=unserved
        )
        errors = JsonErrors(codec, has_envelope=json.error_envelope)
        streams = RestStreams(
            self._backend,
            errors,
            StreamFormats(events, has_error_envelope=json.error_envelope),
            offload=self._offload,
            inline_max_bytes=limits.inline_max_bytes,
            heartbeat_s=events.heartbeat_s,
            has_compression=compress_min_bytes is not None,
        )
        rest = Rest(
            self._registry,
            self._backend,
            errors,
            streams,
            bodies=BodyReader(limits, self._offload, ceiling),
            readers=StreamReaders(limits, self._offload, ceiling),
            cors=cors,
            offload=self._offload,
            inline_max_bytes=limits.inline_max_bytes,
            unrouted=self._unrouted.answer,
        )
        self._grpc_web = grpc_web(
            self._backend,
            self._registry.methods,
            limits=limits,
            offload=self._offload,
            ceiling=ceiling,
            unknown_method=unserved.unknown_method,
            router=self._registry.router,
            compress_min_bytes=compressed_min_bytes,
        )
        connect = Connect(
            self._registry,
            self._backend,
            codec,
            limits=limits,
            offload=self._offload,
            ceiling=ceiling,
            compress_min_bytes=compressed_min_bytes,
        )
        self._web_sockets = WebSockets(
            self._registry,
            self._backend,
            errors,
            limits=limits,
            offload=self._offload,
            ceiling=ceiling,
            cors=cors,
            tasks=self._tasks,
        )
        self._dispatcher = Dispatcher(
            [self._grpc_web, self._web_sockets, connect],
            rest,
            options=ExchangeOptions(
                cors=cors,
                responses=self._responses,
                forward_cookies=forward_cookies,
                body_timeout_s=limits.body_timeout_s,
                trusted_proxies=self._trusted_proxies,
            ),
            compress_min_bytes=compressed_min_bytes,
            offload=self._offload,
            tasks=self._tasks,
        )
        self._document: Document | None = None
        if openapi is not None:
            self._document = Document(openapi, json)
            served = ServedDocument(
                self._document, self._offload, compress_min_bytes=compressed_min_bytes
            )
            for path, answer in served.handlers():
                self.handle("GET", path, answer)
            if openapi.page:
                for path, answer in page_handlers(openapi, self._offload, response_headers):
                    self._unrouted.plain.add("GET", path, answer, origin="OpenApi(page=True)")
        self._services = Services(
            self._registry, self._backend, codec, types, unserved, self._document
        )
        self._upstreams = Upstreams(self._services)
        self._root = Mount(self.register, "")
        self._listeners: list[Listener] = []
        self._is_ready = False

    @classmethod
    def proxy(
        cls,
        upstream: str | grpc.aio.Channel,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        files: Sequence[FileDescriptor] = (),
        descriptor_set: str | os.PathLike[str] | bytes | None = None,
        keepalive_s: float = KEEPALIVE_S,
        **options: Any,  # noqa: ANN401  those of the constructor, which checks them
    ) -> Self:
        """Returns a transcoder in front of a gRPC server in another process; see `forward`."""
        transcoder = cls(**options)
        transcoder.forward(
            upstream,
            credentials=credentials,
            files=files,
            descriptor_set=descriptor_set,
            keepalive_s=keepalive_s,
        )
        return transcoder

    # Registration.

    def at(self, prefix: str) -> Mount:
        """Returns the same registration, with a prefix for the REST routes of its services."""
        return Mount(self.register, prefix)

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]
    ) -> None:
        self._root.add_generic_rpc_handlers(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        self._root.add_registered_method_handlers(service_name, method_handlers)

    def forward(
        self,
        upstream: str | grpc.aio.Channel,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        files: Sequence[FileDescriptor] = (),
        descriptor_set: str | os.PathLike[str] | bytes | None = None,
        services: Collection[str] = (),
        prefix: str = "",
        keepalive_s: float = KEEPALIVE_S,
    ) -> None:
        """Serves the services of a gRPC server in another process, by a channel to it.

        Args:
            upstream: its target as grpc names it ("localhost:50051", "dns:///name:port"); or a
                channel, which the caller closes.
            credentials: for TLS to a target (`grpc.ssl_channel_credentials()`); by default it is
                called without TLS.
            files: those of generated code that declare its services
                (`[library_pb2.DESCRIPTOR]`).
            descriptor_set: a google.protobuf.FileDescriptorSet with them: the path of the file or,
                as bytes, its content. Without either the server is asked, by its reflection, when
                serving starts: until it has answered /readyz is 503.
            services: full names of those that are served; by default all that are declared.
            prefix: before their REST routes, as `at` takes it.
            keepalive_s: seconds of silence in a call after which a target is pinged; if it does not
                answer within 20 s (or as many), its calls fail. Fewer than 300 only for a server
                that permits it.

        Raises:
            SchemaError: a service cannot be served or is not declared, there is none, or
                `keepalive_s` is not positive. For a server that is asked, the log tells
                instead.
        """
        self._upstreams.add(
            upstream,
            credentials=credentials,
            files=files,
            descriptor_set=descriptor_set,
            services=services,
            prefix=prefix,
            keepalive_s=keepalive_s,
        )

    def register(
        self,
        service: str,
        handlers: Mapping[str, Handler],
        *,
        prefix: str,
        pool: DescriptorPool | None = None,
    ) -> None:
        """Serves a service's handlers, given by method name: all of them, or none.

        Its descriptor is in `pool`, by default in the one that generated code fills.

        Raises:
            SchemaError: the service has no descriptor, rules of it cannot be served (it tells all
                of them), or a method of it has another handler already.
        """
        self._services.add(NewService(service, handlers, prefix, pool))

    def routes(self) -> list[ServedRoute]:
        """Returns the routes of all methods, by path, with the forms in which each is served.

        Raises:
            SchemaError: where `start` raises it.
        """
        self._require_selected()
        served = map(self._dispatcher.served, self._registry.served.routes)
        return sorted(served, key=lambda route: (route.path, route.verb))

    def handle(
        self, verb: str, path: str, handler: PlainHandler, *, body_max_bytes: int | None = None
    ) -> None:
        """Serves a path by a plain HTTP handler, outside of all services and interceptors.

        Args:
            verb: the HTTP method; "*" for any. A handler of GET gets HEAD too.
            path: a template as in HTTP rules: "/targets/{id}". Routes of services come first.
            handler: gets a `PlainRequest` and returns a `PlainAnswer`.
            body_max_bytes: max bytes of the body; a larger one is 413. By default, and at most,
                `limits.body_max_bytes`.

        Raises:
            SchemaError: the path is no template, has such a handler already, or the maximum is
                too large.
        """
        self._unrouted.plain.add(verb, path, handler, body_max_bytes=body_max_bytes)

    # Serving.

    async def start(
        self,
        address: str,
        *,
        is_ready: bool = True,
        http2: Http2Pipes | None = None,
        proxy_protocol: bool = False,
        ssl: TlsContext | None = None,
        reuse_port: bool = False,
    ) -> str:
        """Listens, and answers requests.

        Args:
            address: "host:port", where port 0 takes a free one; or "unix:path", as grpc takes it.
            is_ready: True answers /readyz with 200, False with 503, until `set_ready` is called.
            http2: pipes connections over HTTP/2 to a gRPC server; without it they are refused.
            proxy_protocol: True requires each connection to come from one of `trusted_proxies`, and
                to begin with a header of the PROXY protocol, version 1 or 2, which names the
                client; others are closed.
            ssl: has the certificates for TLS, and verifies those of clients if it says so; or a
                function that returns the context of the next connection, which may be another. Its
                ALPN is set: http/1.1, then h2 if there are `http2`.
            reuse_port: True if other processes may listen on the same port, each of which gets some
                of its connections (SO_REUSEPORT).

        Returns:
            The address bound.

        Raises:
            OSError: the address cannot be bound.
            SchemaError: the service configuration selects a method that its service does not have,
                `without_json`, `events` or `openapi` names what is not registered, or
                `proxy_protocol` is set without `trusted_proxies`.
        """
        self._require_selected()
        if proxy_protocol and self._trusted_proxies is None:
            raise SchemaError("proxy_protocol: expected trusted_proxies to be given, too")
        listener = Listener(
            self._dispatcher.answer,
            self._dispatcher.refuse,
            limits=self._limits,
            responses=self._responses,
            tasks=self._tasks,
            http2=http2,
            proxies=self._trusted_proxies if proxy_protocol else None,
            tls=ssl,
        )
        bound = await listener.start(address, reuse_port=reuse_port)
        self._listeners.append(listener)
        self.set_ready(is_ready)
        self._upstreams.start(self._services_are_read)
        return bound

    def set_ready(self, is_ready: bool) -> None:
        """Sets the answer of /readyz: 200, or 503, so that a load balancer sends no requests."""
        self._is_ready = is_ready
        self._unrouted.is_ready = is_ready and self._upstreams.are_read

    def reload(self) -> None:
        """Asks the servers again that `forward` asks for their services.

        What they tell takes the place of what they told before in one step; calls that have begun
        end as they began. If a server does not answer, its services stay, and the log says why.
        """
        self._upstreams.ask_again()

    def _services_are_read(self) -> None:
        self._refuse_unselected()
        self.set_ready(self._is_ready)

    def _require_selected(self) -> None:
        """Raises SchemaError for options that select what no service has, if all are known."""
        if self._upstreams.are_read:
            self._refuse_unselected()

    def _refuse_unselected(self) -> None:
        self._registry.require_selected()
        if self._document is not None:
            methods = self._registry.methods.values()
            self._document.require_selected({each.descriptor.full_name for each in methods})

    @property
    def connections_count(self) -> int:
        """Returns how many connections are open at all addresses, those piped to gRPC included."""
        return sum(listener.connections_count for listener in self._listeners)

    async def stop(self) -> None:
        """Refuses new connections, and lets calls in flight end within `limits.drain_timeout_s`."""
        self.set_ready(False)
        listeners, self._listeners = self._listeners, []
        await asyncio.gather(*(listener.stop() for listener in listeners))
        await self._close()

    async def _close(self) -> None:
        self._offload.close()
        self._backend.close()
        self._services.close()
        await self._upstreams.close()

    async def serve(
        self,
        address: str,
        *,
        http2: Http2Pipes | None = None,
        proxy_protocol: bool = False,
        ssl: TlsContext | None = None,
    ) -> None:
        """Starts, serves until SIGTERM or SIGINT, or a cancellation, then drains.

        The arguments are those of `start`. At SIGHUP it does what `reload` does, if there are
        servers to ask; else that signal is left as it is.

        The drain restores the handlers of all signals: by default a second SIGTERM or SIGINT ends
        the process at once.
        """
        try:
            with stop_signals(self.reload if self._upstreams.are_asked else None) as asked:
                bound = await self.start(
                    address, http2=http2, proxy_protocol=proxy_protocol, ssl=ssl
                )
                logger.info("listening on %s", bound)
                await asked.wait()
        finally:
            await self.stop()

    @property
    def grpc_web(self) -> GrpcWeb:
        """Returns the protocol that answers gRPC-Web; a `SonoraGrpcWeb` is an ASGI application."""
        return self._grpc_web

    def asgi(self) -> AsgiApplication:
        """Returns an ASGI 3 application, to run by an ASGI server or to mount in another one.

        Its lifespan raises `SchemaError` where `start` does. An application that it is mounted in
        has to run it: `FastAPI(lifespan=application.lifespan)`.
        """

        def start() -> None:
            self._require_selected()
            self._upstreams.start(self._services_are_read)

        async def stop() -> None:
            await self._tasks.ended(LINGER_S)
            await self._close()

        self.set_ready(True)
        return AsgiApplication(
            self._dispatcher.answer,
            self._dispatcher.refuse,
            responses=self._responses,
            tasks=self._tasks,
            limits=self._limits,
            start=start,
            drain=functools.partial(self.set_ready, False),
            stop=stop,
        )

    def app(self) -> web.Application:
        """Returns an aiohttp application, to run or to mount in another one.

        Its start raises `SchemaError` where `start` does.
        """

        async def require_selected(_: web.Application) -> None:
            self._require_selected()
            self._upstreams.start(self._services_are_read)

        async def stop_sockets(_: web.Application) -> None:
            self._web_sockets.stop()

        async def close(_: web.Application) -> None:
            await self._tasks.ended(LINGER_S)
            await self._close()

        async def expect_nothing(_: web.Request) -> None:
            """Sends no 100 Continue: `read_body` does, once interceptors have accepted the call."""

        application = web.Application(
            handler_args={"auto_decompress": False, "handler_cancellation": True}
        )
        application.router.add_route(
            "*", "/{path:.*}", self._dispatcher.answer_mounted, expect_handler=expect_nothing
        )
        application.on_startup.append(require_selected)
        application.on_shutdown.append(stop_sockets)
        application.on_cleanup.append(close)
        self.set_ready(True)
        return application


def _compressed_min_bytes(given: int | None) -> int:
    """Returns the min bytes of an answer that is compressed: for None more than any answer has."""
    if given is None:
        return sys.maxsize
    if given < 0:
        raise SchemaError(f"compress_min_bytes: expected 0 or more, or None, got {given}")
    return given
