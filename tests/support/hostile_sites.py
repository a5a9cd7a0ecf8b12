"""Web servers that mean harm to their clients: one server, the path says what it does.

Sends as fast as its client takes it, for as long as it does. Run by itself it prints its port.
"""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from typing import Final

_CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_GZIP: Final = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"

FLOODS: Final[dict[str, tuple[bytes, bytes]]] = {
    "100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "answers": (b"", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1024),
    "extension": (_CHUNKED + b"1", b";a=b"),
    "extensions": (_CHUNKED, b"1;a=b\r\nx\r\n"),
    "chunks": (_CHUNKED, b"1\r\nx\r\n"),
    "trailers": (_CHUNKED + b"0\r\n", b"a: b\r\n"),
    "members": (_GZIP, gzip.compress(b"")),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "header": (b"HTTP/1.1 200 OK\r\na: ", b"b" * 64),
    "status": (b"HTTP/1.1 200 ", b"OK" * 64),
    "no HTTP": (b"", b"\0\r\n" * 64),
}
"""By name: what is sent first, and what is sent again and again."""

DRIPS: Final[dict[str, tuple[bytes, bytes]]] = {
    "drip of a head": (b"HTTP/1.1 200 OK\r\nb: ", b"b"),
    "drip of a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "drip of 100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "silence": (b"", b""),
}
"""Answers in two parts: the second one is sent again every `DRIP_EVERY_S`."""

DRIP_EVERY_S: Final = 0.1
_PIECE_BYTES: Final = 64 << 10


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        name = head.split()[1].decode().removeprefix("/").replace("%20", " ")
        first, again = FLOODS[name] if name in FLOODS else DRIPS[name]
        writer.write(first)
        gone = asyncio.ensure_future(reader.read())
        try:
            if name in FLOODS:
                piece = again * max(1, _PIECE_BYTES // len(again))
                while True:
                    writer.write(piece)
                    await writer.drain()
            while not gone.done():
                writer.write(again)
                await asyncio.wait((gone,), timeout=DRIP_EVERY_S)
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
    writer.close()


@contextlib.asynccontextmanager
async def hostile_sites() -> AsyncIterator[str]:
    """Runs it in the running loop; yields its URL, without a slash at its end."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def _main() -> None:
    async with hostile_sites() as url:
        print(url, flush=True)  # noqa: T201  for who started it
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
