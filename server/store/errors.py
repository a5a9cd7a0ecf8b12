"""Defines the errors of storage.

Rule: whatever fails in storage is a StorageError for all callers, with nothing written.
"""


class StorageError(Exception):
    """Storage cannot be read or written now; the text is one line, for the operator."""


class DataFolderInUse(StorageError):
    """Another process has the data folder.

    Attributes:
        pid: of that process; None if it has not said yet.
        admin: the path of its admin socket; empty if it has none.
    """

    def __init__(self, folder: str, pid: int | None, admin: str) -> None:
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(f"data folder {folder} is in use by {owner}")
        self.folder = folder
        self.pid = pid
        self.admin = admin
