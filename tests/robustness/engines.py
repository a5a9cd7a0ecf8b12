"""Names the engines that a scenario runs on: each gives databases for services.

A database is named by its URL; "" is the one of the service's data folder.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from tests.support import every_event
from tests.support.postgresql import PostgresServer, execute
from tests.support.postgresql import rows as rows_of

NewDatabase: TypeAlias = Callable[[], str]
Engine: TypeAlias = Callable[[], AbstractContextManager[NewDatabase]]


@contextmanager
def sqlite() -> Iterator[NewDatabase]:
    yield lambda: ""


@contextmanager
def postgresql() -> Iterator[NewDatabase]:
    """Starts a server that keeps what it acknowledged, as an operator's does."""
    with PostgresServer(is_durable=True, options=("-c", "autovacuum=on")) as server:
        yield lambda: asyncio.run(server.new_database())


def rows(folder: Path, database: str) -> dict[str, list[Any]]:
    """Returns all rows of all tables."""
    return asyncio.run(rows_of(database)) if database else every_event.rows(folder)


def change(folder: Path, database: str, *statements: str) -> None:
    """Changes a database behind the program's back."""
    if database:
        asyncio.run(execute(database, *statements))
        return
    with closing(sqlite3.connect(folder / "events.sqlite")) as connection, connection:
        for statement in statements:
            connection.execute(statement)
