"""Takes accepted connections through their TLS handshake.

Follows RFC 8446 and RFC 7301 (ALPN). A browser or curl offers h2 and http/1.1, a client of gRPC
offers h2 alone. So http/1.1 is preferred, and h2 is agreed on only if it can be piped.

Rule: a handshake has the deadline of headers, and its connection counts as open.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final, TypeAlias

from transcoder.http.connection import HttpConnection
from transcoder.http.connections import HttpConnections
from transcoder.http.first_bytes import UndecidedConnection
from transcoder.http.whole_requests import WholeConnection

logger = logging.getLogger(__name__)

TlsContext: TypeAlias = ssl.SSLContext | Callable[[], ssl.SSLContext]
"""The context of all connections, or a function that returns that of the next one."""
MakeConnection: TypeAlias = Callable[[], HttpConnection | WholeConnection | UndecidedConnection]

_HTTP1: Final = ["http/1.1"]
_HTTP2_TOO: Final = ["http/1.1", "h2"]


class TlsHandshakes:
    """Makes the connections of a listener with TLS."""

    def __init__(self, tls: TlsContext, connections: HttpConnections, *, has_http2: bool) -> None:
        """Takes the certificates.

        Args:
            tls: as `Transcoder.start` takes it.
            connections: all connections of the listener.
            has_http2: True if connections over HTTP/2 are piped.
        """
        self._tls = tls
        self._connections = connections
        self._protocols = _HTTP2_TOO if has_http2 else _HTTP1
        self._prepared: ssl.SSLContext | None = None

    async def connect(self, accepted: socket.socket, make_connection: MakeConnection) -> None:
        """Shakes hands, then has the connection served.

        Raises:
            OSError: the connection must be closed.
        """
        connection = make_connection()
        # From here it is open for its listener; its own turn to be admitted comes after.
        if not self._connections.admit(connection):
            raise ConnectionRefusedError("too many connections")
        loop, limits = asyncio.get_running_loop(), self._connections.limits
        try:
            await loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._context(),
                ssl_handshake_timeout=limits.header_timeout_s,
                # What is left of an answer is sent within it, too.
                ssl_shutdown_timeout=limits.write_timeout_s,
            )
        except BaseException as error:
            self._connections.lost(connection)
            logger.debug("a TLS handshake failed: %s", error)
            raise
        if self._connections.is_draining:
            connection.drain()

    def _context(self) -> ssl.SSLContext:
        context = self._tls if isinstance(self._tls, ssl.SSLContext) else self._tls()
        if context is not self._prepared:
            context.set_alpn_protocols(self._protocols)
            self._prepared = context
        return context
