"""Binds unix sockets by path, guards them, and removes them.

Follows unix(7), flock(2), and grpc/doc/naming.md for addresses ("unix:path", "unix:///path").
Rule 1: only a socket of this user that no process listens on is removed. Its folder is locked from
that check until the new socket listens, so that two processes never take one path.
Rule 2: only owner and group may connect, also before the mode could be changed.
"""

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from transcoder.errors import SchemaError

SCHEME: Final = "unix:"
SOCKET_PATH_MAX_BYTES: Final = 107
"""Max bytes of a socket's path on Linux; a terminating NUL follows."""
UMASK: Final = 0o117
"""The umask while a socket is bound, which gets mode 0660."""


def socket_path_of(address: str) -> str | None:
    """Returns the path of a unix address; None for one of another kind.

    Raises:
        SchemaError: the path is missing, or no socket can have it.
    """
    if not address.startswith(SCHEME):
        return None
    path = address.removeprefix(SCHEME)
    if path.startswith("//"):
        path = path.removeprefix("//")
        if not path.startswith("/"):
            raise SchemaError(f"address {address!r}: expected unix:path or unix:///path")
    if not path or "\0" in path or len(os.fsencode(path)) > SOCKET_PATH_MAX_BYTES:
        expected = f"a path of 1 to {SOCKET_PATH_MAX_BYTES} bytes behind unix:"
        raise SchemaError(f"address {address!r}: expected {expected}")
    return path


class SocketFile:
    """The file of a listening socket."""

    def __init__(self, path: str) -> None:
        """Remembers the socket that is there now."""
        self.path: Final = path
        found = os.lstat(path)
        self._identity = (found.st_dev, found.st_ino)

    def remove(self) -> None:
        """Removes the socket, unless another has taken its place."""
        with contextlib.suppress(OSError):
            found = os.lstat(self.path)
            if (found.st_dev, found.st_ino) == self._identity:
                Path(self.path).unlink()


@contextlib.contextmanager
def cleared(path: str) -> Iterator[None]:
    """Removes a stale socket at a path, and locks its folder until the end of the block.

    Raises:
        OSError: a process listens there, the file is not a socket of this user, or its folder is
            missing or locked.
    """
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EADDRINUSE, "another process binds a socket there") from None
        _remove_stale(path)
        yield
    finally:
        os.close(folder)


def listening_socket(path: str, *, backlog: int) -> socket.socket:
    """Returns a socket that listens at the path.

    Raises:
        OSError: as `cleared` does, or it cannot be bound.
    """
    with cleared(path):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(UMASK)
        try:
            made.bind(path)
            made.listen(backlog)
        except BaseException:
            made.close()
            raise
        finally:
            os.umask(mask)
        made.setblocking(False)
        return made


def _remove_stale(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise OSError(errno.EEXIST, "expected a socket of this user, got another file")
    if _has_listener(path):
        raise OSError(errno.EADDRINUSE, "another process listens there")
    Path(path).unlink()


def _has_listener(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            return True  # its backlog is full
    return True
