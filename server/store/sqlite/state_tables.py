"""Loads and writes current states, and the owners of unique names, inside a transaction.

Knows the changes of events and not the events: a commit and a rebuild write the same rows.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from server.domain.aggregates import Key, Name, State
from server.domain.sealed import Sealed
from server.store.columns import row_changes
from server.store.forms import Row
from server.store.log import Writes
from server.store.sqlite.tables import DEPENDANTS, ROWS_MAX, TABLES, chunks

_NAME_OWNER: Final = "SELECT owner FROM names WHERE scope = ? AND org_id = ? AND name = ?"
_RELEASE_NAME: Final = "DELETE FROM names WHERE scope = ? AND org_id = ? AND name = ?"
_CLAIM_NAME: Final = "INSERT INTO names (scope, org_id, name, owner) VALUES (?, ?, ?, ?)"

_LAST_SEQUENCE: Final = "SELECT sequence FROM removed WHERE aggregate_type = ? AND aggregate_id = ?"
_ENDED: Final = (
    "INSERT OR REPLACE INTO removed (aggregate_type, aggregate_id, sequence) VALUES (?, ?, ?)"
)

_SET_CONTENT: Final = (
    "INSERT OR REPLACE INTO sealed_contents (id, key_id, content) VALUES (?, ?, ?)"
)
_DELETE_CONTENT: Final = "DELETE FROM sealed_contents WHERE id = ?"


def load_states(connection: sqlite3.Connection, keys: Iterable[Key]) -> Iterable[tuple[Key, State]]:
    """Yields the states of existing aggregates."""
    for kind, ids in _by_type(keys).items():
        table = TABLES[kind]
        for some in chunks(ids):
            for row in connection.execute(table.loads[len(some)], some):
                yield (kind, row[0]), table.to_state(row)


def load_dependants(
    connection: sqlite3.Connection, keys: Iterable[Key]
) -> Iterable[tuple[Key, State]]:
    """Yields the dependants of the aggregates (`aggregates.is_dependant`)."""
    for kind, id_ in keys:
        for dependant, statement in DEPENDANTS.get(kind, {}).items():
            for row in connection.execute(statement, (id_,)):
                yield (dependant, row[0]), TABLES[dependant].to_state(row)


def load_sequences(connection: sqlite3.Connection, keys: Iterable[Key]) -> dict[Key, int]:
    """Returns the sequence at which each aggregate ended; has no entry for those that never did."""
    return {
        key: sequence for key in keys for (sequence,) in connection.execute(_LAST_SEQUENCE, key)
    }


def load_owners(connection: sqlite3.Connection, names: Collection[Name]) -> dict[Name, str | None]:
    """Returns the owner of each name; None if it is free."""
    owners: dict[Name, str | None] = dict.fromkeys(names)
    for name in names:
        for (owner,) in connection.execute(_NAME_OWNER, name):
            owners[name] = owner
    return owners


def write(
    connection: sqlite3.Connection, before: Mapping[Key, State | None], writes: Writes
) -> None:
    """Writes names and states.

    Args:
        connection: in a transaction.
        before: the stored states.
        writes: what changed.
    """
    if writes.names_released:
        connection.executemany(_RELEASE_NAME, writes.names_released)
    if writes.names_claimed:
        claimed = [(*name, owner) for name, owner in writes.names_claimed.items()]
        connection.executemany(_CLAIM_NAME, claimed)
    _write_states(connection, before, writes.states)
    if writes.ended:
        connection.executemany(_ENDED, [(*key, last) for key, last in writes.ended.items()])
    if writes.sealed:
        _write_contents(connection, writes.sealed)


def insert(
    connection: sqlite3.Connection, statements: Mapping[int, str], rows: Sequence[Row]
) -> None:
    """Inserts all rows by few statements: each time the largest one that the rows fill."""
    start = 0
    while left := len(rows) - start:
        length = min(ROWS_MAX, 1 << (left.bit_length() - 1))
        part = rows[start : start + length]
        connection.execute(statements[length], [*chain.from_iterable(part)])
        start += length


def _write_states(
    connection: sqlite3.Connection,
    before: Mapping[Key, State | None],
    after: Mapping[Key, State | None],
) -> None:
    removed, changed, added = row_changes(TABLES, before, after)
    for kind, rows in removed.items():
        connection.executemany(TABLES[kind].delete, rows)
    for statement, rows in changed.items():
        connection.executemany(statement, rows)
    for kind, rows in added.items():
        insert(connection, TABLES[kind].inserts, rows)


def _write_contents(connection: sqlite3.Connection, contents: Mapping[str, Sealed | None]) -> None:
    for id_, sealed in contents.items():
        if sealed is None:
            connection.execute(_DELETE_CONTENT, (id_,))
        else:
            connection.execute(_SET_CONTENT, (id_, sealed.key_id, sealed.content))


def _by_type(keys: Iterable[Key]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for kind, id_ in keys:
        ids.setdefault(kind, []).append(id_)
    return ids
