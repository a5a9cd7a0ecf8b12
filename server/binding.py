"""Binds an address without listening, to hold it or to see that it is free."""

import socket

from server.config import Address


def bound(address: Address, *, reuse_port: bool = False) -> socket.socket:
    """Returns a socket that is bound, and that the caller closes.

    With `reuse_port` other processes may bind the same port (SO_REUSEPORT, socket(7)).

    Raises:
        OSError: it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except BaseException:
        held.close()
        raise
    return held
