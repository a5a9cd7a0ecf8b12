"""Binds unix sockets by path, guards them, and removes them.

Follows unix(7), flock(2), and grpc/doc/naming.md for addresses ("unix:path", "unix:///path").
Rule 1: no file is removed but a socket of this user that nobody listens on. Who replaces one holds
a lock of its folder from the look to the listening, so that two processes never take one path.
Rule 2: owner and group may connect, nobody else, from the first moment on.
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
"""While a socket is bound: it gets mode 0660."""


def socket_path_of(address: str) -> str | None:
    """Returns the path of a unix address; None for one of another kind.

    Raises:
        SchemaError: there is no path, or one that no socket can have.
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
    """A socket's place in the file system, which is removed once."""

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
    """Keeps a path free until somebody listens there, which is to happen meanwhile.

    Raises:
        OSError: somebody listens there, or something is there that is no socket of this user; or
            the folder is not there, or locked.
    """
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EADDRINUSE, "another process binds a socket there") from None
        _remove_left(path)
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


def _remove_left(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise OSError(errno.EEXIST, "there is a file that is no socket of this user")
    if _is_answered(path):
        raise OSError(errno.EADDRINUSE, "another process listens there")
    Path(path).unlink()


def _is_answered(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            return True  # more wait to be answered than there is room for
    return True
