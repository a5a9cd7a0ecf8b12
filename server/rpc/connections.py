"""Lists and ends connections of grpc, which has no API for that.

Finds their sockets among the descriptors of this process, by the peer as grpc names it.

Follows proc(5), "/proc/pid/fd", and shutdown(2), which ends a connection that grpc holds.
Rule: only a duplicate of a descriptor is used: grpc may close it at any time, and its number may
then be another file's.
"""

import asyncio
import fcntl
import os
import socket
import stat
import struct
import sys
import termios
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import structlog

from server.threads import ThreadPool, TooManyWaiting

_DESCRIPTORS: Final = Path("/dev/fd")
_MAPPED: Final = "::ffff:"
_TCP_INFO: Final = struct.Struct("=52xI72xQ")
"""Milliseconds since the last byte of the peer, and its bytes, in linux/tcp.h's struct tcp_info."""

log = structlog.get_logger()


class OpenConnection(NamedTuple):
    """Describes a connection to the port.

    Attributes:
        peer: as a grpc.aio context names it.
        idle_s: seconds since the last byte of the peer.
        received_bytes: all bytes of the peer.
    """

    peer: str
    idle_s: float
    received_bytes: int


class ConnectionEnder:
    """Lists the connections to an address, and ends them in batches.

    Attributes:
        at: the port that grpc listens on, or the path of its unix socket; 0 until it listens.
    """

    def __init__(self) -> None:
        self.at: int | str = 0
        self._threads = ThreadPool("ended connections", threads_max=1)
        self._listing = ThreadPool("idle connections", threads_max=1)
        self._peers: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def open(self, more_than: int) -> list[OpenConnection]:
        """Returns the open connections; none if there are no more than this.

        Raises:
            OSError, TooManyWaiting: the system does not list them.
        """
        return await self._listing.run("", open_connections, self.at, more_than=more_than)

    def end(self, peers: Iterable[str]) -> None:
        self._peers.update(peers)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._end_all())

    def close(self) -> None:
        self._threads.close()
        self._listing.close()

    async def _end_all(self) -> None:
        while self._peers:
            peers, self._peers = self._peers, set()
            try:
                await self._threads.run("", end_connections, self.at, peers)
            except (OSError, TooManyWaiting) as error:
                log.warning("connections cannot be ended", peers=len(peers), reason=str(error))


def end_connections(at: int | str, peers: Collection[str]) -> int:
    """Shuts down the connections of peers; may take milliseconds.

    All peers of a unix socket have the same name. There it ends the connections whose client has
    unread bytes; one that reads them but never opens a window of HTTP/2 stays until its max age.

    Args:
        at: as `ConnectionEnder.at`.
        peers: as a grpc.aio context names them: "ipv4:127.0.0.1:40001", "ipv6:%5B::1%5D:40001".

    Returns:
        The number of connections found.
    """
    wanted = {address_of(peer) for peer in peers}
    found = 0
    for descriptor in _sockets(_descriptors()):
        try:
            found += _end(descriptor, at, wanted)
        except OSError:
            continue  # closed meanwhile, or not connected
    return found


def open_connections(port: int | str, *, more_than: int) -> list[OpenConnection]:
    """Returns the connections to a port of this process; may take milliseconds.

    Args:
        port: as `ConnectionEnder.at`; there are none for the path of a unix socket, and none on
            systems other than Linux.
        more_than: returns none if this process has no more descriptors than this, which is quick.
    """
    if isinstance(port, str) or sys.platform != "linux":
        return []
    descriptors = _descriptors()
    if len(descriptors) <= more_than:
        return []
    found = []
    for descriptor in _sockets(descriptors):
        try:
            connection = _open_connection(descriptor, port)
        except OSError:
            continue  # closed meanwhile, or not connected
        if connection is not None:
            found.append(connection)
    return found


def _descriptors() -> list[int]:
    return [int(name) for name in os.listdir(_DESCRIPTORS)]  # noqa: PTH208  names are enough


def _sockets(descriptors: Iterable[int]) -> Iterator[int]:
    for descriptor in descriptors:
        try:
            is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        except OSError:
            continue  # closed meanwhile
        if is_socket:
            yield descriptor


def _end(descriptor: int, at: int | str, peers: Collection[tuple[str, int]]) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if not (_is_stuck(copy, at) if isinstance(at, str) else _peer(copy, at) in peers):
            return False
        copy.shutdown(socket.SHUT_RDWR)
    return True


def _open_connection(descriptor: int, port: int) -> OpenConnection | None:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        peer = _peer(copy, port)
        if peer is None:
            return None
        info = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    idle_ms, received_bytes = _TCP_INFO.unpack(info)
    return OpenConnection(peer_of(*peer), idle_ms / 1000, received_bytes)


def _peer(connection: socket.socket, port: int) -> tuple[str, int] | None:
    """Returns the peer of a connection to the port; None if it is another socket."""
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    host, number = connection.getpeername()[:2]
    return (host.removeprefix(_MAPPED), number) if connection.getsockname()[1] == port else None


def _is_stuck(connection: socket.socket, path: str) -> bool:
    """True if it is a connection to the path whose client has unread octets."""
    if connection.family != socket.AF_UNIX or connection.getsockname() != path:
        return False
    connection.getpeername()  # raises OSError for a socket that listens
    unread = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(unread, sys.byteorder) > 0


def address_of(peer: str) -> tuple[str, int]:
    """Returns host and port of a peer; (peer, -1), which matches nothing, if it has none."""
    host, _, port = unquote(peer.partition(":")[2]).rpartition(":")
    if not port.isdigit():
        return peer, -1
    return host.strip("[]").removeprefix(_MAPPED), int(port)


def peer_of(host: str, port: int) -> str:
    """Returns a peer as a grpc.aio context names it; the inverse of `address_of`."""
    is_v6 = ":" in host
    return f"ipv6:{quote(f'[{host}]', safe=':')}:{port}" if is_v6 else f"ipv4:{host}:{port}"
