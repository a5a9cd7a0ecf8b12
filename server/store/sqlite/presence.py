"""Detects that open files were removed, moved or replaced.

A process can go on writing to such a file, but no later process finds it. A path is still an open
file if both have the same device and inode (stat(2)).

A file that leaves or enters a folder changes the folder's ctime, which cannot be set. So as long as
the ctime is the same, one `stat` of the folder replaces a `stat` of each file.
"""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

from server.store.errors import StorageError

Identity: TypeAlias = tuple[int, int]
FolderState: TypeAlias = tuple[int, int, int]
"""Device, inode and ctime in nanoseconds of a folder."""

SETTLED_NS: Final = 100_000_000
"""Min age of a ctime that is relied on. Two changes within one step of the file system's clock, at
most 10 ms, leave the same ctime."""


class FileGone(StorageError):
    """A file of the store was removed, moved or replaced; the text names it."""


class Presence:
    """Checks that files of one folder are where they were; none of them is a symbolic link."""

    def __init__(self, paths: Iterable[Path], *, later: Path) -> None:
        """Notes the files that the paths name now.

        Args:
            paths: of existing files.
            later: of a file that is noted once it exists.

        Raises:
            OSError: a file does not exist.
        """
        self._files = {str(path): _identity(str(path)) for path in paths}
        self._later: str | None = str(later)
        self._folder = str(later.parent)
        self._unchanged: FolderState | None = None
        """The folder's state when all files were checked; None if its ctime was too young."""

    def require(self) -> None:
        """Checks all files; takes some microseconds.

        Raises:
            FileGone: a file is not where it was.
        """
        folder = _state_of(self._folder)
        if folder is None or folder != self._unchanged:
            self._compare(folder)

    def require_each(self) -> None:
        """Checks all files by a `stat` of each; takes three times as long.

        Raises:
            FileGone: a file is not where it was.
        """
        self._compare(_state_of(self._folder))

    def _compare(self, folder: FolderState | None) -> None:
        """Checks each file.

        Args:
            folder: its state before this check, as it may change meanwhile.
        """
        self._unchanged = None
        if self._later is not None:
            with contextlib.suppress(OSError):
                self._files[self._later] = _identity(self._later)
                self._later = None
        for path, identity in self._files.items():
            _require(path, identity)
        if self._later is None and folder is not None and time.time_ns() - folder[2] > SETTLED_NS:
            self._unchanged = folder


def _require(path: str, identity: Identity) -> None:
    try:
        found = _identity(path)
    except OSError:
        raise FileGone(
            f"{path} was removed or moved while in use; "
            "put the same file back, or restart the service"
        ) from None
    if found != identity:
        raise FileGone(
            f"{path} was replaced by another file while in use; "
            "put the first file back, or restart the service"
        )


def _identity(path: str) -> Identity:
    found = os.stat(path)  # noqa: PTH116  a Path costs more than the call
    return found.st_dev, found.st_ino


def _state_of(folder: str) -> FolderState | None:
    try:
        found = os.stat(folder)  # noqa: PTH116  as above
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns
