"""Writes headers of the PROXY protocol, as proxies do (section 2 of its specification), and is one.

Rule: nothing of the transcoder is used.
"""

import asyncio
import ipaddress
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def relay(to: str, header: bytes) -> AsyncIterator[str]:
    """Passes connections on to "host:port", each behind the header, until the block ends.

    Yields:
        "host:port" of the relay.
    """
    host, _, port = to.rpartition(":")
    copies: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(host, int(port))
        to_server.write(header)
        for source, sink in ((reader, to_server), (from_server, writer)):
            copies.add(asyncio.create_task(_copy(source, sink)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(1 << 16):
            sink.write(piece)
            await sink.drain()
    finally:
        sink.close()
