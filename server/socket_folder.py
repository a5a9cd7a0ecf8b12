"""Makes private folders for unix sockets.

One is for the socket of gRPC that connections are piped to. Another is for an admin socket whose
path in the data folder would be too long: a unix socket's path has a max length. Both are in
`<temporary folder>/actions-XXXXXXXX`. The process has a flock(2) on that folder, which the system
releases when the process ends. So a folder that can be locked was left by a process that was
killed; the next start removes it.

Rule: removes only a socket of this user that is alone in a folder of this user with such a name.
"""

import contextlib
import fcntl
import os
import re
import socket
import tempfile
from pathlib import Path
from typing import Final

from server.store.errors import StorageError
from server.store.files import check

SOCKET_FILE: Final = "admin.sock"
GRPC_SOCKET_FILE: Final = "grpc.sock"

_SOCKET_FILES: Final = (SOCKET_FILE, GRPC_SOCKET_FILE)
_PREFIX: Final = "actions-"
_NAME: Final = re.compile(_PREFIX + r"[a-z0-9_]{8}")  # as tempfile.mkdtemp makes it


class SocketFolder:
    """Makes a folder and locks it until it is removed or the process ends.

    Attributes:
        path: the folder.
    """

    def __init__(self) -> None:
        self.path: Final = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = _locked(self.path)  # before it has a socket: other processes leave it alone

    def remove(self) -> None:
        """Removes the folder with its socket; called once."""
        _remove(self.path)
        os.close(self._lock)


def remove_left_folders() -> int:
    """Removes the folders of processes that were killed; returns how many."""
    removed = 0
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _NAME.fullmatch(path.name) is None:
            continue
        with contextlib.suppress(OSError, StorageError):
            removed += _remove_if_left(path)
    return removed


def _remove_if_left(path: Path) -> bool:
    if path.lstat().st_uid != os.geteuid():
        return False
    match [*path.iterdir()]:
        case [socket_file] if socket_file.name in _SOCKET_FILES:
            pass
        case _:
            return False
    check(socket_file, is_socket=True)
    lock = _locked(path)
    try:
        # An earlier version of the service did not lock the folder.
        if _is_listening(socket_file):
            return False
        _remove(path)
    finally:
        os.close(lock)
    return True


def _locked(path: Path) -> int:
    """Locks the folder, and returns the descriptor that has the lock.

    Raises:
        BlockingIOError: another process has locked it.
    """
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            return True  # a process listens; its queue of connections is full
    return True


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        for name in _SOCKET_FILES:
            (path / name).unlink(missing_ok=True)
        path.rmdir()
