"""Serves gRPC: a grpc.aio server with its limits, health and reflection.

Follows grpc.health.v1, grpc.reflection.v1 and v1alpha (one set of messages under two names), and
grpc/doc/statuscodes.md. R-numbers are those of docs/robustness.md.
Rule: a client never reads an exception's text, which grpc.aio would send.
"""

import asyncio
import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection, reflection_pb2

from server.binding import bound
from server.config import Address, SocketPath, listening
from server.descriptors import GRPC_MAX
from server.rpc.chain import Chain
from server.rpc.connections import ConnectionEnder
from server.rpc.handlers import MethodHandler
from server.rpc.idle_connections import IdleConnections
from server.rpc.interceptors.overload import CALLS_MAX, STREAMS_SHARE
from server.rpc.open_calls import OnRefusal, Places, Receiving
from server.rpc.piped import PipedClients, PipedConnection, Pipes

MESSAGE_MAX_BYTES: Final = 4 << 20
"""Max bytes of a message from a client (R26)."""

METADATA_MAX_BYTES: Final = 16 << 10
"""Max bytes of a call's metadata (R26); for both limits of grpc, which between them refuses at
random."""

STREAMS_MAX: Final = 100
"""Max open calls of a connection; without it a rapid reset blocks the server for seconds (R24)."""

HANDSHAKE_TIMEOUT_S: Final = 5
"""Max seconds until a connection has sent its HTTP/2 settings, as for headers of HTTP/1.1 (R19)."""

IDLE_S: Final = 60
"""Max seconds of a connection without a call; clients reconnect at their next call."""

CONNECTION_AGE_S: Final = 15 * 60
"""Max age of a connection in seconds; it then gets a GOAWAY, so its client opens another."""

AGE_GRACE_S: Final = 60
"""Max seconds for the calls of a connection after its GOAWAY; then they end with it."""

KEEPALIVE_S: Final = 30
"""Seconds without a frame from the client after which the server sends it a ping."""

KEEPALIVE_TIMEOUT_S: Final = 20
"""Max seconds for the client to answer the ping, and to acknowledge what was sent."""

PING_MIN_S: Final = 10
"""Min seconds between pings of a client; more frequent ones end the connection. The default, 300 s,
ends connections of clients that follow grpc's own guide to keepalive."""

SOCKET_UMASK: Final = 0o117
"""Umask while a unix socket is bound: owner and group may connect, as for the transcoder's."""

PRIVATE_UMASK: Final = 0o177
"""The same for pipes: only this user may connect."""

_REFLECTION: Final = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)


LEAVE_S: Final = 0.2
"""Seconds for clients to read the last answers; closing earlier would reset their connections."""


