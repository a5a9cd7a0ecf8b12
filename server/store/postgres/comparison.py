"""Compares a database with its events: finds gaps among events, and states that differ from them.

The states are made anew in temporary tables, and compared with those of one snapshot; services may
run meanwhile.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from server.store.differences import differences
from server.store.engine import Progress
from server.store.errors import StorageError
from server.store.postgres.connect import Connection
from server.store.postgres.rebuild import STATE_TABLES, apply_all

FINDINGS_MAX: Final = 20
"""Max findings of one kind."""

_POSITIONS: Final = "SELECT count(*), min(position), max(position) FROM events"
_SEQUENCES: Final = """
SELECT aggregate_type, aggregate_id, count(*), max(sequence) FROM events
GROUP BY aggregate_type, aggregate_id HAVING count(*) <> max(sequence) OR min(sequence) <> 1
LIMIT $1
"""
_TOTALS: Final = """
SELECT org_id FROM (SELECT org_id, count(*) AS total FROM actions GROUP BY org_id) AS due
FULL JOIN action_totals AS held USING (org_id) WHERE due.total IS DISTINCT FROM held.total
ORDER BY org_id LIMIT $1
"""
_WITHOUT_VALUE: Final = """
SELECT id FROM sealed_contents WHERE id NOT IN (SELECT id FROM sealed_values) ORDER BY id LIMIT $1
"""
_ANEW: Final = "CREATE TEMPORARY TABLE {0} (LIKE {1}.{0} INCLUDING INDEXES) ON COMMIT DROP"
_LESS: Final = "SELECT * FROM (SELECT * FROM {0} EXCEPT SELECT * FROM {1}) AS found LIMIT $1"


async def compare(connection: Connection, progress: Progress) -> list[str]:
    """Returns the faults of a database; empty if there are none."""
    snapshot = connection.transaction(isolation="repeatable_read")
    await snapshot.start()
    try:
        gaps = [line async for line in _gaps(connection)]
        return gaps or [line async for line in _differences(connection, progress)]
    except StorageError as fault:
        return [str(fault)]
    finally:
        await snapshot.rollback()


async def _gaps(connection: Connection) -> AsyncIterator[str]:
    count, first, last = await connection.fetchrow(_POSITIONS)
    if count and (first, last) != (1, count):
        yield f"events: expected positions 1 to {count}, got {count} from {first} to {last}"
    for kind, id_, events, sequence in await connection.fetch(_SEQUENCES, FINDINGS_MAX):
        yield f"events: {kind} {id_} has {events} events, the last has sequence {sequence}"
    for (org_id,) in await connection.fetch(_TOTALS, FINDINGS_MAX):
        yield f"action_totals: {org_id} differs from its actions"
    for (id_,) in await connection.fetch(_WITHOUT_VALUE, FINDINGS_MAX):
        yield f"sealed_contents: {id_} is not among the values"


async def _differences(connection: Connection, progress: Progress) -> AsyncIterator[str]:
    schema = await connection.fetchval("SELECT quote_ident(current_schema())")
    for table in STATE_TABLES:
        await connection.execute(_ANEW.format(table, schema))
    # From here the names of the tables of states are those of the temporary ones.
    await connection.execute(f"SET LOCAL search_path = pg_temp, {schema}")
    await apply_all(connection, progress)
    for table in STATE_TABLES:
        for line in await _rows(connection, table, schema):
            yield line


async def _rows(connection: Connection, table: str, schema: str) -> Iterator[str]:
    stored, anew = f"{schema}.{table}", f"pg_temp.{table}"
    held = await connection.fetch(_LESS.format(stored, anew), FINDINGS_MAX)
    due = await connection.fetch(_LESS.format(anew, stored), FINDINGS_MAX)
    return differences(table, held, due)
