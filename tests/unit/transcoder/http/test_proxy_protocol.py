"""Which client a header of the PROXY protocol names."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.proxy_headers import (
    LOCAL,
    PROXY,
    SIGNATURE,
    TCP4,
    TCP6,
    UNSPEC,
    binary,
    framed,
    line,
    tlv,
)
from tests.support.tables import by_outcome, cases
from transcoder.http.forwarded import Address
from transcoder.http.proxy_protocol import (
    FIRST_BYTES,
    HEAD_BYTES,
    LINE_MAX_BYTES,
    MalformedHeader,
    client_in_binary,
    client_in_line,
    is_line,
    rest_bytes,
)

V4 = ("192.0.2.1", 5000)
V6 = ("2001:db8::1", 65535)
ADDRESS_BLOCK = bytes(range(12))


def client_in(header: bytes) -> Address | None:
    """Reads a header as a connection's is read; it has nothing behind it."""
    if is_line(header[:FIRST_BYTES]):
        return client_in_line(header)
    head, rest = header[:HEAD_BYTES], header[HEAD_BYTES:]
    assert rest_bytes(head) == len(rest)
    return client_in_binary(head, rest)


@cases(
    "header, expected",
    {
        "line, IPv4": (b"PROXY TCP4 192.0.2.1 203.0.113.1 5000 443\r\n", V4),
        "line, IPv6": (line(V6, ("::1", 443)), V6),
        "line, port 0": (b"PROXY TCP4 192.0.2.1 203.0.113.1 0 443\r\n", ("192.0.2.1", 0)),
        "line, unknown": (b"PROXY UNKNOWN\r\n", None),
        "line, unknown with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        "IPv4": (
            SIGNATURE + b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xcb\x00\x71\x01\x13\x88\x01\xbb",
            V4,
        ),
        "IPv6": (binary(V6), V6),
        "TLVs": (binary(V4, tlvs=tlv(0x02, b"a.example") + tlv(0x04, bytes(99))), V4),
        "malformed TLVs": (binary(V4, tlvs=b"\x02\xff"), V4),
        "as long as may be": (binary(V4, tlvs=bytes(4096 - 12)), V4),
        "LOCAL": (framed(LOCAL, UNSPEC), None),
        "LOCAL with addresses": (framed(LOCAL, TCP4, ADDRESS_BLOCK), None),
        "LOCAL with an unknown kind": (framed(LOCAL, 0x99, b"a"), None),
        "UNSPEC": (framed(PROXY, UNSPEC), None),
        "UNSPEC with TLVs": (framed(PROXY, UNSPEC, tlv(0x04, b"")), None),
        "UDP over IPv4": (framed(PROXY, 0x12, ADDRESS_BLOCK), None),
        "UDP over IPv6": (framed(PROXY, 0x22, bytes(36)), None),
        "unix stream": (framed(PROXY, 0x31, bytes(216)), None),
        "unix datagram": (framed(PROXY, 0x32, bytes(216)), None),
    },
)
def test_a_header_names_its_client(header: bytes, expected: Address | None) -> None:
    assert client_in(header) == expected


NO_HEADER = "it does not begin with a header of the PROXY protocol"
NO_ADDRESSES = "its header does not have two addresses of TCP"
MALFORMED = "its header has a malformed address"
SHORT = "its header is too short for its addresses"
NO_END = "its header has no end of line within 107 bytes"


