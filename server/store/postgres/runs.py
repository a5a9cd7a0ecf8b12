"""Appends, reads and deletes runs by SQL.

Runs are deleted a few at a time, oldest first: first expired ones of all organisations, then those
of the organisation with most bytes, until the log is small enough. The order of runs is that of
their positions: their times depend on the clock.
"""

from collections.abc import Sequence
from typing import Final

from server.store.postgres.connect import Connection
from server.store.postgres.tables import insert
from server.store.runs import LoggedRun, RunsPage, RunsQuery

PRUNED_MIN: Final = 100
"""Max runs deleted in one transaction, plus two for each run that is added."""

_POSITION_MAX: Final = 2**63 - 1
_READ_ROWS: Final = 32
"""Runs read at a time; a page ends by its bytes, too."""

_LAST: Final = "SELECT coalesce(max(position), 0) FROM runs"
_INSERT: Final = insert(
    "runs",
    *zip(
        ("position", "bigint"),
        ("org_id", "text"),
        ("started_at", "bigint"),
        ("flow_type", "bigint"),
        ("trigger_type", "bigint"),
        ("has_failed", "boolean"),
        ("size", "bigint"),
        ("content", "bytea"),
        strict=True,
    ),
).at(1)
_INSERT_ACTIONS: Final = (
    insert(
        "run_actions",
        ("org_id", "action_id", "position", "has_failed"),
        ("text", "text", "bigint", "boolean"),
    ).at(1)
    + " ON CONFLICT DO NOTHING"
)
_OLDEST_AT: Final = "SELECT min(started_at) FROM runs"
_OLD: Final = "SELECT position FROM runs WHERE started_at < $1 ORDER BY started_at LIMIT $2"
_AHEAD: Final = "SELECT position FROM runs WHERE started_at > $1 AND position < $2 LIMIT $3"
"""Runs with a time in the future and a position before another run: the clock was ahead."""
_TOTAL: Final = "SELECT coalesce(sum(size), 0)::bigint FROM run_totals"
_LARGEST: Final = "SELECT org_id FROM run_totals ORDER BY size DESC LIMIT 1"
_OLDEST_OF: Final = "SELECT position, size FROM runs WHERE org_id = $1 ORDER BY position LIMIT $2"
_DELETE: Final = "DELETE FROM runs WHERE position = ANY($1::bigint[])"

_OF_AN_ORG: Final = "SELECT position, content FROM runs WHERE org_id = $1 AND position < $2"
_OF_AN_ACTION: Final = """
SELECT position, content FROM run_actions AS ran JOIN runs USING (position)
WHERE ran.org_id = $1 AND position < $2 AND ran.action_id = $3
"""


async def append(connection: Connection, runs: Sequence[LoggedRun]) -> None:
    last = await connection.fetchval(_LAST)
    logged = [
        (
            position,
            run.org_id,
            run.started_at,
            run.flow_type,
            run.trigger_type,
            run.has_failed,
            run.size,
            run.content,
        )
        for position, run in enumerate(runs, last + 1)
    ]
    actions = [
        (run.org_id, action_id, position, failed)
        for position, run in enumerate(runs, last + 1)
        for action_id, failed in run.actions
    ]
    if logged:
        await connection.execute(_INSERT, *map(list, zip(*logged, strict=True)))
    if actions:
        await connection.execute(_INSERT_ACTIONS, *map(list, zip(*actions, strict=True)))


async def oldest_at(connection: Connection) -> int | None:
    oldest: int | None = await connection.fetchval(_OLDEST_AT)
    return oldest


async def prune(
    connection: Connection, *, since: int, now: int, max_bytes: int, rows_max: int
) -> bool:
    """Deletes up to `rows_max` runs that are expired or too much; True if more may be left."""
    old = [row[0] for row in await connection.fetch(_OLD, since, rows_max)]
    if old:
        found = await connection.fetch(_AHEAD, max(now, since), max(old), rows_max)
        go = [*(row[0] for row in found), *old][:rows_max]
        # Expired ones last: the next call finds the others by them.
        await connection.execute(_DELETE, go)
        rows_max -= len(go)
    total = await connection.fetchval(_TOTAL)
    while total > max_bytes and rows_max > 0:
        org_id = await connection.fetchval(_LARGEST)
        # A few at a time: then another organisation may have most.
        go = []
        for position, size in await connection.fetch(_OLDEST_OF, org_id, min(rows_max, PRUNED_MIN)):
            go.append(position)
            total -= size
            if total <= max_bytes:
                break
        await connection.execute(_DELETE, go)
        rows_max -= len(go)
    return rows_max <= 0


async def read_page(connection: Connection, org_id: str, query: RunsQuery) -> RunsPage:
    sql = _OF_AN_ACTION if query.action_id else _OF_AN_ORG
    values: list[object] = [org_id, query.before or _POSITION_MAX]
    if query.action_id:
        values.append(query.action_id)
    for condition, value in (
        ("started_at >=", query.since),
        ("flow_type =", query.flow_type),
        ("trigger_type =", query.trigger_type),
    ):
        if value:
            values.append(value)
            sql += f" AND {condition} ${len(values)}"
    if query.only_failed:
        sql += f" AND {'ran' if query.action_id else 'runs'}.has_failed"
    contents: list[bytes] = []
    last, left = 0, query.max_bytes
    async with connection.transaction(readonly=True):
        cursor = connection.cursor(
            f"{sql} ORDER BY position DESC LIMIT {query.limit + 1}", *values, prefetch=_READ_ROWS
        )
        async for position, content in cursor:
            if contents and (len(contents) == query.limit or len(content) > left):
                return RunsPage(contents, last)
            contents.append(content)
            left -= len(content)
            last = position
    return RunsPage(contents, 0)
