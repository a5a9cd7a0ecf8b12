"""Tells a client that half-closed its connection from one that closed it.

A client may shut down its side for writing after its request, and still reads the answer (RFC 9112
section 9.6). A client that closes both sides sends the same FIN, and answers with RST only when the
server writes. So interim responses are written while a request takes long, which a client of
HTTP/1.1 has to accept (RFC 9110 section 15.2). An answer that is being written needs none.

Rule: if the difference cannot be seen, the connection counts as closed. So it is for a request of
HTTP/1.0, which has no interim responses, and for an answer that has begun and pauses.
"""

import asyncio
import select
import socket
from typing import Final, Protocol

ASK_S: Final = 0.03
"""Seconds from the end of a client's input to the interim response, and again until the first look
at what came of it: so a client that closed is noticed within 100 ms (R36)."""

PROBE_S: Final = 0.25
"""Seconds between further looks; where no interim response can be sent, also before the first."""

LOOKS_PER_PROBE: Final = 20
"""Looks per interim response: a client that closes later shows it only after another write."""

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_TCP_CLOSE: Final = 7  # as Linux numbers the states of a connection, in tcp_states.h


def may_half_close(wire: asyncio.Transport) -> bool:
    """True if a client can shut down its side alone; with TLS the event loop ends both."""
    return wire.get_extra_info("ssl_object") is None


def is_open(wire: asyncio.Transport) -> bool:
    """True if the client has not reset the connection, as far as the system knows."""
    connection = wire.get_extra_info("socket")
    if connection is not None and connection.family == socket.AF_UNIX:
        # A closed unix socket reports a hang-up at once, a half-closed one does not.
        waiting = select.poll()
        waiting.register(connection.fileno(), 0)
        return not waiting.poll(0)
    try:
        state: bytes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except (OSError, AttributeError):  # no TCP, or no Linux
        return False
    return state[0] != _TCP_CLOSE


class AnsweringConnection(Protocol):
    """A connection with a request that is not answered yet."""

    def may_probe(self) -> bool:
        """True if an interim response may be sent now."""

    def progress(self) -> int | None:
        """Returns the bytes of the answer sent so far.

        None while the client has to read before more can be sent, and between two answers.
        """


class Probe:
    """Aborts a half-closed connection once its client no longer reads."""

    __slots__ = ("_connection", "_looks", "_sent_bytes", "_timer", "_wire")

    def __init__(self, connection: AnsweringConnection, wire: asyncio.Transport) -> None:
        """Starts to look at the connection; the client's input has ended."""
        self._connection = connection
        self._wire = wire
        self._looks = 0
        self._sent_bytes = connection.progress()
        self._timer = asyncio.get_running_loop().call_later(ASK_S, self._ask)

    def stop(self) -> None:
        self._timer.cancel()

    def _ask(self) -> None:
        if not self._connection.may_probe():
            self._look_later()
            return
        self._wire.write(CONTINUE)
        self._looks = 1
        self._timer = asyncio.get_running_loop().call_later(ASK_S, self._look_first)

    def _look_first(self) -> None:
        if is_open(self._wire):
            self._look_later()
        else:
            self._wire.abort()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PROBE_S, self._look)

    def _look(self) -> None:
        wire, connection = self._wire, self._connection
        sent_bytes, self._sent_bytes = self._sent_bytes, connection.progress()
        if not is_open(wire):
            wire.abort()
            return
        # A reader that stops is `SlowReader`'s; an answer in one piece does not count as output.
        is_answering = self._sent_bytes is None or self._sent_bytes != sent_bytes
        if not is_answering:
            if not connection.may_probe():
                wire.abort()
                return
            if self._looks % LOOKS_PER_PROBE == 0:
                wire.write(CONTINUE)
            self._looks += 1
        self._look_later()
