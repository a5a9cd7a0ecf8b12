"""A connection to a server by hand: an answer read to its end, and a connection that is reset."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connects to "host:port", and closes the connection with the block."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Reads one answer, which has a Content-Length; returns its head and its body.

    Raises:
        asyncio.IncompleteReadError, ConnectionError: the server is gone.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    return head, await reader.readexactly(length)


def reset(connection: socket.socket) -> None:
    """Has the connection end by RST, and not by FIN, once it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
