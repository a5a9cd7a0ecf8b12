"""Reads the PROXY protocol's header of accepted connections, before TLS and before HTTP.

Rule 1: every connection must have a header, and come from a trusted proxy; others are closed, as
a client could name itself otherwise (section 2 of the PROXY protocol).
Rule 2: no byte behind the header is read.
Rule 3: a connection whose header is awaited has a deadline, and counts as open.
"""

import asyncio
import logging
import socket
from typing import Final

from transcoder.http.connections import HttpConnections
from transcoder.http.forwarded import Address, TrustedProxies
from transcoder.http.proxy_protocol import (
    FIRST_BYTES,
    HEAD_BYTES,
    LINE_MAX_BYTES,
    MalformedHeader,
    client_in_binary,
    client_in_line,
    is_line,
    rest_bytes,
)
from transcoder.http.seldom import Seldom

logger = logging.getLogger(__name__)

_END_OF_LINE: Final = b"\n"


class ProxiedConnections:
    """Finds the clients of a listener's connections by their headers."""

    def __init__(self, proxies: TrustedProxies, connections: HttpConnections) -> None:
        """Sets who is believed.

        Args:
            proxies: those that send the header.
            connections: all connections of the listener.
        """
        self._proxies = proxies
        self._connections = connections
        self._strangers = Seldom()
        self._malformed = Seldom()

    async def client_of(self, accepted: socket.socket) -> Address | None:
        """Reads the header of a connection, and returns its client; None if it names none.

        Raises:
            OSError: the connection must be closed.
        """
        peername = accepted.getpeername()
        if not self._proxies.trusts(peername):
            self._log(self._strangers, peername, "it is not a trusted proxy's")
            raise ConnectionRefusedError("not of a trusted proxy")
        deadline = asyncio.timeout(self._connections.limits.header_timeout_s)
        awaited = _Awaited(deadline)
        if not self._connections.admit(awaited):
            raise ConnectionRefusedError("too many connections")
        try:
            async with deadline:
                return await _read_client(accepted)
        except (MalformedHeader, TimeoutError) as error:
            if not awaited.is_ended:
                reason = str(error) or "its header did not come in time"
                self._log(self._malformed, peername, reason)
            raise ConnectionAbortedError("no header") from None
        finally:
            self._connections.lost(awaited)

    def _log(self, seldom: Seldom, peername: object, reason: str) -> None:
        if seldom.is_due():
            logger.warning("closed a connection of %s: %s", peername, reason)


class _Awaited:
    """A connection whose header is awaited, as its listener sees it."""

    def __init__(self, deadline: asyncio.Timeout) -> None:
        self._deadline = deadline
        self.is_ended = False

    def drain(self) -> None:
        self.abort()

    def end(self) -> bool:
        self.abort()
        return False

    def abort(self) -> None:
        self.is_ended = True
        self._deadline.reschedule(asyncio.get_running_loop().time())


async def _read_client(accepted: socket.socket) -> Address | None:
    first = await _exactly(accepted, FIRST_BYTES)
    if is_line(first):
        return client_in_line(await _line(accepted, first))
    head = first + await _exactly(accepted, HEAD_BYTES - FIRST_BYTES)
    return client_in_binary(head, await _exactly(accepted, rest_bytes(head)))


async def _exactly(accepted: socket.socket, number: int) -> bytes:
    loop = asyncio.get_running_loop()
    received = b""
    while len(received) < number:
        piece = await loop.sock_recv(accepted, number - len(received))
        if not piece:
            raise MalformedHeader("it ended within its header")
        received += piece
    return received


async def _line(accepted: socket.socket, first: bytes) -> bytes:
    """Reads up to the end of a line, or `LINE_MAX_BYTES`."""
    line = first
    while not line.endswith(_END_OF_LINE) and len(line) < LINE_MAX_BYTES:
        line += await _exactly(accepted, 1)
        if not line.endswith(_END_OF_LINE):
            line += _received_of_line(accepted, LINE_MAX_BYTES - len(line))
    return line


def _received_of_line(accepted: socket.socket, most: int) -> bytes:
    """Reads what has been received already, up to the end of the line."""
    try:
        received = accepted.recv(most, socket.MSG_PEEK)
    except BlockingIOError:
        return b""
    end = received.find(_END_OF_LINE) + 1
    return accepted.recv(end or len(received))
