"""Detects that open files were removed, moved or replaced.

A process can go on writing to such a file, but no later process finds it. A path is still an open
file if both have the same device and inode (stat(2)).
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from server.store.errors import StorageError

Identity: TypeAlias = tuple[int, int]


class FileGone(StorageError):
    """A file of the store was removed, moved or replaced; the text names it."""


class Presence:
    """Checks that files are where they were."""

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

    def require(self) -> None:
        """Checks all files; takes some microseconds.

        Raises:
            FileGone: a file is not where it was.
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
