"""The event store on SQLite, embedded: one process, one file, no set-up."""

from server.store.sqlite.store import SqliteEventStore
from server.store.sqlite.writer import AS_USUAL, Opening

__all__ = ["AS_USUAL", "Opening", "SqliteEventStore"]
