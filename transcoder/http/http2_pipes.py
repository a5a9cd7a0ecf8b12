"""Pipes connections over HTTP/2 to the unix socket of a gRPC server.

A pipe copies bytes both ways and parses none. What a peer does not take stays in the sockets: a
pipe reads no more than it could write.

Follows unix(7), "Abstract sockets", and grpc/doc/naming.md: each pipe binds its own socket to a
name, which the gRPC server has as the peer of the connection. So the server can ask for the
client's address. Without Linux there are no such names, and clients of a pipe have no address.

Rule 1: a peer that does not read is ended by the same deadline as over HTTP/1.1 (R22).
Rule 2: the gRPC server ends the connections of its pipes: a drain of the listener does not wait.
"""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Collection
from typing import Final, NamedTuple

from transcoder.call import peer_text
from transcoder.errors import SchemaError
from transcoder.http.connections import HttpConnections, OpenConnection
from transcoder.http.forwarded import Address
from transcoder.http.peer_certificates import UNKNOWN, AuthContext, auth_context_of
from transcoder.http.seldom import Seldom
from transcoder.http.slow_readers import SlowReader, watch_reader
from transcoder.http.unix_sockets import socket_path_of

logger = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 1000
"""Max pipes by default; each takes two file descriptors besides its client's."""

_SCHEME: Final = "unix-abstract:"
_REMEMBERED_S: Final = 10.0
"""Seconds that a client's address is known after its connection ended; its calls end later."""
_SERVER_BUFFER_BYTES: Final = 64 << 10
"""Bytes that may wait for the gRPC server; then the client's are left in its socket."""


class PipedConnection(NamedTuple):
    """Describes an open connection over HTTP/2.

    Attributes:
        peer: as a context of the gRPC server names it.
        idle_s: seconds since the last byte of the client.
        received_bytes: all bytes of the client.
    """

    peer: str
    idle_s: float
    received_bytes: int


class _Client(NamedTuple):
    """The client of a pipe, in the words of gRPC."""

    address: str
    auth_context: AuthContext


class Http2Pipes:
    """The pipes to one gRPC server; `Transcoder.start` and `serve` take them."""

    def __init__(self, address: str, *, connections_max: int = CONNECTIONS_MAX) -> None:
        """Prepares to pipe; the server may listen later.

        Args:
            address: "unix:path", where the gRPC server listens.
            connections_max: max pipes; further connections over HTTP/2 are closed at once.

        Raises:
            SchemaError: the address is not the path of a unix socket, or the limit is not positive.
        """
        path = socket_path_of(address)
        if path is None:
            raise SchemaError(f"address {address!r}: expected unix:path")
        if connections_max < 1:
            raise SchemaError(f"connections_max: expected 1 or more, got {connections_max}")
        self.path: Final = path
        self._connections_max = connections_max
        self._prefix = f"http2-pipe-{os.urandom(8).hex()}-"
        self._count = 0
        self._open: dict[str, _Pipe] = {}
        self._clients: dict[str, _Client] = {}
        self._failures = Seldom()

    def client_of(self, peer: str) -> str:
        """Returns the client's address for the peer that a gRPC server sees.

        Args:
            peer: as `context.peer()` returns it.

        Returns:
            The address as gRPC writes it ("ipv4:192.0.2.1:5000"); the peer, if it is no pipe's.
        """
        client = self._clients.get(peer)
        return peer if client is None else client.address

    def auth_context_of(self, peer: str) -> AuthContext:
        """Returns what is known of the client by its certificate, for the same peer.

        Returns:
            Properties as `context.auth_context()` has them; empty if the peer is no pipe's.
        """
        client = self._clients.get(peer)
        return UNKNOWN if client is None else client.auth_context

    def connections(self) -> list[PipedConnection]:
        """Returns the open connections."""
        now = asyncio.get_running_loop().time()
        return [
            PipedConnection(peer, now - pipe.heard_at, pipe.received_bytes)
            for peer, pipe in self._open.items()
        ]

    def end(self, peers: Collection[str]) -> list[str]:
        """Aborts the connections of peers, and returns those peers that are no pipe's."""
        others = []
        for peer in peers:
            pipe = self._open.get(peer)
            if pipe is None:
                others.append(peer)
            else:
                pipe.abort()
        return others

    def close(self) -> None:
        """Aborts all connections that are left."""
        for pipe in list(self._open.values()):
            pipe.abort()

    # Called by the listener.

    def begin(
        self,
        predecessor: OpenConnection,
        wire: asyncio.Transport,
        received: bytes,
        *,
        connections: HttpConnections,
        client: Address | None = None,
    ) -> None:
        """Pipes a connection from now on.

        Args:
            predecessor: the connection among those of its listener.
            wire: the connection.
            received: what has been read of it.
            connections: those of its listener.
            client: its client, if that is not what its socket says.
        """
        self._count += 1
        pipe = _Pipe(self, f"{self._prefix}{self._count:x}", wire, connections)
        connections.replace(predecessor, pipe)
        wire.set_protocol(pipe)
        if len(self._open) >= self._connections_max:
            wire.abort()
            return
        peer = f"{_SCHEME}{pipe.name}"
        self._open[peer] = pipe
        self._clients[peer] = _Client(
            peer_text(client or wire.get_extra_info("peername")),
            auth_context_of(wire.get_extra_info("peercert")),
        )
        pipe.start(received)

    # Called by pipes.

    async def connect(self, name: str, end: asyncio.Protocol) -> None:
        """Connects to the gRPC server.

        Raises:
            OSError: it does not listen, or does not accept.
        """
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.setblocking(False)
            if sys.platform == "linux":
                connected.bind(f"\0{name}")
            connected.connect(self.path)  # a unix socket connects at once, or fails
            loop = asyncio.get_running_loop()
            await loop.create_unix_connection(lambda: end, sock=connected)
        except BaseException:
            connected.close()
            raise

    def lost(self, name: str) -> None:
        """Removes a pipe; calls of it that still end know their client a little longer."""
        peer = f"{_SCHEME}{name}"
        if self._open.pop(peer, None) is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(_REMEMBERED_S, self._clients.pop, peer, None)

    def report(self, error: OSError) -> None:
        if self._failures.is_due():
            reason = os.strerror(error.errno or 0).lower()
            logger.warning("cannot pipe a connection to the gRPC server: %s", reason)


