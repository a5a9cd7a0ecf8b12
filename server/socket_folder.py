"""Makes private folders for an admin socket whose path in the data folder would be too long.

A unix socket's path is bounded, so that such a socket is in `<temporary folder>/actions-XXXXXXXX`.
Its process holds a flock(2) on that folder, which ends with the process, however that ends: a
folder that can be locked is left by a process that was killed, and is removed at the next start.

Rule: nothing is removed but a socket of ours, alone in a folder of ours with such a name.
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

_PREFIX: Final = "actions-"
_NAME: Final = re.compile(_PREFIX + r"[a-z0-9_]{8}")  # as tempfile.mkdtemp makes it


class SocketFolder:
    """Holds a new folder until it is removed or the process ends.

    Attributes:
        path: the folder.
    """

    def __init__(self) -> None:
        self.path: Final = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = _locked(self.path)  # at once, as nobody locks a folder without a socket

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
    if path.lstat().st_uid != os.geteuid() or [*path.iterdir()] != [path / SOCKET_FILE]:
        return False
    socket_file = path / SOCKET_FILE
    check(socket_file, is_socket=True)
    lock = _locked(path)
    try:
        # An earlier version of the service held no lock.
        if _is_answered(socket_file):
            return False
        _remove(path)
    finally:
        os.close(lock)
    return True


def _locked(path: Path) -> int:
    """Returns a descriptor that holds the folder.

    Raises:
        BlockingIOError: another process holds it.
    """
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            return True  # more wait to be answered than there is room for
    return True


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        (path / SOCKET_FILE).unlink(missing_ok=True)
        path.rmdir()
