"""Defines the errors of storage.

Rule: every failure of storage is a StorageError, and then nothing was written.
"""


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
