"""Names the engines that a scenario runs on: each gives databases for services.

A database is named by its URL; "" is the one of the service's data folder.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from tests.support.postgresql import PostgresServer

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
