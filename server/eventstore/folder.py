"""One process per data folder: who holds it has an exclusive lock on the file `lock` in it.

The file says in JSON who that is: {"pid": …, "admin": the path of its admin socket}. The lock, not
the file, is what counts: it ends with its process, however that ends, and the file stays.
"""

import fcntl
import os
from pathlib import Path
from typing import Final, Self

import orjson

from server.eventstore.contract import DataFolderInUse, StorageError
from server.eventstore.files import open_ours

LOCK_FILE: Final = "lock"


class DataFolder:
    """A claimed data folder; let go by `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.lock_path = path / LOCK_FILE
        self._lock = lock

    @classmethod
    def claim(cls, path: Path, *, admin: str = "") -> Self:
        """Make the folder (mode 0700) when it is missing, and lock it.

        Raises:
            DataFolderInUse: another process holds it.
            UnsafeFile: another user may have placed the lock.
            StorageError: it cannot be made or locked.
        """
        lock = -1
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open_ours(path / LOCK_FILE, os.O_RDWR)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.pwrite(lock, orjson.dumps({"pid": os.getpid(), "admin": admin}), 0)
        except BlockingIOError:
            pid, admin = _holder(os.pread(lock, 4096, 0))
            os.close(lock)
            raise DataFolderInUse(str(path), pid, admin) from None
        except OSError as error:
            if lock >= 0:
                os.close(lock)
            message = f"data folder {path} cannot be used: {error.strerror}"
            raise StorageError(message) from error
        return cls(path, lock)

    def release(self) -> None:
        os.ftruncate(self._lock, 0)
        os.close(self._lock)


def _holder(text: bytes) -> tuple[int | None, str]:
    """What the lock file says; nothing while its process is about to write it."""
    try:
        match orjson.loads(text):
            case {"pid": int(pid), "admin": str(admin)}:
                return pid, admin
    except orjson.JSONDecodeError:
        pass
    return None, ""
