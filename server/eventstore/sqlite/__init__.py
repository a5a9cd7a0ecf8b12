"""The event store on SQLite, embedded: one process, one file, no set-up."""

from server.eventstore.sqlite.store import SqliteEventStore

__all__ = ["SqliteEventStore"]
