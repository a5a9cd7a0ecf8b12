"""Reads certificates for TLS again when their files change.

Follows RFC 8446 as far as each connection has the certificates of its handshake.
Rule 1: what cannot be used is never used: the certificates in use stay, and the log says why.
Rule 2: a change counts once the files have been the same for two looks: a tool that renews
certificates writes one file after the other.
"""

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from transcoder.errors import SchemaError
from transcoder.threads import Threads

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""Seconds between two looks at the files."""


class CertificateWatch:
    """Has the context of the next connection, as `Transcoder.serve` takes it."""

    def __init__(
        self, read: Callable[[], ssl.SSLContext], files: Sequence[str], *, look_s: float = LOOK_S
    ) -> None:
        """Reads the files.

        Args:
            read: makes a context of the files; raises SchemaError if they cannot be used.
            files: their paths.
            look_s: seconds between two looks.

        Raises:
            SchemaError: they cannot be used.
        """
        self._read = read
        self._files = tuple(files)
        self._look_s = look_s
        self._used = self._signature()
        self._context = read()
        self._threads = Threads("certificates", threads_max=1)

    def context(self) -> ssl.SSLContext:
        return self._context

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Looks at the files during its block."""
        looking = asyncio.create_task(self._look_forever(), name="certificates")
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait((looking,))
            self._threads.close()

    async def _look_forever(self) -> None:
        seen = self._used
        while True:
            await asyncio.sleep(self._look_s)
            found = await self._threads.run(self._signature)
            if found == seen and found != self._used:
                self._used = found
                await self._read_again()
            seen = found

    async def _read_again(self) -> None:
        try:
            self._context = await self._threads.run(self._read)
        except SchemaError as fault:
            logger.error("new certificates are not used, the old ones stay: %s", fault)
        else:
            logger.info("certificates are read again")

    def _signature(self) -> tuple[tuple[int, ...] | None, ...]:
        """Returns inode, time and size of each file; None for one that is not there."""
        return tuple(_file_signature(path) for path in self._files)


def _file_signature(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  follows the links by which certificates are renewed
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
