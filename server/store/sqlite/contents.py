"""Reads and replaces the contents of sealed values, for commands."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from server.domain.sealed import Sealed
from server.store.engine import StoredContent

_READ: Final = "SELECT id, key_id, content FROM sealed_contents WHERE id > ? ORDER BY id LIMIT ?"
_REPLACE: Final = (
    "UPDATE sealed_contents SET key_id = ?, content = ? WHERE id = ? AND key_id = ? AND content = ?"
)


def read(connection: sqlite3.Connection, after: str, limit: int) -> Sequence[StoredContent]:
    """Returns contents in order of their ids, from the first after the id `after`."""
    found = connection.execute(_READ, (after, limit)).fetchall()
    return [(id_, Sealed(key_id, content)) for id_, key_id, content in found]


def replace(
    connection: sqlite3.Connection, contents: Sequence[tuple[StoredContent, Sealed]]
) -> None:
    """Replaces contents, in a transaction of its own."""
    rows = [(new.key_id, new.content, id_, old.key_id, old.content) for (id_, old), new in contents]
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(_REPLACE, rows)
    connection.execute("COMMIT")