@by_outcome(
    "header, expected",
    {
        NO_HEADER: {
            "HTTP": b"GET / HTTP/1.1\r\n",
            "HTTP/2": b"PRI * HTTP/2.0\r\n",
            "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00",
            "lower case": b"proxy TCP4 192.0.2.1 203.0.113.1 5000 443\r\n",
            "nearly the signature": b"\r\n\r\n\x00\r\nQUIT\r" + bytes(4),
        },
        NO_ADDRESSES: {
            "UDP": b"PROXY UDP4 192.0.2.1 203.0.113.1 5000 443\r\n",
            "one address": b"PROXY TCP4 192.0.2.1 5000 443\r\n",
            "one part more": b"PROXY TCP4 192.0.2.1 203.0.113.1 5000 443 1\r\n",
            "two spaces": b"PROXY  TCP4 192.0.2.1 203.0.113.1 5000 443\r\n",
            "an interface": b"PROXY TCP6 fe80::1%eth0 fe80::2 5000 443\r\n",
            "no kind": b"PROXY \r\nabcd\r\n",
        },
        MALFORMED: {
            "IPv6 as IPv4": b"PROXY TCP4 ::1 ::1 5000 443\r\n",
            "IPv4 as IPv6": b"PROXY TCP6 192.0.2.1 192.0.2.1 5000 443\r\n",
            "a name": b"PROXY TCP4 localhost 203.0.113.1 5000 443\r\n",
            "not ASCII": b"PROXY TCP4 192.0.2.\xff 203.0.113.1 5000 443\r\n",
            "leading zero": b"PROXY TCP4 192.0.2.1 203.0.113.1 0500 443\r\n",
            "port too large": b"PROXY TCP4 192.0.2.1 203.0.113.1 65536 443\r\n",
            "long port": b"PROXY TCP4 192.0.2.1 203.0.113.1 500000 443\r\n",
            "port with a sign": b"PROXY TCP4 192.0.2.1 203.0.113.1 +500 443\r\n",
            "second port": b"PROXY TCP4 192.0.2.1 203.0.113.1 5000 x\r\n",
        },
        NO_END: {
            "no CR": b"PROXY TCP4 192.0.2.1 203.0.113.1 5000 443\n",
            "no end": b"PROXY TCP4 " + bytes(96),
        },
        SHORT: {
            "IPv4": framed(PROXY, TCP4, bytes(11)),
            "IPv6": framed(PROXY, TCP6, bytes(35)),
            "unix": framed(PROXY, 0x31, bytes(215)),
        },
        "its header is longer than 4112 bytes": {
            "one byte too long": framed(PROXY, TCP4, bytes(4097)),
            "as long as can be": framed(LOCAL, UNSPEC, bytes(65535)),
        },
        "its header has an unknown version or command: 0x22": {
            "command": framed(0x22, TCP4, ADDRESS_BLOCK)
        },
        "its header has an unknown version or command: 0x11": {
            "version 1": framed(0x11, TCP4, ADDRESS_BLOCK)
        },
        "its header has an unknown kind of addresses: 0x41": {
            "family": framed(PROXY, 0x41, bytes(300))
        },
        "its header has an unknown kind of addresses: 0x13": {
            "transport": framed(PROXY, 0x13, bytes(300))
        },
    },
)
def test_a_malformed_header_is_refused(header: bytes, expected: str) -> None:
    with pytest.raises(MalformedHeader) as refused:
        client_in(header)
    assert str(refused.value) == expected


CLIENTS = st.tuples(st.ip_addresses(), st.integers(0, 65535))


@given(CLIENTS, st.binary(max_size=300))
def test_the_client_comes_back_from_both_versions(
    client: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int], tlvs: bytes
) -> None:
    expected = (str(client[0]), client[1])
    assert client_in(binary(expected, tlvs=tlvs)) == expected
    host = ipaddress.ip_address(expected[0])
    here = (str(type(host)(0)), 443)
    assert client_in(line(expected, here)) == expected
    assert len(line(expected, here)) <= LINE_MAX_BYTES


@given(st.one_of(st.binary(min_size=FIRST_BYTES), st.binary().map(b"PROXY TCP4 ".__add__)))
def test_garbage_is_refused_or_has_no_client(garbage: bytes) -> None:
    try:
        client = client_in_line(garbage) if is_line(garbage[:FIRST_BYTES]) else None
    except MalformedHeader:
        return
    assert client is None or ipaddress.ip_address(client[0]).version in (4, 6)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300))
def test_any_binary_header_is_refused_or_names_an_address(
    command: int, kind: int, rest: bytes
) -> None:
    try:
        client = client_in(framed(command, kind, rest))
    except MalformedHeader:
        return
    assert client is None or (command == PROXY and kind in (TCP4, TCP6))
