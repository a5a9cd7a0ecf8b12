"""Appends, reads and deletes runs by SQL.

Runs are deleted a few at a time, oldest first: first expired ones of all organisations, then those
of the organisation with most bytes, until the log is small enough. The order of runs is that of
their positions: their times depend on the clock.
"""

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from server.store.runs import LoggedRun, RunsPage, RunsQuery

if TYPE_CHECKING:
    from server.store.forms import Row

PRUNED_MIN: Final = 100
"""Max runs deleted in one transaction, plus two for each run that is added."""

_POSITION_MAX: Final = 2**63 - 1

_LAST: Final = "SELECT coalesce(max(position), 0) FROM runs"
_INSERT: Final = """
INSERT INTO runs
    (position, org_id, started_at, flow_type, trigger_type, has_failed, size, content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_ACTION: Final = """
INSERT OR IGNORE INTO run_actions (org_id, action_id, position, has_failed) VALUES (?, ?, ?, ?)
"""
_OLDEST_AT: Final = "SELECT min(started_at) FROM runs"
_OLD: Final = "SELECT position FROM runs WHERE started_at < ? ORDER BY started_at LIMIT ?"
_AHEAD: Final = "SELECT position FROM runs WHERE started_at > ? AND position < ? LIMIT ?"
"""Runs with a time in the future and a position before another run: the clock was ahead."""
_TOTAL: Final = "SELECT coalesce(sum(size), 0) FROM run_totals"
_LARGEST: Final = "SELECT org_id FROM run_totals ORDER BY size DESC LIMIT 1"
_OLDEST_OF: Final = "SELECT position, size FROM runs WHERE org_id = ? ORDER BY position LIMIT ?"
_DELETE: Final = "DELETE FROM runs WHERE position = ?"

_OF_AN_ORG: Final = "SELECT position, content FROM runs WHERE org_id = ? AND position < ?"
_OF_AN_ACTION: Final = """
SELECT position, content FROM run_actions AS ran JOIN runs USING (position)
WHERE ran.org_id = ? AND position < ? AND ran.action_id = ?
"""


def append(connection: sqlite3.Connection, runs: Sequence[LoggedRun]) -> None:
    (last,) = connection.execute(_LAST).fetchone()
    rows: list[Row] = []
    actions: list[Row] = []
    for position, run in enumerate(runs, last + 1):
        rows.append(
            (
                position,
                run.org_id,
                run.started_at,
                run.flow_type,
                run.trigger_type,
                int(run.has_failed),
                run.size,
                run.content,
            )
        )
        actions += ((run.org_id, id, position, int(failed)) for id, failed in run.actions)
    connection.executemany(_INSERT, rows)
    connection.executemany(_INSERT_ACTION, actions)


def oldest_at(connection: sqlite3.Connection) -> int | None:
    (oldest,) = connection.execute(_OLDEST_AT).fetchone()
    return None if oldest is None else int(oldest)


def prune(
    connection: sqlite3.Connection, *, since: int, now: int, max_bytes: int, rows_max: int
) -> bool:
    """Deletes up to `rows_max` runs that are expired or too much; True if more may be left."""
    old = connection.execute(_OLD, (since, rows_max)).fetchall()
    if old:
        last = max(position for (position,) in old)
        ahead = connection.execute(_AHEAD, (max(now, since), last, rows_max)).fetchall()
        go = (ahead + old)[:rows_max]  # expired ones last: the next call finds the others by them
        connection.executemany(_DELETE, go)
        rows_max -= len(go)
    (total,) = connection.execute(_TOTAL).fetchone()
    while total > max_bytes and rows_max > 0:
        (org_id,) = connection.execute(_LARGEST).fetchone()
        # A few at a time: then another organisation may have most.
        some = min(rows_max, PRUNED_MIN)
        for position, size in connection.execute(_OLDEST_OF, (org_id, some)).fetchall():
            connection.execute(_DELETE, (position,))
            total -= size
            rows_max -= 1
            if total <= max_bytes:
                break
    return rows_max <= 0


def read_page(connection: sqlite3.Connection, org_id: str, query: RunsQuery) -> RunsPage:
    sql = _OF_AN_ACTION if query.action_id else _OF_AN_ORG
    values: list[object] = [org_id, query.before or _POSITION_MAX]
    if query.action_id:
        values.append(query.action_id)
    for condition, value in (
        ("started_at >= ?", query.since),
        ("flow_type = ?", query.flow_type),
        ("trigger_type = ?", query.trigger_type),
    ):
        if value:
            sql += f" AND {condition}"
            values.append(value)
    if query.only_failed:
        sql += f" AND {'ran' if query.action_id else 'runs'}.has_failed"
    found = connection.execute(f"{sql} ORDER BY position DESC", values)
    contents: list[bytes] = []
    last, left = 0, query.max_bytes
    for position, content in found:
        if contents and (len(contents) == query.limit or len(content) > left):
            found.close()
            return RunsPage(contents, last)
        contents.append(content)
        left -= len(content)
        last = position
    return RunsPage(contents, 0)