class _Pipe(asyncio.Protocol):
    """One connection over HTTP/2: the end at the client."""

    __slots__ = (
        "_connecting",
        "_connections",
        "_pipes",
        "_server",
        "_slow_reader",
        "_wire",
        "heard_at",
        "name",
        "received_bytes",
    )

    def __init__(
        self, pipes: Http2Pipes, name: str, wire: asyncio.Transport, connections: HttpConnections
    ) -> None:
        self._pipes = pipes
        self.name = name
        self._connections = connections
        self.heard_at = asyncio.get_running_loop().time()
        self.received_bytes = 0
        self._wire: asyncio.Transport | None = wire
        self._server: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._slow_reader: SlowReader | None = None

    def start(self, received: bytes) -> None:
        """Connects to the server, and sends it what was received; until then nothing is read."""
        if self._wire is None:
            return
        self._wire.pause_reading()
        watch_reader(self._wire)
        self.received_bytes = len(received)
        self._connecting = asyncio.get_running_loop().create_task(self._connect(received))

    async def _connect(self, received: bytes) -> None:
        try:
            await self._pipes.connect(self.name, _ServerEnd(self))
        except OSError as error:
            self._pipes.report(error)
            self.abort()
            return
        finally:
            self._connecting = None  # which refers to the pipe
        if self._server is not None:
            self._server.write(received)
            _resume(self._wire)

    # Called by the event loop, for the client's end.

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        self.received_bytes += len(data)
        if self._server is not None:
            self._server.write(data)

    def pause_writing(self) -> None:
        if self._wire is not None:
            timeout_s = self._connections.limits.write_timeout_s
            self._slow_reader = SlowReader(self._wire, timeout_s=timeout_s)
        _pause(self._server)

    def resume_writing(self) -> None:
        self._stop_slow_reader()
        _resume(self._server)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._wire = None
        self._stop_slow_reader()
        self._connections.lost(self)
        self._pipes.lost(self.name)
        if self._server is not None:
            self._server.abort()

    def _stop_slow_reader(self) -> None:
        if self._slow_reader is not None:
            self._slow_reader.stop()
            self._slow_reader = None

    # Called by the server's end.

    def connected(self, server: asyncio.Transport) -> None:
        if self._wire is None:  # the client left meanwhile
            server.abort()
            return
        server.set_write_buffer_limits(high=_SERVER_BUFFER_BYTES)
        self._server = server

    def send(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.write(data)

    def pause_client(self) -> None:
        _pause(self._wire)

    def resume_client(self) -> None:
        _resume(self._wire)

    def disconnected(self) -> None:
        """Closes the connection, once the client has read what the server sent."""
        self._server = None
        if self._wire is not None:
            self._wire.close()

    # Called by the listener.

    def drain(self) -> None:
        """Leaves the listener: the gRPC server drains its own connections."""
        self._connections.lost(self)

    def end(self) -> bool:
        return False

    def abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()


class _ServerEnd(asyncio.Protocol):
    """The end of a pipe at the gRPC server."""

    __slots__ = ("_pipe",)

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of sockets
        self._pipe.connected(transport)

    def data_received(self, data: bytes) -> None:
        self._pipe.send(data)

    def pause_writing(self) -> None:
        self._pipe.pause_client()

    def resume_writing(self) -> None:
        self._pipe.resume_client()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._pipe.disconnected()


def _pause(wire: asyncio.Transport | None) -> None:
    if wire is not None and not wire.is_closing():
        wire.pause_reading()


def _resume(wire: asyncio.Transport | None) -> None:
    if wire is not None and not wire.is_closing():
        wire.resume_reading()
