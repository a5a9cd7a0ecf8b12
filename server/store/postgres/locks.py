"""Names the locks that all processes on a database share.

They are advisory (postgresql.org/docs, "Explicit Locking"), held until a transaction ends.
"""

from enum import IntEnum

from server.store.postgres.connect import Connection


class Lock(IntEnum):
    """Holds the number of each lock, among those of other programs on the database."""

    SCHEMA = 4_700_001
    """Taken by those who change the schema."""

    COMMITS = 4_700_002
    """Taken by those who write events and states."""

    RUNS = 4_700_003
    """Taken by those who write the log of runs."""

    START = 4_700_004
    """Taken by those who start on a database that may be empty."""

    @property
    def statement(self) -> str:
        """Returns the statement that takes it, and waits for it."""
        return f"SELECT pg_advisory_xact_lock({self.value})"


async def take(connection: Connection, lock: Lock) -> None:
    """Waits for a lock, and holds it for the rest of the transaction."""
    await connection.execute(lock.statement)
