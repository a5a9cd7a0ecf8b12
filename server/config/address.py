"""Parses the address of a listener: "host:port" or "unix:path".

Rule: host names are not resolved.
"""

import ipaddress
import os
import re
from typing import Final, NamedTuple

SOCKET_PATH_MAX_BYTES: Final = 107
"""Max bytes of a socket's path: unix(7) has 108, the NUL at its end included."""

SCHEME: Final = "unix:"
_ADDRESS: Final = re.compile(
    r"(?:(?P<host>(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?)|\[(?P<v6>[0-9A-Fa-f:.]+)\]):(?P<port>[0-9]{1,5})"
)
_SOCKET: Final = re.compile(r"unix:(?://(?=/))?(?P<path>(?!//)[^\0]+)")
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  replaced, not bound


class Address(NamedTuple):
    """Holds a host and a port; an IPv6 host has no brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Parses "host:port" or "[::1]:port".

        Raises:
            ValueError: it is neither.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > 65535:
            raise ValueError(text)
        host = match["v6"] or match["host"]
        if match["v6"] or not host.strip("0123456789."):
            ipaddress.ip_address(host)
        return cls(host, int(match["port"]))

    @property
    def reachable(self) -> "Address":
        """Returns the address by which a client on this machine connects to the listener."""
        return self._replace(host=_LOOPBACK.get(self.host, self.host))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class SocketPath(NamedTuple):
    """Holds the path of a unix socket."""

    path: str

    @classmethod
    def parse(cls, text: str) -> "SocketPath":
        """Parses "unix:path" or "unix:///path".

        Raises:
            ValueError: it is neither, or the path is too long for a socket.
        """
        match = _SOCKET.fullmatch(text)
        if match is None or len(os.fsencode(match["path"])) > SOCKET_PATH_MAX_BYTES:
            raise ValueError(text)
        return cls(match["path"])

    @property
    def reachable(self) -> "SocketPath":
        """Returns itself: clients connect by the same path."""
        return self

    def __str__(self) -> str:
        return f"unix:{self.path}"


def listening(text: str) -> Address | SocketPath:
    """Parses the address of a listener.

    Raises:
        ValueError: it is neither an address nor the path of a unix socket.
    """
    return SocketPath.parse(text) if text.startswith(SCHEME) else Address.parse(text)
