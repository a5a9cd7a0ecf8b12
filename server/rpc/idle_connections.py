"""Ends idle connections of grpc while few more are accepted, so that new clients get in.

grpc closes a new connection at once if there are as many as may be open, and an idle one only
after a minute. Those without an open call that sent the fewest bytes are ended, once they are idle:
most of them never made a call. A client opens another connection at its next call.

Follows tcp(7), TCP_INFO, and the struct tcp_info of linux/tcp.h. Rule: a connection with an open
call is never ended here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from heapq import nsmallest
from operator import attrgetter
from typing import Final, Protocol

import structlog

from server import tasks
from server.threads import TooManyWaiting

CHECK_EVERY_S: Final = 2.0
"""Seconds between two checks."""

IDLE_MIN_S: Final = 5.0
"""Min seconds without a byte from the client after which a connection may be ended."""

_SPARE_SHARE: Final = 10
"""One connection in ten is kept free: if fewer are, idle ones are ended."""

log = structlog.get_logger()


class Connection(Protocol):
    """Declares what is known of an open connection."""

    @property
    def peer(self) -> str:
        """Returns the peer as grpc names it."""

    @property
    def idle_s(self) -> float:
        """Returns the seconds since the last byte of the peer."""

    @property
    def received_bytes(self) -> int:
        """Returns how many bytes the peer sent."""


class IdleConnections:
    """Checks the connections of one way to grpc from `start` to `close`."""

    def __init__(
        self,
        connections_max: int,
        *,
        find: Callable[[int], Awaitable[Sequence[Connection]]],
        end: Callable[[Collection[str]], object],
        busy: Callable[[], Iterable[str]],
    ) -> None:
        """Takes the limit.

        Args:
            connections_max: max open connections.
            find: returns the open connections; it may return none if there are no more than given.
            end: ends the connections of peers.
            busy: returns the peers with open calls, as grpc names them.
        """
        self._connections_max = connections_max
        self._spare = max(connections_max // _SPARE_SHARE, 1)
        self._find = find
        self._end = end
        self._busy = busy
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_forever(), name="idle connections")

    async def close(self) -> None:
        await tasks.end(self._task)

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                await self._look()
            except (OSError, TooManyWaiting) as error:
                log.warning("idle connections cannot be found", reason=str(error))

    async def _look(self) -> None:
        full_at = self._connections_max - self._spare
        found = await self._find(full_at)
        wanted = len(found) - full_at
        if wanted <= 0:
            return
        busy = set(self._busy())
        free = [connection for connection in found if connection.peer not in busy]
        least_used = nsmallest(wanted, free, key=attrgetter("received_bytes"))
        # Others are not ended in place of those that are too young: they are used more.
        idle = [connection.peer for connection in least_used if connection.idle_s >= IDLE_MIN_S]
        if idle:
            log.warning("idle connections are ended for others", connections=len(idle))
            self._end(idle)
