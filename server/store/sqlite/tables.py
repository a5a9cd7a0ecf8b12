"""Describes the tables of current states, one for each kind of aggregate, and makes their SQL.

Their columns are those of `columns.StateTable`; `actions` also has the folded name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Final

from server.domain.action import Action
from server.domain.aggregates import State
from server.domain.events import RecordedEvent
from server.domain.flow import Flow
from server.domain.machine_key import MachineKey
from server.domain.names import fold
from server.domain.org import Member, Org
from server.domain.sealed import SealedValue
from server.domain.user import Token, User
from server.store.columns import StateTable
from server.store.sqlite import rows

ROWS_MAX: Final = 64
LENGTHS: Final = tuple(1 << bit for bit in range(ROWS_MAX.bit_length()))
"""Numbers of rows in a statement: few, so that all statements stay prepared, and small, as an old
SQLite accepts at most 999 values."""

MACHINE_IDS: Final = 2**16
"""Number of machine ids; they are claimed in turn."""


def select(name: str, kind: type[State], condition: str, *, of: str = "") -> str:
    """Returns a statement for rows of a state.

    Args:
        name: the table, or a join of tables.
        kind: of the states.
        condition: and what may follow it.
        of: the table of the states, if others are joined.
    """
    columns = ", ".join(f"{of}.{field.name}" if of else field.name for field in fields(kind))
    return f"SELECT {columns} FROM {name} WHERE {condition}"  # noqa: S608 - names of ours


def inserts(name: str, columns: Sequence[str]) -> Mapping[int, str]:
    """Returns statements by their number of rows; one statement for many rows is quicker.

    OR ROLLBACK, as every failure is followed by a rollback: so SQLite need not be able to undo one
    statement alone, for which it would keep a journal.
    """
    row = f"({', '.join('?' * len(columns))})"
    insert = f"INSERT OR ROLLBACK INTO {name} ({', '.join(columns)}) VALUES "  # noqa: S608
    return {length: insert + ", ".join([row] * length) for length in LENGTHS}


def chunks(ids: list[str]) -> Iterator[list[str | None]]:
    """Yields parts of the ids, each filled up with None to one of `LENGTHS`."""
    for start in range(0, len(ids), ROWS_MAX):
        part = ids[start : start + ROWS_MAX]
        length = 1 << (len(part) - 1).bit_length()
        yield [*part, *[None] * (length - len(part))]


class Table(StateTable[str]):
    """Makes the statements of one table, and its rows."""

    form_of = staticmethod(rows.form_of)

    @cached_property
    def loads(self) -> Mapping[int, str]:
        """Returns statements that select rows by 1, 2, 4, … `ROWS_MAX` ids; unused places are NULL.

        A statement with a JSON array would not do: json_each ends a text at its first NUL.
        """
        return {
            length: select(self.name, self.kind, f"id IN ({', '.join('?' * length)})")
            for length in LENGTHS
        }

    @cached_property
    def inserts(self) -> Mapping[int, str]:
        """Returns statements that insert 1, 2, 4, … `ROWS_MAX` rows."""
        return inserts(self.name, self.names)

    @cached_property
    def delete(self) -> str:
        """Returns the statement that deletes the row of an id."""
        return f"DELETE FROM {self.name} WHERE id = ?"  # noqa: S608 - names of ours

    def update_of(self, columns: Sequence[str]) -> str:
        changes = ", ".join(f"{column} = ?" for column in columns)
        return f"UPDATE OR ROLLBACK {self.name} SET {changes} WHERE position = ?"  # noqa: S608


TABLES: Final[Mapping[str, Table]] = {
    "action": Table("actions", Action, rows.action, computed={"folded_name": ("name", fold)}),
    "flow": Table("flows", Flow, rows.flow),
    "org": Table("orgs", Org, rows.org),
    "member": Table("members", Member, rows.member),
    "user": Table("users", User, rows.user),
    "token": Table("tokens", Token, rows.token),
    "machine_key": Table("machine_keys", MachineKey, rows.machine_key),
    "sealed": Table("sealed_values", SealedValue, rows.sealed),
}
"""By type of aggregate."""

BY_STATE: Final[Mapping[type[State], Table]] = {table.kind: table for table in TABLES.values()}

ORGS_OF_ACTIONS: Final[Mapping[int, str]] = {
    length: f"SELECT id, org_id FROM actions WHERE id IN ({', '.join('?' * length)})"  # noqa: S608
    for length in LENGTHS
}

DEPENDANTS: Final[Mapping[str, Mapping[str, str]]] = {
    "org": {"sealed": select("sealed_values", SealedValue, "org_id = ?")},
    "user": {
        "member": select("members", Member, "user_id = ?"),
        "token": select("tokens", Token, "user_id = ?"),
        "machine_key": select("machine_keys", MachineKey, "user_id = ?"),
    },
}
"""By type of the aggregate, then of its dependants: a statement that takes its id."""

_ITS_USERS: Final = "user_id IN (SELECT id FROM users WHERE org_id = :org_id)"
GOING_WITH_ORG: Final[Mapping[str, str]] = {
    "sealed": "FROM sealed_values WHERE org_id = :org_id",
    "action": "FROM actions WHERE org_id = :org_id",
    "token": f"FROM tokens WHERE {_ITS_USERS}",
    "machine_key": f"FROM machine_keys WHERE {_ITS_USERS}",
    "member": f"FROM members WHERE org_id = :org_id OR {_ITS_USERS}",
    "user": "FROM users WHERE org_id = :org_id",
}
"""The aggregates that are purged with the organisation `:org_id`, by type, in the order of purging:
users are last, as tokens, keys and memberships are found by them."""

_IS_LEFT: Final = " OR ".join(
    f"EXISTS (SELECT 1 {those.replace(':org_id', 'removed.aggregate_id')})"
    for those in GOING_WITH_ORG.values()
)
ENDED_ORGS: Final = (
    # CROSS: otherwise SQLite would scan the first events of all aggregates.
    "SELECT aggregate_id, created_at FROM removed "  # noqa: S608 - names of ours
    "CROSS JOIN events USING (aggregate_type, aggregate_id) "
    f"WHERE aggregate_type = 'org' AND events.sequence = 1 AND ({_IS_LEFT}) ORDER BY position"
)

INSERT_EVENTS: Final = inserts("events", RecordedEvent._fields)
_SELECT_EVENT: Final = f"SELECT {', '.join(RecordedEvent._fields)} FROM events"  # noqa: S608
SELECT_EVENTS: Final = f"{_SELECT_EVENT} WHERE position > ? ORDER BY position LIMIT ?"
_SEQUENCES: Final = (
    "WITH RECURSIVE sequences(sequence) AS "
    "(SELECT ? UNION ALL SELECT sequence - 1 FROM sequences WHERE sequence > ?)"
)
"""The sequences from the last to the first, in this order: the index of events begins with the
sequence, so each is looked up by itself."""
SELECT_EVENT: Final = (
    f"{_SELECT_EVENT} WHERE sequence = ? AND aggregate_id = ? AND aggregate_type = ?"
)


def events_of(types: int) -> str:
    """Returns a statement for events of one aggregate, the newest first.

    Takes the last and the first sequence, the id, the type, as many types of events as given here,
    and a limit. CROSS keeps the order of the sequences.
    """
    return (
        f"{_SEQUENCES} SELECT {', '.join(RecordedEvent._fields)} "  # noqa: S608 - names of ours
        "FROM sequences CROSS JOIN events USING (sequence) "
        f"WHERE aggregate_id = ? AND aggregate_type = ? AND type IN ({', '.join('?' * types)}) "
        "LIMIT ?"
    )
