"""Aborts connections of clients that stop reading: their answers would stay in memory (R22)."""

import asyncio
from typing import Final

_PROGRESS_BYTES: Final = 64 << 10
"""Min bytes that a reader takes of a waiting answer per `Limits.write_timeout_s`."""

_TLS_BUFFER_BYTES: Final = 16 << 10
"""Bytes that may wait within TLS: session tickets wait there for the first answer."""


def watch_reader(wire: asyncio.Transport) -> None:
    """Has the protocol of a connection told when data wait for its client, by `pause_writing`.

    Without TLS whatever the socket does not take at once counts.
    """
    has_tls = wire.get_extra_info("ssl_object") is not None
    wire.set_write_buffer_limits(high=_TLS_BUFFER_BYTES if has_tls else 0)


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
