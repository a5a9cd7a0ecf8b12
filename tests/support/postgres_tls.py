"""TLS in front of a PostgreSQL server that was built without it.

Speaks its protocol up to the handshake: SSLRequest, answered by "S"
(postgresql.org/docs, "SSL Session Encryption"); then it pipes.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import Final

from tests.support.certificates import Pair

_SSL_REQUEST: Final = struct.pack("!II", 8, 80877103)


@contextlib.asynccontextmanager
async def tls_in_front_of(port: int, pair: Pair) -> AsyncIterator[int]:
    """Returns the port on which the server at `port` is reached by TLS alone."""
    context = pair.server_context()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            if await reader.read(len(_SSL_REQUEST)) != _SSL_REQUEST:
                return
            writer.write(b"S")
            try:
                await writer.start_tls(context)
            except OSError:  # ssl.SSLError, too: the client refuses the certificate
                return
            behind, ahead = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(ahead):
                await asyncio.gather(_pipe(reader, ahead), _pipe(behind, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.closing(target), contextlib.suppress(ConnectionError):
        while some := await source.read(1 << 16):
            target.write(some)
            await target.drain()
