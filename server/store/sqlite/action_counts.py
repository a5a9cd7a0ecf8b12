"""Adds, reads and deletes the counts of actions by SQL.

Rule: counts go in the transaction that removes their action, and none are added after it.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from server.store.runs import ActionCounts, CountedActions

_COLUMNS: Final = ", ".join(ActionCounts._fields)
_ADD: Final = f"""
INSERT INTO action_counts ({_COLUMNS})
SELECT :org_id, :action_id, :name, :runs, :failures, :timeouts, :kills, :queue_us, :duration_us
WHERE EXISTS (SELECT 1 FROM actions WHERE id = :action_id)
ON CONFLICT (action_id) DO UPDATE SET
    name = excluded.name,
    runs = runs + excluded.runs,
    failures = failures + excluded.failures,
    timeouts = timeouts + excluded.timeouts,
    kills = kills + excluded.kills,
    queue_us = queue_us + excluded.queue_us,
    duration_us = duration_us + excluded.duration_us
"""  # noqa: S608 - names of ours
_REMOVE: Final = "DELETE FROM action_counts WHERE action_id = ?"
_SINCE: Final = "SELECT applied_at FROM schema_versions WHERE name = 'action_counts'"
_OF_AN_ORG: Final = f"SELECT {_COLUMNS} FROM action_counts WHERE org_id = ? ORDER BY action_id"  # noqa: S608


def add(connection: sqlite3.Connection, counts: Sequence[ActionCounts]) -> None:
    connection.executemany(_ADD, [each._asdict() for each in counts])


def remove(connection: sqlite3.Connection, action_ids: Sequence[str]) -> None:
    connection.executemany(_REMOVE, [(id_,) for id_ in action_ids])


def read(connection: sqlite3.Connection, org_id: str) -> CountedActions:
    (since,) = connection.execute(_SINCE).fetchone()
    found = connection.execute(_OF_AN_ORG, (org_id,))
    return CountedActions(since, [ActionCounts(*row) for row in found])
