"""Reads and replaces the contents of sealed values, for commands."""

from collections.abc import Sequence
from typing import Final

from server.domain.sealed import Sealed
from server.store.engine import StoredContent
from server.store.postgres.connect import Connection
from server.store.postgres.locks import Lock, take

_READ: Final = "SELECT id, key_id, content FROM sealed_contents WHERE id > $1 ORDER BY id LIMIT $2"
_REPLACE: Final = """
UPDATE sealed_contents SET key_id = $1, content = $2 WHERE id = $3 AND key_id = $4 AND content = $5
"""


async def read(connection: Connection, after: str, limit: int) -> Sequence[StoredContent]:
    """Returns contents in order of their ids, from the first after the id `after`."""
    found = await connection.fetch(_READ, after, limit)
    return [(id_, Sealed(key_id, content)) for id_, key_id, content in found]


async def replace(connection: Connection, contents: Sequence[tuple[StoredContent, Sealed]]) -> None:
    """Replaces contents, in a transaction of its own; those that changed meanwhile are left."""
    rows = [(new.key_id, new.content, id_, old.key_id, old.content) for (id_, old), new in contents]
    async with connection.transaction():
        await take(connection, Lock.COMMITS)
        await connection.executemany(_REPLACE, rows)