class GrpcServer:
    """Registers services as a `grpc.aio.Server` does."""

    def __init__(
        self,
        *,
        chain: Chain | None = None,
        calls_max: int = CALLS_MAX,
        connections_max: int = GRPC_MAX,
        pipes: Pipes | None = None,
        reuse_port: bool = False,
        on_refusal: OnRefusal | None = None,
    ) -> None:
        """Makes a server that does not listen yet; a loop must run.

        Args:
            chain: the interceptors of each call.
            calls_max: max open calls, from their headers until the client has taken the answer. A
                part of them may be streams.
            connections_max: max open connections of each address.
            pipes: lead from another port to the path that `start` gets as `piped`.
            reuse_port: True if other processes may listen on the same port.
            on_refusal: called for each call beyond `calls_max`, with "calls" or "streams".
        """
        chain = chain or Chain()
        self._connections = ConnectionEnder()
        # Fewer than `Overload` admits over all protocols: this limit, which ends idle streams, is
        # reached first.
        streams_max = max(calls_max // STREAMS_SHARE * 3 // 4, 1)
        self._places = places = Places(
            calls_max, streams_max, self._end_connections, on_refusal=on_refusal
        )
        self._pipes = pipes
        self._reuse_port = reuse_port
        self._idle_at_port = IdleConnections(
            connections_max,
            find=self._connections.open,
            end=self._connections.end,
            busy=places.peers,
        )
        self._idle_pipes = IdleConnections(
            connections_max,
            find=self._piped,
            end=self._end_connections,
            busy=places.peers,
        )
        chain = chain.with_inner(Receiving(places))
        if pipes is not None:
            chain = chain.with_outer(PipedClients(pipes))
        chain = chain.with_outer(places)
        self._server = grpc.aio.server(
            interceptors=(chain,),
            options=[
                # By default a second server could listen on the same port.
                ("grpc.so_reuseport", int(reuse_port)),
                ("grpc.max_concurrent_streams", STREAMS_MAX),
                ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
                ("grpc.max_metadata_size", METADATA_MAX_BYTES),
                ("grpc.absolute_max_metadata_size", METADATA_MAX_BYTES),
                ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_S * 1000),
                ("grpc.max_allowed_incoming_connections", connections_max),
                ("grpc.max_connection_idle_ms", IDLE_S * 1000),
                ("grpc.max_connection_age_ms", CONNECTION_AGE_S * 1000),
                ("grpc.max_connection_age_grace_ms", AGE_GRACE_S * 1000),
                ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
                ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_S * 1000),
                ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_S * 1000),  # a minute by default
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", PING_MIN_S * 1000),
            ],
        )
        self._health = health.aio.HealthServicer()
        self._services: list[str] = []

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]
    ) -> None:
        for handler in generic_rpc_handlers:
            if isinstance(handler, grpc.ServiceRpcHandler):
                self._services.append(handler.service_name())
        self._server.add_generic_rpc_handlers(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, MethodHandler]
    ) -> None:
        """Does nothing: generated code also adds these handlers as generic ones."""

    async def start(
        self,
        address: str | None,
        *,
        is_ready: bool = True,
        socket_umask: int = SOCKET_UMASK,
        piped: str = "",
        credentials: grpc.ServerCredentials | None = None,
    ) -> str:
        """Binds the address and serves; port 0 takes a free port.

        Args:
            address: "host:port", or "unix:path" with nothing at the path; None serves pipes alone.
            is_ready: what health checks answer until `set_ready` says otherwise.
            socket_umask: umask while a unix socket is bound.
            piped: "unix:path" in a private folder, for the pipes; without it there are none.
            credentials: of the address, for TLS; pipes have none.

        Returns:
            The address bound; empty for None.

        Raises:
            OSError: it cannot be bound.
        """
        if piped:
            self._bind(listening(piped), umask=PRIVATE_UMASK)
        bound = ""
        if address is not None:
            wanted = listening(address)
            port = self._bind(wanted, umask=socket_umask, credentials=credentials)
            if isinstance(wanted, SocketPath):
                self._connections.at, bound = wanted.path, str(wanted)
            else:
                self._connections.at, bound = port, str(wanted._replace(port=port))
                self._idle_at_port.start()
        add_HealthServicer_to_server(self._health, self)  # type: ignore[arg-type]  # registers as a server does
        await self.set_ready(is_ready)
        self._add_reflection()
        await self._server.start()
        if piped:
            self._idle_pipes.start()
        return bound

    def _bind(
        self,
        wanted: Address | SocketPath,
        *,
        umask: int,
        credentials: grpc.ServerCredentials | None = None,
    ) -> int:
        """Returns the port, which is free if 0 is wanted.

        Raises:
            OSError: the address cannot be bound.
        """
        if isinstance(wanted, Address):
            # Once before grpc does, which reports a failure only on standard error.
            bound(wanted, reuse_port=self._reuse_port).close()
        mask = os.umask(umask)
        try:
            if credentials is None:
                return self._server.add_insecure_port(_target(wanted))
            return self._server.add_secure_port(_target(wanted), credentials)
        except RuntimeError as error:
            raise OSError(errno.EADDRNOTAVAIL, "grpc cannot bind it") from error
        finally:
            os.umask(mask)

    async def set_ready(self, is_ready: bool) -> None:
        """Sets what health checks answer, and notifies watchers: SERVING or NOT_SERVING."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if is_ready
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in ("", *self._services):
            await self._health.set(service, status)

    async def set_not_ready(self) -> None:
        """Sets health checks to NOT_SERVING until the end, and notifies watchers."""
        await self._health.enter_graceful_shutdown()

    async def connections_count(self) -> int:
        """Returns how many connections are open, those through pipes included.

        At a unix socket, and on systems other than Linux, they cannot be listed: 0.

        Raises:
            OSError, TooManyWaiting: the system does not list them.
        """
        return len(await self._connections.open(0)) + len(await self._piped(0))

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, waits for open ones, and ends those left after the grace.

        Does not wait for calls that watch the health: they end only when their caller leaves.
        """
        await self.set_not_ready()
        loop = asyncio.get_running_loop()
        until = loop.time() + grace_s
        if await self._places.drained(grace_s):
            await asyncio.sleep(LEAVE_S)
        await self._server.stop(max(min(until - loop.time(), LEAVE_S), 0))
        await self._idle_at_port.close()
        await self._idle_pipes.close()
        self._places.close()
        self._connections.close()

    def _end_connections(self, peers: Iterable[str]) -> None:
        others = [*peers] if self._pipes is None else self._pipes.end([*peers])
        if others:
            self._connections.end(others)

    async def _piped(self, _more_than: int) -> Sequence[PipedConnection]:
        return [] if self._pipes is None else self._pipes.connections()

    def _add_reflection(self) -> None:
        # v1 is not listed: clients ask for each name's descriptor, and grpc has only v1alpha's.
        servicer = reflection.aio.ReflectionServicer((*self._services, reflection.SERVICE_NAME))
        method_handler: MethodHandler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        for name in _REFLECTION:
            methods = {"ServerReflectionInfo": method_handler}
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(name, methods),)
            )


def _target(address: Address | SocketPath) -> str:
    """Returns the address in the form of grpc, which percent-decodes it."""
    if isinstance(address, SocketPath):
        return f"unix:{quote(os.fsencode(address.path))}"
    return str(address)
