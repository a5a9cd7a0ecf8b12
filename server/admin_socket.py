"""Admin operations over a unix socket: for the command line, while a server holds the store.

One connection is one operation: a line of JSON in, a line of JSON out, {"result": […]} or
{"error": "one line"}.

Rule: who can open the socket may do everything; it has mode 0600, in a folder of its owner's.
"""

import asyncio
import contextlib
import logging
import os
import socket
from pathlib import Path
from typing import Final

import msgspec

from server.admin import Admin
from server.operations import AdminError, Operation, Result
from server.socket_folder import SOCKET_FILE, SocketFolder
from server.store.errors import StorageError
from server.store.files import check

PATH_MAX_BYTES: Final = 100
"""A unix socket's path is bounded: 108 bytes on Linux, 104 elsewhere, its NUL included."""
REQUEST_MAX_BYTES: Final = 64 << 10
ANSWER_MAX_BYTES: Final = 64 << 20
TIMEOUT_S: Final = 10.0
"""For a whole operation, from either end."""

logger = logging.getLogger(__name__)


class _Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    result: list[Result] = []
    error: str = ""


_decode_operation: Final = msgspec.json.Decoder(Operation).decode
_decode_answer: Final = msgspec.json.Decoder(_Answer).decode


class AdminSocket:
    """The server's end."""

    def __init__(self, folder: Path) -> None:
        """Choose a path in the data folder, or in a private one where that path is too long."""
        self._temporary: SocketFolder | None = None
        path = folder.absolute() / SOCKET_FILE
        if len(os.fsencode(path)) > PATH_MAX_BYTES:
            self._temporary = SocketFolder()
            path = self._temporary.path / SOCKET_FILE
        self.path: Final = str(path)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._silent: set[asyncio.Task[None]] = set()  # whose operation is still to come

    async def start(self, admin: Admin) -> None:
        """Listen.

        Raises:
            UnsafeFile: what is at its path is no socket of ours.
            OSError: it cannot be bound.
        """

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._serve(admin, reader, writer))
            for tasks in (self._connections, self._silent):
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        self._server = await asyncio.start_unix_server(
            connected, sock=_bound(self.path), limit=REQUEST_MAX_BYTES
        )

    async def close(self) -> None:
        """Finish the operations under way, and leave nothing behind."""
        if self._server is not None:
            self._server.close()
            self._server = None
            _unlink(self.path)
            for task in self._silent:
                task.cancel()
            if self._connections:
                await asyncio.wait(self._connections)
        if self._temporary is not None:
            self._temporary.remove()
            self._temporary = None

    async def _serve(
        self, admin: Admin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    line = await _line(reader)
                    self._silent -= {asyncio.current_task()}
                    writer.write(msgspec.json.encode(await _answer(admin, line)) + b"\n")
                    await writer.drain()
            finally:
                writer.close()


async def ask(path: str, operation: Operation) -> list[Result]:
    """Have the server at the path perform an operation.

    Raises:
        AdminError: it cannot be done.
        UnsafeFile: what is there is no socket of ours, and may be another user's trap.
        OSError: nobody listens there, or not any more, or it takes too long (TimeoutError).
    """
    check(Path(path), is_socket=True)
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_unix_connection(path, limit=ANSWER_MAX_BYTES)
        try:
            writer.write(msgspec.json.encode(operation) + b"\n")
            line = await reader.readline()
        finally:
            writer.close()
    if not line.endswith(b"\n"):
        raise ConnectionResetError
    answer = _decode_answer(line)
    if answer.error:
        raise AdminError(answer.error)
    return answer.result


def _bound(path: str) -> socket.socket:
    # The data folder is locked by this process: a socket of ours is of one that died.
    check(Path(path), is_socket=True)
    _unlink(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        bound.bind(path)
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(mask)
    return bound


def _unlink(path: str) -> None:
    Path(path).unlink(missing_ok=True)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """A line; nothing, which is no operation, for one over the limit."""
    try:
        return await reader.readline()
    except ValueError:
        return b""


async def _answer(admin: Admin, line: bytes) -> _Answer:
    try:
        return _Answer(result=await admin.perform(_decode_operation(line)))
    except AdminError as error:
        return _Answer(error=str(error))
    except StorageError as error:
        return _Answer(error=str(error))
    except ValueError:
        # Not JSON, not an operation, or a line over the limit.
        expected = f"an operation that it knows, in a line of {REQUEST_MAX_BYTES} bytes"
        return _Answer(error=f"the server expected {expected}: is it of the command's version?")
    except Exception:
        logger.exception("an admin operation failed")
        return _Answer(error="internal error: the server's log says more")
