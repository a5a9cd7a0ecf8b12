"""Finds the client's address behind trusted proxies.

Reads X-Forwarded-For, to which each proxy appends the address that it was called from. Forwarded
(RFC 7239) is not read: a proxy that writes one of the two headers passes the other one through as
its client sent it, so whoever believes both believes the client.

Rule 1: a header counts only if the connection comes from a trusted proxy; then from right to left,
up to the first address that is not trusted.
Rule 2: this file knows addresses and header values, not requests.
"""

import functools
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from transcoder.errors import SchemaError, shown

FORWARDED_FOR: Final = "x-forwarded-for"
UNIX: Final = "unix"
"""The entry that trusts every connection over a unix socket."""

_CACHED: Final = 4096
"""Max results that are cached, of each kind; clients choose the values."""
_CACHED_MAX_CHARACTERS: Final = 256
"""Max characters of a header value whose client is cached."""
_HOPS_MAX: Final = 32
"""Max addresses that are read: a client may send as many trusted ones as a header holds."""
_PORT_MAX: Final = 65535

Address: TypeAlias = tuple[str, int]
"""Host and port, as a socket gives them; the port is 0 if a proxy has not named it."""
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedProxies:
    """The proxies whose X-Forwarded-For is believed."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Reads the entries: networks (CIDR), addresses, and "unix".

        Raises:
            SchemaError: an entry is none of these.
        """
        given = list(entries)
        self._trusts_unix = UNIX in given
        self._networks = [_network(entry) for entry in given if entry != UNIX]
        self._is_trusted = functools.lru_cache(_CACHED)(self._is_in_networks)
        self._cached_client = functools.lru_cache(_CACHED)(self._client)

    def trusts(self, peername: object) -> bool:
        """True if an address, as a socket gives it, is that of a trusted proxy."""
        if isinstance(peername, tuple):
            return self._is_trusted(peername[0])
        return self._trusts_unix

    def client_of(self, peername: object, values: Sequence[str]) -> object:
        """Returns the client's address for a connection of a trusted proxy.

        Args:
            peername: the proxy's address, as a socket gives it.
            values: those of all X-Forwarded-For headers, in their order.

        Returns:
            The first address from the right that is not a trusted proxy's; if a value before it is
            no address, the last address that is one; the peername, if there is none.
        """
        text = values[0] if len(values) == 1 else ",".join(values)
        short = len(text) <= _CACHED_MAX_CHARACTERS
        return (self._cached_client(text) if short else self._client(text)) or peername

    def _client(self, text: str) -> Address | None:
        client: Address | None = None
        rest: str = text
        for _ in range(_HOPS_MAX):
            rest, comma, last = rest.rpartition(",")
            address = _address(last.strip())
            if address is None:
                break
            client = address
            if not comma or not self._is_trusted(address[0]):
                break
        return client

    def _is_in_networks(self, host: str) -> bool:
        try:
            address = _unmapped(ipaddress.ip_address(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def forwarded_for(peername: object, values: Sequence[str]) -> str:
    """Returns the value of X-Forwarded-For with the proxy's own address at its end.

    It has all hops, as grpc-gateway passes it on. A proxy at a unix socket has no address.
    """
    hops = [*values, str(peername[0])] if isinstance(peername, tuple) else values
    return ", ".join(hops)


def _network(entry: str) -> _Network:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        expected = f"a network (CIDR), an address or {UNIX!r}"
        raise SchemaError(f"trusted proxy {shown(entry)}: expected {expected}") from None


def _address(text: str) -> Address | None:
    """Returns an address that a proxy wrote, with or without its port; None if it is malformed."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        if port and not port.startswith(":"):
            return None
        port = port[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if "%" in host or not (port.isascii() and (port.isdecimal() or not port)) or len(port) > 5:
        return None
    try:
        address = _unmapped(ipaddress.ip_address(host))
    except ValueError:
        return None
    number = int(port or "0")
    return (str(address), number) if number <= _PORT_MAX else None


def _unmapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Returns the IPv4 address of ::ffff:0:0/96, as which sockets of IPv6 have IPv4's clients."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
