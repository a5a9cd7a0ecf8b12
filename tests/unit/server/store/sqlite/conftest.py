"""A database for tests of single statements: which rows they find, and by which indexes."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest

from server.store.sqlite import schema
from server.store.sqlite.action_lists import Statement

Plan: TypeAlias = Callable[[Statement], list[str]]
"""Returns how SQLite runs a statement, a line each step."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Returns an empty database with the newest schema."""
    path = tmp_path / "events.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        schema.bring_up_to_date(opened, path="", now=0)
        yield opened


@pytest.fixture
def plan(database: sqlite3.Connection) -> Plan:
    def explain(statement: Statement) -> list[str]:
        found = database.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)
        return [row[3] for row in found]

    return explain
