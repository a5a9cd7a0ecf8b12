"""Adds, reads and deletes the counts of actions by SQL.

Rule: counts go in the transaction that removes their action. Runs are counted without its lock, so
a row that is added at that moment may stay; it is never read.
"""

from collections.abc import Sequence
from typing import Final

from server.store.postgres.connect import Connection
from server.store.postgres.tables import Part
from server.store.runs import ActionCounts, CountedActions

_FIELDS: Final = ActionCounts._fields
_COLUMNS: Final = ", ".join(_FIELDS)
_TYPES: Final = {"org_id": "text", "action_id": "text", "name": "bytea"}
_ADD: Final = Part(
    f"""
INSERT INTO action_counts AS held ({_COLUMNS})
SELECT {", ".join(f"new.{field}" for field in _FIELDS)}
FROM {{}} AS new({_COLUMNS}) JOIN actions ON actions.id = new.action_id
ON CONFLICT (action_id) DO UPDATE SET
    name = excluded.name,
    runs = held.runs + excluded.runs,
    failures = held.failures + excluded.failures,
    timeouts = held.timeouts + excluded.timeouts,
    kills = held.kills + excluded.kills,
    queue_us = held.queue_us + excluded.queue_us,
    duration_us = held.duration_us + excluded.duration_us
""",  # noqa: S608 - names of ours
    tuple(_TYPES.get(field, "bigint") for field in _FIELDS),
).at(1)
REMOVE: Final = Part(
    "DELETE FROM action_counts USING {} AS gone(id) WHERE action_id = gone.id", ("text",)
)
_SINCE: Final = "SELECT applied_at FROM schema_versions WHERE name = 'action_counts'"
_OF_AN_ORG: Final = f"""
SELECT {", ".join(f"held.{field}" for field in _FIELDS)}
FROM action_counts AS held JOIN actions ON actions.id = held.action_id
WHERE held.org_id = $1 ORDER BY held.action_id
"""  # noqa: S608 - names of ours


async def add(connection: Connection, counts: Sequence[ActionCounts]) -> None:
    if counts:
        columns = dict(zip(_FIELDS, map(list, zip(*counts, strict=True)), strict=True))
        columns["name"] = [each.name.encode() for each in counts]
        await connection.execute(_ADD, *columns.values())


async def read(connection: Connection, org_id: str) -> CountedActions:
    since: int = await connection.fetchval(_SINCE)
    found = await connection.fetch(_OF_AN_ORG, org_id)
    return CountedActions(
        since,
        [ActionCounts(**{**row, "name": row["name"].decode()}) for row in found],
    )
