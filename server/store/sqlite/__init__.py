"""The store on SQLite, embedded: one process, one file, no set-up."""

from server.store.sqlite.store import SqliteEventStore

__all__ = ["SqliteEventStore"]
