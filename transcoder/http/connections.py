"""Counts the open connections of a listener, and drains them.

Rule: this file knows neither of the two classes of connections (whole_requests.py, connection.py).
"""

import asyncio
import logging
from typing import Protocol

from grpc import StatusCode

from transcoder.errors import TranscodeError, stopping
from transcoder.http.request import Refuse, Request
from transcoder.http.response import Responses, with_connection_close
from transcoder.options import Limits
from transcoder.tasks import Tasks

logger = logging.getLogger(__name__)

LINGER_S = 1.0
"""Seconds for a client that sends an unwanted body to read its answer (RFC 9112 section 9.6)."""


class OpenConnection(Protocol):
    """One connection, as its listener sees it."""

    def drain(self) -> None:
        """Closes the connection, now or after the answer in flight."""

    def end(self) -> bool:
        """Answers the request in flight with UNAVAILABLE, cancels it, and closes the connection.

        Returns:
            True if there was a request in flight.
        """

    def abort(self) -> None:
        """Closes the connection without sending the rest of an answer."""


class HttpConnections:
    """The open connections of a listener, and what they share."""

    def __init__(
        self, refuse: Refuse, *, responses: Responses, limits: Limits, tasks: Tasks
    ) -> None:
        self.refuse = refuse
        self.responses = responses
        self.limits = limits
        self.maximum = limits.connections_max
        self.is_draining = False
        self.tasks = tasks
        self._open: set[OpenConnection] = set()
        self._emptied: asyncio.Future[None] | None = None

    @property
    def open_count(self) -> int:
        """Returns how many connections are open."""
        return len(self._open)

    def admit(self, connection: OpenConnection) -> bool:
        """Adds a connection; False if it has to be closed, as there are too many or it drains."""
        if connection in self._open:
            return True
        if self.is_draining or len(self._open) >= self.maximum:
            return False
        self._open.add(connection)
        return True

    def replace(self, connection: OpenConnection, successor: OpenConnection) -> None:
        """Replaces a connection by the one that takes over its socket."""
        self._open.discard(connection)
        self._open.add(successor)

    def lost(self, connection: OpenConnection) -> None:
        self._open.discard(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)

    def tell_stop(self, wire: asyncio.Transport, method: str, request: Request | None) -> None:
        """Answers a request in flight with UNAVAILABLE."""
        error = with_connection_close(stopping())
        answer = self.refuse(error, request)
        wire.write(self.responses.head(answer) + (b"" if method == "HEAD" else answer.body))

    async def drain(self) -> None:
        """Refuses new connections, closes idle ones, and lets requests in flight end.

        Requests that still run after `limits.drain_timeout_s` are cancelled, and answered as
        UNAVAILABLE. They and calls whose clients left have `LINGER_S` to clean up.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self.limits.drain_timeout_s
        self.is_draining = True
        for connection in list(self._open):
            connection.drain()
        if self._open:
            self._emptied = loop.create_future()
            await asyncio.wait([self._emptied], timeout=self.limits.drain_timeout_s)
        ended = [connection.end() for connection in list(self._open)]
        if any(ended):
            logger.warning("stopped with %d requests in flight", sum(ended))
        await self.tasks.ended(max(until - loop.time(), 0) + LINGER_S)
        for connection in list(self._open):
            connection.abort()


def unhandled(exc: BaseException | None) -> TranscodeError:
    """Logs an exception that a handler does not catch, and returns the error for the client."""
    logger.error("answering a request failed", exc_info=exc)
    return TranscodeError(StatusCode.INTERNAL, "internal error")
