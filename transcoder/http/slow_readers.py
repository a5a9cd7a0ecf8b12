"""Aborts connections of clients that stop reading: their answers would stay in memory (R22)."""

import asyncio
from typing import Final

_PROGRESS_BYTES: Final = 64 << 10
"""Min bytes that a reader takes of a waiting answer per `Limits.write_timeout_s`."""


class SlowReader:
    """A client that has not read its answer; its connection is aborted unless it reads on."""

    __slots__ = ("_timeout_s", "_timer", "_unsent_bytes", "_wire")

    def __init__(self, wire: asyncio.Transport, *, timeout_s: float) -> None:
        """Starts the timer.

        Args:
            wire: the connection.
            timeout_s: seconds for the client to take `_PROGRESS_BYTES`, or the rest.
        """
        self._wire = wire
        self._timeout_s = timeout_s
        self._await_progress()

    def stop(self) -> None:
        """Stops the timer: the client has read all, or the connection has ended."""
        self._timer.cancel()

    def _await_progress(self) -> None:
        self._unsent_bytes = self._wire.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._check)

    def _check(self) -> None:
        if self._unsent_bytes - self._wire.get_write_buffer_size() < _PROGRESS_BYTES:
            self._wire.abort()
        else:
            self._await_progress()
