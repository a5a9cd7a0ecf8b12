"""Parses what a listener listens on: "host:port" or "unix:path".

Rule: nothing is resolved; a host name is taken as it is.
"""

import ipaddress
import os
import re
from typing import Final, NamedTuple

SOCKET_PATH_MAX_BYTES: Final = 107

_ADDRESS: Final = re.compile(
    r"(?:(?P<host>(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?)|\[(?P<v6>[0-9A-Fa-f:.]+)\]):(?P<port>[0-9]{1,5})"
)
_SOCKET: Final = re.compile(r"unix:(?://(?=/))?(?P<path>(?!//)[^\0]+)")
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not bound, replaced


class Address(NamedTuple):
    """A host and a port; an IPv6 host is without its brackets."""

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
        """Returns the address at which a client on this machine reaches the listener."""
        return self._replace(host=_LOOPBACK.get(self.host, self.host))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class SocketPath(NamedTuple):
    """The path of a unix socket."""

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
        """Returns itself; a client reaches the listener at the same path."""
        return self

    def __str__(self) -> str:
        return f"unix:{self.path}"


def listening(text: str) -> Address | SocketPath:
    """Parses what a listener listens on.

    Raises:
        ValueError: it is neither an address nor the path of a unix socket.
    """
    return SocketPath.parse(text) if text.startswith("unix:") else Address.parse(text)
