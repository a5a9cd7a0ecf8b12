"""Decides which addresses a script may reach.

Denied unless allowed: addresses that are not global in the registries of special-purpose addresses
(RFC 6890 and its updates), multicast, and IPv6 addresses that stand for such an IPv4 address.
Rule 1: a name is denied if one of its addresses is denied.
Rule 2: allowed entries take precedence over denied ones.
"""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network

NEVER_PUBLIC: Final[tuple[IPNetwork, ...]] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local: metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "::/96",  # unspecified, loopback, IPv4-compatible
        "64:ff9b:1::/48",  # NAT64 of a network of one's own
        "100::/64",  # discard
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fc00::/7",  # unique local: metadata of clouds
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)

_IPV4_MAPPED: Final = ip_network("::ffff:0:0/96")
_TRANSLATED: Final = ip_network("::ffff:0:0:0/96")
_NAT64: Final = ip_network("64:ff9b::/96")
_6TO4: Final = ip_network("2002::/16")


class AddressList:
    """Holds the addresses and host names that an operator has listed."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Reads the entries: CIDR, IP or exact host name.

        Raises:
            ValueError: an entry is invalid; the text names it.
        """
        self._networks: list[IPNetwork] = []
        self._names: set[str] = set()
        for entry in entries:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                if "/" in entry or not entry.strip(".") or " " in entry:
                    raise ValueError(
                        f"expected CIDR, IP or host name, got {entry[:40]!r}"
                    ) from None
                self._names.add(_folded(entry))

    def has_name(self, host: str) -> bool:
        return _folded(host) in self._names

    def has(self, address: IPAddress) -> bool:
        return any(address in network for network in self._networks)


class Policy:
    """Decides by host name and by address."""

    def __init__(self, *, deny: Iterable[str] = (), allow: Iterable[str] = ()) -> None:
        """Reads both lists, each in the form of `AddressList`."""
        self._deny = AddressList(deny)
        self._allow = AddressList(allow)

    def denies(self, host: str, addresses: Iterable[str]) -> bool:
        """True if scripts may not reach the host, which has these addresses."""
        if self._allow.has_name(host):
            return False
        if self._deny.has_name(host):
            return True
        return any(self.denies_address(text) for text in addresses)

    def denies_address(self, text: str) -> bool:
        """True if scripts may not reach the address, or if it is invalid."""
        try:
            given = ip_address(text.partition("%")[0])
        except ValueError:
            return True
        meant = _meant(given)
        if self._allow.has(given) or self._allow.has(meant):
            return False
        return any(
            self._deny.has(address) or any(address in network for network in NEVER_PUBLIC)
            for address in (given, meant)
        )


def _meant(address: IPAddress) -> IPAddress:
    """Returns the IPv4 address that an IPv6 address stands for; otherwise the address itself."""
    if isinstance(address, IPv6Address):
        if address in _IPV4_MAPPED or address in _TRANSLATED or address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _6TO4:
            return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


def _folded(host: str) -> str:
    return host.rstrip(".").lower()
