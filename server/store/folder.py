"""Reserves a data folder for one process, by an exclusive lock on the file `lock` in it.

The file names the process in JSON: {"pid": …, "admin": the path of its admin socket}. The system
releases the lock when the process ends; the file stays, and without a lock it means nothing.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Final, Self

import orjson

from server.store.errors import DataFolderInUse, StorageError
from server.store.files import open_ours

LOCK_FILE: Final = "lock"

_READ_MAX_BYTES: Final = 4096
"""Max bytes that are read of the file; a path of a socket has at most 108."""


class DataFolder:
    """Holds the lock of a data folder until `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock_path = path / LOCK_FILE
        self._lock = lock

    @classmethod
    def claim(cls, path: Path, *, admin: str = "") -> Self:
        """Makes the folder (mode 0700) if it is missing, and locks it.

        Raises:
            DataFolderInUse: another process has locked it.
            UnsafeFile: another user may have placed the lock.
            StorageError: it cannot be made or locked.
        """
        lock = -1
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _opened(path / LOCK_FILE)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(lock, orjson.dumps({"pid": os.getpid(), "admin": admin}))
        except BlockingIOError:
            pid, admin = _holder(os.pread(lock, _READ_MAX_BYTES, 0))
            os.close(lock)
            raise DataFolderInUse(str(path), pid, admin) from None
        except OSError as error:
            if lock >= 0:
                os.close(lock)
            message = f"data folder {path} cannot be used: {error.strerror}"
            raise StorageError(message) from error
        return cls(path, lock)

    def release(self) -> None:
        # Blanks keep the size: the next process can write its name on a full disk.
        _write(self._lock, b" " * os.fstat(self._lock).st_size)
        os.close(self._lock)


def _opened(path: Path) -> int:
    try:
        return open_ours(path, os.O_RDWR)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
    return open_ours(path, os.O_RDONLY)


def _write(lock: int, text: bytes) -> None:
    """Replaces the text of the file if the disk has room; the lock holds without it."""
    with contextlib.suppress(OSError):
        os.pwrite(lock, text.ljust(os.fstat(lock).st_size), 0)
        os.ftruncate(lock, len(text))


def _holder(text: bytes) -> tuple[int | None, str]:
    """Returns the process and its socket; None and "" if they are not written yet."""
    try:
        match orjson.loads(text):
            case {"pid": int(pid), "admin": str(admin)}:
                return pid, admin
    except orjson.JSONDecodeError:
        pass
    return None, ""
