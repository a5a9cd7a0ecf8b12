"""Ends connections of grpc, which has no API for that.

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
import sys
import termios
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import structlog

from server.threads import ThreadPool, TooManyWaiting

_DESCRIPTORS: Final = Path("/dev/fd")
_MAPPED: Final = "::ffff:"

log = structlog.get_logger()


class ConnectionEnder:
    """Ends connections to an address, in batches.

    Attributes:
        at: the port that grpc listens on, or the path of its unix socket; 0 until it listens.
    """

    def __init__(self) -> None:
        self.at: int | str = 0
        self._threads = ThreadPool("ended connections", threads_max=1)
        self._peers: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def end(self, peers: Iterable[str]) -> None:
        self._peers.update(peers)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._end_all())

    def close(self) -> None:
        self._threads.close()

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
    wanted = {_address(peer) for peer in peers}
    found = 0
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208  names are enough
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found += _end(int(name), at, wanted)
        except OSError:
            continue  # closed meanwhile, or not connected
    return found


def _end(descriptor: int, at: int | str, peers: Collection[tuple[str, int]]) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if not (_is_stuck(copy, at) if isinstance(at, str) else _is_of(copy, at, peers)):
            return False
        copy.shutdown(socket.SHUT_RDWR)
    return True


def _is_of(connection: socket.socket, port: int, peers: Collection[tuple[str, int]]) -> bool:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    host, number = connection.getpeername()[:2]
    return (host.removeprefix(_MAPPED), number) in peers and connection.getsockname()[1] == port


def _is_stuck(connection: socket.socket, path: str) -> bool:
    """True if it is a connection to the path whose client has unread octets."""
    if connection.family != socket.AF_UNIX or connection.getsockname() != path:
        return False
    connection.getpeername()  # raises OSError for a socket that listens
    unread = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(unread, sys.byteorder) > 0


def _address(peer: str) -> tuple[str, int]:
    """Returns host and port of a peer; (peer, -1), which matches nothing, if it has none."""
    host, _, port = unquote(peer.partition(":")[2]).rpartition(":")
    if not port.isdigit():
        return peer, -1
    return host.strip("[]").removeprefix(_MAPPED), int(port)
