"""Copies the write-ahead log into the database beside the commits, in a thread of its own.

By default SQLite does so within the commit that makes the log 1,000 pages long. That commit, and
every caller behind it, waits some milliseconds more. Follows sqlite.org/wal.html, "Checkpointing":
a passive checkpoint waits for nobody, and a commit does not wait for it.

SQLite starts the log anew if all of it was copied when a commit begins. Commits during a checkpoint
prevent that. Where they never pause, the one that makes the log `connect.WAL_MAX_BYTES` long copies
the rest.
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from server.store.sqlite.connect import Access, connect, errors_of
from server.store.sqlite.worker import Worker

ROWS: Final = 2_000
"""Rows written between two checkpoints; about 4,000 pages, as each is in the table and an index.
While a checkpoint syncs the database, commits wait for the same disk: fewer checkpoints delay
fewer."""

_CHECKPOINT: Final = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """Makes a checkpoint after each `ROWS` rows."""

    def __init__(self, path: Path, *, access: Access) -> None:
        """Opens a connection, once: a later one could create a database in place of a lost one."""
        with errors_of(path):
            self._connection = connect(path, writes=True, access=access)
        self._worker = Worker("event store checkpoints")
        self._rows = 0
        self._is_running = False
        self._is_closed = False

    def note(self, rows: int) -> None:
        """Counts committed rows, and starts a checkpoint when there are enough."""
        self._rows += rows
        if self._rows < ROWS or self._is_running or self._is_closed:
            return
        self._rows = 0
        self._is_running = True
        self._worker.submit(self._copy)

    def close(self) -> None:
        """Starts no more checkpoints."""
        self._is_closed = True
        self._worker.close()

    def join(self) -> None:
        """Waits for the running checkpoint, and closes the connection; blocks."""
        self._worker.join()
        self._connection.close()

    def _copy(self) -> None:
        # After a failure the log stays as it is; commits fail if the disk is full or broken.
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute(_CHECKPOINT)
        self._is_running = False
