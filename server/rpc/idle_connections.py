"""Ends idle connections of the gRPC port while few more are accepted, so that new clients get in.

grpc closes a new connection at once if there are as many as may be open, and an idle one only
after a minute. Those without an open call that sent the fewest bytes are ended, once they are idle:
most of them never made a call. A client opens another connection at its next call.

Follows tcp(7), TCP_INFO, and the struct tcp_info of linux/tcp.h. Rule: a connection with an open
call is never ended here.
"""

import asyncio
from collections.abc import Callable, Collection
from heapq import nsmallest
from operator import attrgetter
from typing import Final

import structlog

from server import tasks
from server.rpc.connections import ConnectionEnder, open_connections
from server.threads import ThreadPool, TooManyWaiting

CHECK_EVERY_S: Final = 2.0
"""Seconds between two checks."""

IDLE_MIN_S: Final = 5.0
"""Min seconds without a byte from the client after which a connection may be ended."""

_SPARE_SHARE: Final = 10
"""One connection in ten is kept free: if fewer are, idle ones are ended."""

log = structlog.get_logger()


class IdleConnections:
    """Checks the connections of a port from `start` to `close`."""

    def __init__(
        self, connections_max: int, *, ender: ConnectionEnder, busy: Callable[[], Collection[str]]
    ) -> None:
        """Takes the limit.

        Args:
            connections_max: max open connections of the port.
            ender: ends connections, and knows the port.
            busy: returns the peers with open calls, as grpc names them.
        """
        self._connections_max = connections_max
        self._spare = max(connections_max // _SPARE_SHARE, 1)
        self._ender = ender
        self._busy = busy
        self._threads = ThreadPool("idle connections", threads_max=1)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_forever(), name="idle connections")

    async def close(self) -> None:
        await tasks.end(self._task)
        self._threads.close()

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                await self._look()
            except (OSError, TooManyWaiting) as error:
                log.warning("idle connections cannot be found", reason=str(error))

    async def _look(self) -> None:
        full_at = self._connections_max - self._spare
        found = await self._threads.run("", open_connections, self._ender.at, more_than=full_at)
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
            self._ender.end(idle)
