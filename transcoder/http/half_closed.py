"""Tells a client that half-closed its connection from one that closed it.

A client that sends its request and shuts down its side for writing still reads its answer (RFC 9112
section 9.6). One that closes both sides sends the same FIN. The difference shows once something is
written: the closed one answers with RST. So a request that takes long is answered by interim
responses first, which a client of HTTP/1.1 has to take (RFC 9110 section 15.2). An answer that has
begun shows it by itself, as long as it goes on.

Rule: what cannot be told apart counts as closed. That is a request of HTTP/1.0, which has no
interim responses, and an answer that has begun and pauses.
"""

import asyncio
import select
import socket
from typing import Final

from aiohttp import HttpVersion11, web

PROBE_S: Final = 0.25
"""Seconds from the end of a client's input to the interim response, and between looks after it."""

LOOKS_PER_PROBE: Final = 20
"""A client may close later what it half-closed, and sends nothing more then."""

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_TCP_CLOSE: Final = 7  # as Linux numbers the states of a connection, in tcp_states.h


def is_open(wire: asyncio.Transport) -> bool:
    """Returns True if the other side has not reset the connection, as far as the system tells."""
    connection = wire.get_extra_info("socket")
    if connection is not None and connection.family == socket.AF_UNIX:
        # Half-closed, a unix socket has not hung up, as one that is closed has at once.
        waiting = select.poll()
        waiting.register(connection.fileno(), 0)
        return not waiting.poll(0)
    try:
        state: bytes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except (OSError, AttributeError):  # no TCP, or no Linux
        return False
    return state[0] != _TCP_CLOSE


def may_probe(request: web.BaseRequest) -> bool:
    """Returns True if an interim response may be sent now."""
    return request.version >= HttpVersion11 and request.writer.output_size == 0
