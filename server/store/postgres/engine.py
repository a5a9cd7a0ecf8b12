"""Opens stores on PostgreSQL, and reads and repairs them for commands."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from server.clock import Clock, wall_clock
from server.store.engine import Opening, Progress
from server.store.errors import StorageError
from server.store.postgres import comparison, rebuild, schema
from server.store.postgres.connect import Server
from server.store.postgres.importing import PostgresImport
from server.store.postgres.session import Session
from server.store.postgres.store import PostgresEventStore

_NO_COPIES: Final = "backup and restore are for SQLite; use pg_dump, or export and import"


class PostgresEngine:
    """Implements `engine.Engine` for one database; no folder has a part of it."""

    def __init__(self, url: str, *, clock: Clock = wall_clock) -> None:
        """Reads the URL.

        Raises:
            StorageError: it is not one of PostgreSQL.
        """
        self._server = Server(url)
        self._clock = clock

    async def open_store(
        self, folder: Path, *, admin: str, clock: Clock, opening: Opening
    ) -> PostgresEventStore:
        return await PostgresEventStore.open(self._server, folder, admin=admin, clock=clock)

    def has_database(self, folder: Path) -> bool:
        return True

    def back_up(self, folder: Path, target: Path, progress: Progress) -> int:
        raise StorageError(_NO_COPIES)

    def restore(self, copy: Path, folder: Path, progress: Progress, *, replaces: bool) -> int:
        raise StorageError(_NO_COPIES)

    def compare(self, folder: Path, progress: Progress) -> list[str]:
        with self._session() as session:
            return session.run(comparison.compare, progress)

    @contextlib.contextmanager
    def event_reader(self, folder: Path) -> Iterator[Session]:
        with self._session() as session:
            yield session

    @contextlib.contextmanager
    def import_transaction(self, folder: Path) -> Iterator[PostgresImport]:
        with self._session() as session:
            yield PostgresImport(session, self._clock)

    @contextlib.contextmanager
    def content_writer(self, folder: Path) -> Iterator[Session]:
        with self._session() as session:
            yield session

    def rebuild(self, folder: Path, progress: Progress) -> int:
        with self._session() as session:
            return session.run(rebuild.rebuild, progress)

    def migrate(self, folder: Path) -> list[str]:
        with Session(self._server) as session:
            return session.run(schema.migrate, self._server.shown, self._clock())

    def missing_versions(self, folder: Path) -> list[str]:
        with Session(self._server) as session:
            return session.run(schema.missing, self._server.shown)

    @contextlib.contextmanager
    def _session(self) -> Iterator[Session]:
        """Opens a connection to a database that has the schema of this program."""
        with Session(self._server) as session:
            session.run(schema.open_schema, self._server.shown, self._clock())
            yield session
