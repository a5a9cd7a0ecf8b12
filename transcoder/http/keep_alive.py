"""Closes connections that have been idle too long, by one timer for all of them (R20).

Rule: a request sets no timer; its connection moves to the end of the idle ones.
"""

import asyncio
from typing import Protocol


class Idle(Protocol):
    """A connection without a request."""

    def close(self) -> None: ...


class KeepAlive:
    """The idle connections of a listener, the longest idle first."""

    def __init__(self, timeout_s: float) -> None:
        """Starts without connections; `timeout_s` is the max seconds that one may be idle."""
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._idle_since: dict[Idle, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Idle) -> None:
        """Adds a connection that is idle from now on."""
        now = self._loop.time()
        self._idle_since[connection] = now
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._timeout_s, self._close_expired)

    def discard(self, connection: Idle) -> None:
        """Removes a connection, which has a request or has ended."""
        self._idle_since.pop(connection, None)

    def _close_expired(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._idle_since:
            connection, since = next(iter(self._idle_since.items()))
            if since + self._timeout_s > now:
                self._timer = self._loop.call_at(since + self._timeout_s, self._close_expired)
                return
            del self._idle_since[connection]
            connection.close()
