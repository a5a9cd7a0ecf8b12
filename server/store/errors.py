"""Defines the errors of storage.

Rule: every failure of storage is a StorageError, and then nothing was written.
"""

from collections.abc import Callable
from types import TracebackType


class StorageError(Exception):
    """Storage cannot be read or written now; the text is one line, for the operator."""


class DataFolderInUse(StorageError):
    """Another process has locked the data folder.

    Attributes:
        pid: of that process; None if it has not written it yet.
        admin: the path of its admin socket; empty if it has none.
    """

    def __init__(self, folder: str, pid: int | None, admin: str) -> None:
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(f"data folder {folder} is in use by {owner}")
        self.folder = folder
        self.pid = pid
        self.admin = admin


class StorageErrors:
    """Raises StorageError for any error inside; drivers raise more than they document (R2).

    A class, as a generator takes five times as long to enter and leave. Has no state, so an
    instance may be entered many times.
    """

    __slots__ = ("_store", "_text_of")

    def __init__(self, store: object, text_of: Callable[[Exception], str]) -> None:
        """Takes the name of the store for the operator, and what makes the text of an error."""
        self._store = store
        self._text_of = text_of

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, StorageError):
            raise StorageError(f"event store {self._store}: {self._text_of(error)}") from error
