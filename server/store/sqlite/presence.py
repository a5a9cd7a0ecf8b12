"""Notices files that are no longer where they were opened.

A process goes on writing to a file that was removed, moved or replaced, and nobody will read what
it writes. A path and an open file are the same if their device and inode are (stat(2)).
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from server.store.errors import StorageError

Identity: TypeAlias = tuple[int, int]


class FileGone(StorageError):
    """A file of the store is not where it was; the text names it."""


class Presence:
    """Files that must stay where they are."""

    def __init__(self, paths: Iterable[Path], *, later: Path) -> None:
        """Notes which files are there now.

        Args:
            paths: of files that are there.
            later: of one that is noted once it is there.

        Raises:
            OSError: one is not there.
        """
        self._files = {str(path): _identity(str(path)) for path in paths}
        self._later: str | None = str(later)

    def require(self) -> None:
        """Returns if all files are where they were; takes some microseconds.

        Raises:
            FileGone: one is not.
        """
        if self._later is not None:
            with contextlib.suppress(OSError):
                self._files[self._later] = _identity(self._later)
                self._later = None
        for path, identity in self._files.items():
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
