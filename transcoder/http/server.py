"""Listens on an address, with room for as many connections as files allow, until it drains.

What happens on a connection is connection.py's.
"""

import asyncio
import functools
import logging
import re
import resource
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

from transcoder.errors import SchemaError
from transcoder.http.accepting import Acceptor, bind
from transcoder.http.connection import HttpConnection, aiohttp_server
from transcoder.http.connections import HttpConnections
from transcoder.http.first_bytes import FirstBytes, MakeHttp1, UndecidedConnection
from transcoder.http.forwarded import Address, TrustedProxies
from transcoder.http.http2_pipes import Http2Pipes
from transcoder.http.proxied import ProxiedConnections
from transcoder.http.request import AnswerRequest, Refuse
from transcoder.http.response import Responses
from transcoder.http.tls import TlsContext, TlsHandshakes
from transcoder.http.unix_sockets import SCHEME, SocketFile, listening_socket, socket_path_of
from transcoder.http.whole_requests import IS_AVAILABLE, WholeConnection, WholeRequests
from transcoder.options import Limits
from transcoder.tasks import Tasks

logger = logging.getLogger(__name__)

_SPARE_DESCRIPTORS: Final = 128
"""File descriptors left for all but connections: listeners, the store, logs."""
_PORT_MAX: Final = 65535
_LISTEN_ADDRESS: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]]*)):(?P<port>[0-9]{1,5})"
)


MakeConnection: TypeAlias = Callable[
    [Address | None], HttpConnection | WholeConnection | UndecidedConnection
]
"""Makes a connection by its client, or by None for that of its socket."""


class Listener:
    """One address, and the connections that came in through it."""

    def __init__(
        self,
        answer: AnswerRequest,
        refuse: Refuse,
        *,
        limits: Limits,
        responses: Responses | None = None,
        tasks: Tasks | None = None,
        http2: Http2Pipes | None = None,
        proxies: TrustedProxies | None = None,
        tls: TlsContext | None = None,
    ) -> None:
        """Prepares to listen.

        Args:
            answer: answers a request; it is cancelled when its client leaves.
            refuse: makes the answer to what is never asked of `answer`, or outlasts it.
            limits: what a client may make the server hold, and for how long.
            responses: writes answers; without it they have their own headers alone.
            tasks: waits for requests that are cancelled.
            http2: takes connections over HTTP/2; without it they are refused.
            proxies: of them every connection must come, with a header of the PROXY protocol.
            tls: has the certificates; without it connections have no TLS.
        """
        self._answer = answer
        self._limits = limits
        self._connections = HttpConnections(
            refuse, responses=responses or Responses([]), limits=limits, tasks=tasks or Tasks()
        )
        self._http2 = http2
        self._proxied = None if proxies is None else ProxiedConnections(proxies, self._connections)
        self._tls = (
            None
            if tls is None
            else TlsHandshakes(tls, self._connections, has_http2=http2 is not None)
        )
        self._acceptor: Acceptor | None = None
        self._socket_file: SocketFile | None = None

    async def start(self, address: str, *, reuse_port: bool = False) -> str:
        """Binds and accepts.

        Args:
            address: "host:port" or "[v6]:port"; without a host every interface, with port 0 a
                free port. Or "unix:path", as grpc takes it.
            reuse_port: True if other processes may listen on the same port.

        Returns:
            The address bound.

        Raises:
            SchemaError: this is no address.
            OSError: the address cannot be bound.
        """
        path = socket_path_of(address)
        host, port = parsed_address(address) if path is None else ("", 0)
        # With asyncio's 100, a burst makes callers wait a second for their second SYN (R19).
        backlog = self._connections.maximum = _room_for(self._limits.connections_max)
        if path is not None:
            sockets = [listening_socket(path, backlog=backlog)]
            self._socket_file = SocketFile(path)
        else:
            sockets = await bind(host, port, reuse_port=reuse_port)
        connect = functools.partial(self._connect, self._connection_factory())
        self._acceptor = Acceptor(sockets, connect, backlog=backlog)
        if path is not None:
            return f"{SCHEME}{path}"
        name, number = sockets[0].getsockname()[:2]
        return f"[{name}]:{number}" if ":" in name else f"{name}:{number}"

    async def _connect(self, make_connection: MakeConnection, accepted: socket.socket) -> None:
        """Has an accepted connection served.

        Raises:
            OSError: it must be closed, as its client has left or may not come in.
        """
        client = None if self._proxied is None else await self._proxied.client_of(accepted)
        make = functools.partial(make_connection, client)
        if self._tls is None:
            await asyncio.get_running_loop().connect_accepted_socket(make, accepted)
        else:
            await self._tls.connect(accepted, make)

    def _connection_factory(self) -> MakeConnection:
        make_http1 = self._http1_factory()
        if self._http2 is None:
            return make_http1
        return FirstBytes(self._connections, make_http1, self._http2).connection

    def _http1_factory(self) -> MakeHttp1:
        connections = self._connections
        server = aiohttp_server(self._answer, connections.responses)
        if not IS_AVAILABLE:
            return lambda client: HttpConnection(connections, server, client)
        shared = WholeRequests(self._answer, connections, server)
        return lambda client: WholeConnection(shared, client)

    @property
    def connections_count(self) -> int:
        """Returns how many connections are open, those that are piped to gRPC included."""
        return self._connections.open_count

    async def stop(self) -> None:
        """Refuses new connections, closes idle ones, and lets requests in flight end.

        What still runs after `limits.drain_timeout_s` is cancelled, and answered as UNAVAILABLE.
        """
        if self._socket_file is not None:
            self._socket_file.remove()
        if self._acceptor is not None:
            self._acceptor.close()
        await self._connections.drain()


def parsed_address(address: str) -> tuple[str | None, int]:
    """Returns the host of an address, None for every interface, and the port.

    Raises:
        SchemaError: this is no address.
    """
    found = _LISTEN_ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _PORT_MAX or not _may_be_host(found["host"] or ""):
        raise SchemaError(f"address {address!r}: expected host:port, [v6]:port or unix:path")
    return found["v6"] or found["host"] or None, int(found["port"])


def _may_be_host(name: str) -> bool:
    """True if asyncio can encode the name for a look-up; it would raise UnicodeError otherwise."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True


def _room_for(connections: int) -> int:
    """Returns how many connections the files leave room for that this process may open.

    Without a descriptor left, accept() fails for good callers and bad ones alike. The limit is the
    process's: its owner may raise it, a library does not.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY or allowed >= connections + _SPARE_DESCRIPTORS:
        return connections
    room = max(allowed - _SPARE_DESCRIPTORS, 1)
    logger.warning(
        "%d connections at most, not %d: this process may open %d files", room, connections, allowed
    )
    return room
