"""Accepts connections, and pauses while the process has no file descriptor left.

The event loop's own accept is not used: on EMFILE uvloop closes a spare file, to accept and refuse
a connection. If another thread takes that descriptor, the loop spins on the readable socket.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from transcoder.http.seldom import Seldom

logger = logging.getLogger(__name__)

_RETRY_S: Final = 1.0
"""Seconds without accepting after a failure."""
_ACCEPTED_AT_ONCE: Final = 64
"""Max connections that are accepted before other work of the loop runs."""

Connect: TypeAlias = Callable[[socket.socket], Awaitable[None]]
"""Has an accepted connection served; raises OSError if it must be closed."""


async def bind(host: str | None, port: int, *, reuse_port: bool) -> list[socket.socket]:
    """Binds every address of a host; without one, every interface.

    With `reuse_port` other processes may bind the same ones (SO_REUSEPORT, socket(7)).

    Raises:
        OSError: an address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    bound = await loop.create_server(
        asyncio.Protocol, host, port, reuse_port=reuse_port or None, start_serving=False
    )
    sockets = [socket.socket(fileno=os.dup(held.fileno())) for held in bound.sockets]
    bound.close()
    return sockets


class Acceptor:
    """Accepts on sockets until it is closed."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connect: Connect,
        *,
        backlog: int,
    ) -> None:
        """Starts to listen and to accept.

        Args:
            sockets: bound; they are closed with the acceptor.
            connect: has a connection served.
            backlog: connections that the kernel may keep waiting.
        """
        self._loop = asyncio.get_running_loop()
        self._serve = connect
        self._retries: dict[socket.socket, asyncio.TimerHandle | None] = dict.fromkeys(sockets)
        self._connecting: set[asyncio.Task[object]] = set()
        self._failures = Seldom()
        for listening in sockets:
            listening.setblocking(False)
            listening.listen(backlog)
            self._loop.add_reader(listening, self._accept, listening)

    def close(self) -> None:
        for listening, retry in self._retries.items():
            if retry is not None:
                retry.cancel()
            self._loop.remove_reader(listening)
            listening.close()
        self._retries.clear()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, _ = listening.accept()
            except BlockingIOError:
                return
            except (InterruptedError, ConnectionAbortedError):
                continue
            except OSError as error:
                self._pause(listening, error)
                return
            accepted.setblocking(False)
            connecting = self._loop.create_task(self._connect(accepted))
            self._connecting.add(connecting)
            connecting.add_done_callback(self._connecting.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._serve(accepted)
        except OSError:
            accepted.close()  # its client has left, or may not come in

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """Leaves connections in the kernel's backlog for `_RETRY_S`."""
        self._loop.remove_reader(listening)
        self._retries[listening] = self._loop.call_later(_RETRY_S, self._resume, listening)
        if self._failures.is_due():
            logger.warning(
                "cannot accept connections now: %s", os.strerror(error.errno or 0).lower()
            )

    def _resume(self, listening: socket.socket) -> None:
        self._retries[listening] = None
        self._loop.add_reader(listening, self._accept, listening)
