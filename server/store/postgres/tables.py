"""Describes the tables of current states, one for each kind of aggregate, and makes their SQL.

A statement takes an array for each column, so that its text does not depend on the number of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any, Final, NamedTuple, get_type_hints

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
from server.store.postgres import rows


class Part(NamedTuple):
    """A statement for many rows, which other ones can be put beside.

    Attributes:
        sql: with `{}` for the rows: "unnest($1::bigint[], …)".
        types: the SQL type of each column of the rows.
    """

    sql: str
    types: tuple[str, ...]

    def at(self, first: int) -> str:
        """Returns the SQL with parameters from the number `first`."""
        arrays = (f"${number}::{type_}[]" for number, type_ in enumerate(self.types, first))
        return self.sql.format(f"unnest({', '.join(arrays)})")


def columns(kind: type[State], *, of: str = "") -> str:
    """Returns the columns of a state, in the order of its fields, for a SELECT."""
    return ", ".join(f"{of}.{field.name}" if of else field.name for field in fields(kind))


def select(name: str, kind: type[State], condition: str, *, of: str = "") -> str:
    """Returns a statement for rows of a state.

    Args:
        name: the table, or a join of tables.
        kind: of the states.
        condition: and what may follow it.
        of: the table of the states, if others are joined.
    """
    return f"SELECT {columns(kind, of=of)} FROM {name} WHERE {condition}"  # noqa: S608 - ours


def insert(name: str, names: Sequence[str], types: Sequence[str]) -> Part:
    into = f"INSERT INTO {name} ({', '.join(names)})"
    return Part(f"{into} SELECT * FROM {{}}", tuple(types))  # noqa: S608 - names of ours


class Table(StateTable[Part]):
    """Makes the statements of one table, and its rows."""

    form_of = staticmethod(rows.form_of)

    @cached_property
    def insert(self) -> Part:
        """Returns the statement that inserts rows."""
        return insert(self.name, self.names, [self._types[name] for name in self.names])

    @cached_property
    def delete(self) -> Part:
        """Returns the statement that deletes the rows of ids."""
        delete = f"DELETE FROM {self.name} AS held USING {{}} AS gone(id)"  # noqa: S608 - ours
        return Part(f"{delete} WHERE held.id = gone.id", ("text",))

    @cached_property
    def _types(self) -> Mapping[str, str]:
        """Returns the SQL types of all columns; computed ones are bytea."""
        hints = get_type_hints(self.kind)
        return {
            name: rows.sql_type(name, hints[name]) if name in hints else "bytea"
            for name in self.names
        }

    def update_of(self, columns: Sequence[str]) -> Part:
        changes = ", ".join(f"{name} = new.{name}" for name in columns)
        sql = (
            f"UPDATE {self.name} AS held SET {changes} "  # noqa: S608 - names of ours
            f"FROM {{}} AS new({', '.join(columns)}, position) WHERE held.position = new.position"
        )
        return Part(sql, (*(self._types[name] for name in columns), "bigint"))


def _folded(name: str) -> bytes:
    return fold(name).encode()


TABLES: Final[Mapping[str, Table]] = {
    "action": Table("actions", Action, rows.action, computed={"folded_name": ("name", _folded)}),
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

DEPENDANTS: Final[Mapping[str, Mapping[str, str]]] = {
    "org": {"sealed": "org_id"},
    "user": {"member": "user_id", "token": "user_id", "machine_key": "user_id"},
}
"""By type of the aggregate, then of its dependants: the column that has its id."""

_ITS_USERS: Final = "user_id IN (SELECT id FROM users WHERE org_id = {0})"
_GOING_WITH_ORG: Final[Mapping[str, str]] = {
    "sealed": "FROM sealed_values WHERE org_id = {0}",
    "action": "FROM actions WHERE org_id = {0}",
    "token": f"FROM tokens WHERE {_ITS_USERS}",
    "machine_key": f"FROM machine_keys WHERE {_ITS_USERS}",
    "member": f"FROM members WHERE org_id = {{0}} OR {_ITS_USERS}",
    "user": "FROM users WHERE org_id = {0}",
}
GOING_WITH_ORG: Final[Mapping[str, str]] = {
    kind: those.format("$1") for kind, those in _GOING_WITH_ORG.items()
}
"""The aggregates that are purged with the organisation `$1`, by type, in the order of purging:
users are last, as tokens, keys and memberships are found by them."""

_IS_LEFT: Final = " OR ".join(
    f"EXISTS (SELECT 1 {those.format('removed.aggregate_id')})"
    for those in _GOING_WITH_ORG.values()
)
ENDED_ORGS: Final = (
    "SELECT aggregate_id, created_at FROM removed "  # noqa: S608 - names of ours
    "JOIN events USING (aggregate_type, aggregate_id) "
    f"WHERE aggregate_type = 'org' AND events.sequence = 1 AND ({_IS_LEFT}) ORDER BY position"
)

_EVENT_TYPES: Final[Mapping[Any, str]] = {int: "bigint"}
INSERT_EVENTS: Final = insert(
    "events",
    RecordedEvent._fields,
    [_EVENT_TYPES.get(type_, "text") for type_ in get_type_hints(RecordedEvent).values()],
)
_SELECT_EVENT: Final = f"SELECT {', '.join(RecordedEvent._fields)} FROM events"  # noqa: S608
SELECT_EVENTS: Final = f"{_SELECT_EVENT} WHERE position > $1 ORDER BY position LIMIT $2"
EVENTS_OF: Final = (
    f"{_SELECT_EVENT} WHERE aggregate_type = $1 AND aggregate_id = $2 "
    "AND sequence BETWEEN $3 AND $4 AND type = ANY($5::text[]) ORDER BY sequence DESC LIMIT $6"
)
STORED_EVENTS: Final = (
    f"{_SELECT_EVENT} JOIN unnest($1::text[], $2::text[], $3::bigint[]) "
    "AS asked(aggregate_type, aggregate_id, sequence) "
    "USING (aggregate_type, aggregate_id, sequence)"
)
