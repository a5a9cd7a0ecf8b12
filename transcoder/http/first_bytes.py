"""Tells HTTP/2 from HTTP/1.1 by the first bytes of a connection.

Follows RFC 9113 section 3.4: a client of HTTP/2 sends a preface, which no request of HTTP/1.1
begins with. Such a connection is piped to a gRPC server; any other is answered here.

Rule 1: this file waits only for bytes that can still be the preface, and hands them on unchanged.
Rule 2: a connection pays for the decision, a request does not.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from transcoder.http.connection import HttpConnection
from transcoder.http.connections import HttpConnections
from transcoder.http.forwarded import Address
from transcoder.http.http2_pipes import Http2Pipes
from transcoder.http.keep_alive import KeepAlive
from transcoder.http.whole_requests import WholeConnection

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

MakeHttp1 = Callable[[Address | None], HttpConnection | WholeConnection]


class FirstBytes:
    """Makes the protocol of each connection of a listener.

    Attributes:
        connections: all connections of the listener.
        make_http1: makes the protocol of a connection over HTTP/1.1.
        pipes: takes connections over HTTP/2.
        keep_alive: closes connections that send nothing.
    """

    def __init__(
        self, connections: HttpConnections, make_http1: MakeHttp1, pipes: Http2Pipes
    ) -> None:
        self.connections = connections
        self.make_http1 = make_http1
        self.pipes = pipes
        self.keep_alive = KeepAlive(connections.limits.keepalive_timeout_s)

    def connection(self, client: Address | None) -> "UndecidedConnection":
        """Makes the protocol of a connection that has sent nothing yet."""
        return UndecidedConnection(self, client)


class UndecidedConnection(asyncio.Protocol):
    """A connection until its first bytes tell the protocol."""

    __slots__ = ("_client", "_listener", "_received", "_timer", "_wire")

    def __init__(self, listener: FirstBytes, client: Address | None) -> None:
        self._listener = listener
        self._client = client
        # None before the connection is admitted, and after its end or hand-over.
        self._wire: asyncio.Transport | None = None
        # The beginning of a preface.
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None

    # Called by the event loop.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of sockets
        if not self._listener.connections.admit(self):
            transport.close()
            return
        self._wire = transport
        self._listener.keep_alive.add(self)

    def data_received(self, data: bytes) -> None:
        wire, listener = self._wire, self._listener
        if wire is None:
            return
        received = self._received + data if self._received else data
        if not received.startswith(PREFACE) and PREFACE.startswith(received):
            self._received = received
            self._await_preface(wire)
            return
        self._leave()
        if received.startswith(PREFACE):
            listener.pipes.begin(
                self, wire, received, connections=listener.connections, client=self._client
            )
        else:
            self._serve_http1(wire, received)

    def eof_received(self) -> bool:
        """Returns True, which keeps the connection open, if HTTP/1.1 has more to do with it."""
        wire, received = self._wire, self._received
        if wire is None or not received:
            return False
        self._leave()
        return self._serve_http1(wire, received).eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._leave()
        self._listener.connections.lost(self)

    # Called by the listener and its `KeepAlive`.

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()

    def drain(self) -> None:
        self.close()

    def end(self) -> bool:
        self.close()
        return False

    # Steps of the decision.

    def _await_preface(self, wire: asyncio.Transport) -> None:
        if self._timer is None:
            self._listener.keep_alive.discard(self)
            timeout_s = self._listener.connections.limits.header_timeout_s
            self._timer = asyncio.get_running_loop().call_later(timeout_s, wire.abort)

    def _leave(self) -> None:
        """Lets go of the connection and its deadline."""
        self._wire = None
        self._listener.keep_alive.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _serve_http1(
        self, wire: asyncio.Transport, received: bytes
    ) -> HttpConnection | WholeConnection:
        successor = self._listener.make_http1(self._client)
        self._listener.connections.replace(self, successor)
        wire.set_protocol(successor)
        successor.connection_made(wire)
        successor.data_received(received)
        return successor
