"""The event store on SQLite, embedded: one process, one file, no set-up."""

from server.eventstore.sqlite.store import SqliteEventStore
from server.eventstore.sqlite.writer import AS_USUAL, Opening

__all__ = ["AS_USUAL", "Opening", "SqliteEventStore"]
