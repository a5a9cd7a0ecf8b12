"""Writes headers of the PROXY protocol, as proxies do (section 2 of its specification).

Rule: nothing of the transcoder is used.
"""

import ipaddress
import struct
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL: Final = 0x20
PROXY: Final = 0x21
UNSPEC: Final = 0x00
TCP4: Final = 0x11
TCP6: Final = 0x21
HERE: Final = ("203.0.113.1", 443)


def line(client: tuple[str, int], here: tuple[str, int] = HERE) -> bytes:
    """Returns a header of version 1."""
    version = ipaddress.ip_address(client[0]).version
    return f"PROXY TCP{version} {client[0]} {here[0]} {client[1]} {here[1]}\r\n".encode()


def binary(client: tuple[str, int], *, tlvs: bytes = b"") -> bytes:
    """Returns a header of version 2; `tlvs` follow the addresses."""
    host = ipaddress.ip_address(client[0])
    kind = TCP4 if host.version == 4 else TCP6
    here = bytes(len(host.packed))
    ports = struct.pack("!HH", client[1], HERE[1])
    return framed(PROXY, kind, host.packed + here + ports + tlvs)


def framed(command: int, kind: int, rest: bytes = b"") -> bytes:
    """Returns a header of version 2 with anything in it."""
    return SIGNATURE + struct.pack("!BBH", command, kind, len(rest)) + rest


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value
