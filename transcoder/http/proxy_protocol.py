"""Parses the header by which a proxy names its client, before anything else on a connection.

Follows "The PROXY protocol" (www.haproxy.org), section 2.1 (version 1, a line of text) and section
2.2 (version 2, binary).

Rule 1: no I/O; a reader of the header can tell its end before it reads beyond.
Rule 2: kinds of connections other than TCP have no client, as for UNSPEC: the proxy's own address
applies. Commands and versions that are not defined are malformed.
"""

import ipaddress
import struct
from typing import Final

from transcoder.http.forwarded import Address

FIRST_BYTES: Final = 12
"""Bytes by which both versions are told; no header is shorter."""
LINE_MAX_BYTES: Final = 107
"""Max bytes of a header of version 1, with its end of line (section 2.1)."""
HEAD_BYTES: Final = 16
"""Bytes of a header of version 2 before its addresses."""
REST_MAX_BYTES: Final = 4096
"""Max bytes of addresses and further values (TLV) behind them; section 2.2 allows 65535."""

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_LINE_BEGINS: Final = b"PROXY "
_HEAD: Final = struct.Struct("!12sBBH")
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_ADDRESSES: Final = {_TCP4: struct.Struct("!4s4sHH"), _TCP6: struct.Struct("!16s16sHH")}
_WITHOUT_CLIENT: Final = {0x00: 0, 0x12: 12, 0x22: 36, 0x31: 216, 0x32: 216}
"""Bytes of addresses of the kinds whose clients are not taken: UNSPEC, UDP, unix sockets."""
_VERSIONS_OF_IP: Final = {b"TCP4": ipaddress.IPv4Address, b"TCP6": ipaddress.IPv6Address}
_PARTS: Final = 6
_PORT_MAX: Final = 65535


class MalformedHeader(Exception):
    """A connection does not begin with a header of the PROXY protocol; the text says why."""


def is_line(first: bytes) -> bool:
    """Returns True if a header of version 1 begins so, False if one of version 2 does.

    Args:
        first: the first `FIRST_BYTES` of a connection.

    Raises:
        MalformedHeader: neither does.
    """
    if first == _SIGNATURE:
        return False
    if first.startswith(_LINE_BEGINS):
        return True
    raise MalformedHeader("it does not begin with a header of the PROXY protocol")


def client_in_line(line: bytes) -> Address | None:
    """Returns the client in a header of version 1; None if it names none.

    Raises:
        MalformedHeader: the header is malformed.
    """
    if not line.endswith(b"\r\n"):
        raise MalformedHeader(f"its header has no end of line within {LINE_MAX_BYTES} bytes")
    parts = line[:-2].split(b" ")
    if parts[1] == b"UNKNOWN":  # the rest of the line is ignored
        return None
    address = _VERSIONS_OF_IP.get(parts[1])
    if address is None or len(parts) != _PARTS or b"%" in line:  # no address of an interface
        raise MalformedHeader("its header does not have two addresses of TCP")
    try:
        hosts = [str(address(host.decode("ascii"))) for host in parts[2:4]]
        ports = [_port(port) for port in parts[4:]]
    except ValueError:
        raise MalformedHeader("its header has a malformed address") from None
    return hosts[0], ports[0]


def rest_bytes(head: bytes) -> int:
    """Returns the bytes of a header of version 2 that follow its first `HEAD_BYTES`.

    Raises:
        MalformedHeader: they are too many.
    """
    rest: int = _HEAD.unpack(head)[3]
    if rest > REST_MAX_BYTES:
        raise MalformedHeader(f"its header is longer than {HEAD_BYTES + REST_MAX_BYTES} bytes")
    return rest


def client_in_binary(head: bytes, rest: bytes) -> Address | None:
    """Returns the client in a header of version 2; None if it names none.

    Args:
        head: the first `HEAD_BYTES`.
        rest: what follows them, as long as `rest_bytes` says.

    Raises:
        MalformedHeader: the header is malformed.
    """
    _, command, kind, _ = _HEAD.unpack(head)
    if command == _LOCAL:  # the proxy's own connection, such as a health check
        return None
    if command != _PROXY:
        raise MalformedHeader(f"its header has an unknown version or command: {command:#04x}")
    form = _ADDRESSES.get(kind)
    shortest = _WITHOUT_CLIENT.get(kind) if form is None else form.size
    if shortest is None:
        raise MalformedHeader(f"its header has an unknown kind of addresses: {kind:#04x}")
    if len(rest) < shortest:
        raise MalformedHeader("its header is too short for its addresses")
    if form is None:
        return None
    host, _, port, _ = form.unpack_from(rest)
    return str(ipaddress.ip_address(host)), port


def _port(text: bytes) -> int:
    """Parses a port: a number without leading zeros.

    Raises:
        ValueError: it is none.
    """
    if (
        not text.isdigit()
        or len(text) > len(str(_PORT_MAX))
        or (text[0:1] == b"0" and text != b"0")
    ):
        raise ValueError(text)
    port = int(text)
    if port > _PORT_MAX:
        raise ValueError(text)
    return port
