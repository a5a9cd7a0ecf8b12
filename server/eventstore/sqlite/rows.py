"""One table for each kind of aggregate: its statements, and rows to states and back.

The columns of a table are the fields of its state, by the same names; that of actions has one
more, the folded name.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

import orjson

from server.domain.action import Action, ActionState
from server.domain.aggregates import State
from server.domain.events import RecordedEvent
from server.domain.flow import ActionsByTrigger, Flow, FlowType
from server.domain.names import fold
from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.eventstore.contract import StorageError

Row: TypeAlias = Sequence[Any]
"""As sqlite3 types what it gives."""

ROWS_MAX: Final = 64
LENGTHS: Final = tuple(1 << bit for bit in range(ROWS_MAX.bit_length()))
"""Of statements for many rows: few enough that each stays prepared, and none with as many values
as an old SQLite refuses (999)."""

MACHINE_IDS: Final = 2**16
"""Number of machine ids; they are claimed in turn."""

_NEVER_CHANGED: Final = {"position", "id", "org_id", "user_id", "created_at"}


@dataclass(frozen=True, slots=True)
class Table:
    """The statements of one table.

    Attributes:
        loads: for 1, 2, 4, … `ROWS_MAX` ids; NULL stands for none. (Not a JSON array in one
            statement: json_each ends a text at its first NUL character.)
        upserts: of 1, 2, 4, … `ROWS_MAX` rows.
        delete: is given one id.
    """

    loads: Mapping[int, str]
    upserts: Mapping[int, str]
    delete: str
    to_state: Callable[[Row], State]


def action(row: Row) -> Action:
    id_, org_id, state, name, script, timeout_ns, allowed_to_fail, *rest = row
    known = _STATES.get(state, ActionState.UNSPECIFIED)
    return Action(id_, org_id, known, name, script, timeout_ns, allowed_to_fail == 1, *rest)


@contextlib.contextmanager
def _readable(table: str, key: object) -> Iterator[None]:
    """A row that is not what this program writes is a StorageError that names it."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise StorageError(f"table {table}: the row {key!r} cannot be read") from error


def flow(row: Row) -> Flow:
    id_, org_id, type_, triggers, last_set, *rest = row
    with _readable("flows", id_):
        runs = _by_trigger(triggers)
        # Mostly the same, and then the same object: each list of ids is held once.
        was_set = runs if last_set == triggers else _by_trigger(last_set)
        return Flow(id_, org_id, FlowType(type_), runs, was_set, *rest)


def _by_trigger(text: str) -> ActionsByTrigger:
    return tuple((trigger, tuple(ids)) for trigger, ids in orjson.loads(text))


def org(row: Row) -> Org:
    return Org(*row)


def member(row: Row) -> Member:
    id_, org_id, user_id, roles, *rest = row
    with _readable("members", id_):
        return Member(id_, org_id, user_id, tuple(orjson.loads(roles)), *rest)


def user(row: Row) -> User:
    return User(*row)


def token(row: Row) -> Token:
    return Token(*row)


def state_row(state: State) -> Row:
    if isinstance(state, Action):
        return (
            state.id,
            state.org_id,
            state.state.value,
            state.name,
            state.script,
            state.timeout_ns,
            1 if state.allowed_to_fail else 0,
            state.sequence,
            state.created_at,
            state.changed_at,
            state.position,
            fold(state.name),
        )
    values = {field.name: getattr(state, field.name) for field in fields(state)}
    if isinstance(state, Member):
        values["roles"] = orjson.dumps(state.roles).decode()
    if isinstance(state, Flow):
        values["triggers"] = orjson.dumps(state.triggers).decode()
        values["last_set"] = orjson.dumps(state.last_set).decode()
    return [*values.values()]


def is_moved(before: State | None, after: State) -> bool:
    """Whether nothing changed but whether an action is active: `MOVES` writes no more than that."""
    return (
        isinstance(before, Action)
        and isinstance(after, Action)
        and before.name == after.name
        and before.script == after.script
        and before.timeout_ns == after.timeout_ns
        and before.allowed_to_fail == after.allowed_to_fail
    )


def select(name: str, kind: type[State], condition: str) -> str:
    columns = ", ".join(field.name for field in fields(kind))
    return f"SELECT {columns} FROM {name} WHERE {condition}"  # noqa: S608 - names of ours


def _table(
    name: str, kind: type[State], to_state: Callable[[Row], State], *more_columns: str
) -> Table:
    columns = [*(field.name for field in fields(kind)), *more_columns]
    changes = [
        f"{column} = excluded.{column}" for column in columns if column not in _NEVER_CHANGED
    ]
    upserts = inserts(name, columns)
    return Table(
        loads={
            length: select(name, kind, f"id IN ({', '.join('?' * length)})") for length in LENGTHS
        },
        upserts={
            length: f"{insert} ON CONFLICT (position) DO UPDATE SET {', '.join(changes)}"
            for length, insert in upserts.items()
        },
        delete=f"DELETE FROM {name} WHERE id = ?",  # noqa: S608 - names of ours
        to_state=to_state,
    )


def inserts(name: str, columns: Sequence[str]) -> Mapping[int, str]:
    """One statement for many rows: quicker than one a row, and it lets go of the GIL only once.

    OR ROLLBACK, as nothing less would do after a failure: any other way keeps a journal.
    """
    row = f"({', '.join('?' * len(columns))})"
    insert = f"INSERT OR ROLLBACK INTO {name} ({', '.join(columns)}) VALUES "  # noqa: S608
    return {length: insert + ", ".join([row] * length) for length in LENGTHS}


def chunks(ids: list[str]) -> Iterator[list[str | None]]:
    """Parts whose length is one of `LENGTHS`, filled up with None."""
    for start in range(0, len(ids), ROWS_MAX):
        part = ids[start : start + ROWS_MAX]
        length = 1 << (len(part) - 1).bit_length()
        yield [*part, *[None] * (length - len(part))]


_STATES: Final = {state.value: state for state in ActionState}

TABLES: Final[dict[str, Table]] = {
    "action": _table("actions", Action, action, "folded_name"),
    "flow": _table("flows", Flow, flow),
    "org": _table("orgs", Org, org),
    "member": _table("members", Member, member),
    "user": _table("users", User, user),
    "token": _table("tokens", Token, token),
}

MOVES: Final = (
    "UPDATE OR ROLLBACK actions SET state = ?, sequence = ?, changed_at = ? WHERE position = ?"
)
"""An upsert would write the script and every index anew, since it names each column."""

ORGS_OF_ACTIONS: Final[Mapping[int, str]] = {
    length: f"SELECT id, org_id FROM actions WHERE id IN ({', '.join('?' * length)})"  # noqa: S608
    for length in LENGTHS
}

DEPENDANTS: Final[Mapping[str, Mapping[str, str]]] = {
    "user": {
        "member": select("members", Member, "user_id = ?"),
        "token": select("tokens", Token, "user_id = ?"),
    }
}
"""By type of the aggregate, and by that of its dependants: a statement that is given its id."""

_ITS_USERS: Final = "user_id IN (SELECT id FROM users WHERE org_id = :org_id)"
GOING_WITH_ORG: Final[Mapping[str, str]] = {
    "action": "FROM actions WHERE org_id = :org_id",
    "token": f"FROM tokens WHERE {_ITS_USERS}",
    "member": f"FROM members WHERE org_id = :org_id OR {_ITS_USERS}",
    "user": "FROM users WHERE org_id = :org_id",
}
"""What goes with the organisation `:org_id`, by type, in the order in which it is cleared away:
users last, as it is by them that the rest is found."""

_IS_LEFT: Final = " OR ".join(
    f"EXISTS (SELECT 1 {those.replace(':org_id', 'removed.aggregate_id')})"
    for those in GOING_WITH_ORG.values()
)
ENDED_ORGS: Final = (
    # CROSS, as SQLite would else look at the first event of whatever there is.
    "SELECT aggregate_id, created_at FROM removed "  # noqa: S608 - names of ours
    "CROSS JOIN events USING (aggregate_type, aggregate_id) "
    f"WHERE aggregate_type = 'org' AND events.sequence = 1 AND ({_IS_LEFT}) ORDER BY position"
)

INSERT_EVENTS: Final = inserts("events", RecordedEvent._fields)
SELECT_EVENTS: Final = (
    f"SELECT {', '.join(RecordedEvent._fields)} FROM events "  # noqa: S608 - names of ours
    "WHERE position > ? ORDER BY position LIMIT ?"
)


def move_row(action: Action) -> Row:
    return (action.state.value, action.sequence, action.changed_at, action.position)


_NO_PAYLOAD: Final = "{}"


def event_row(event: RecordedEvent) -> Row:
    position, org_id, kind, aggregate_id, sequence, type_, payload, editor, created_at = event
    text = orjson.dumps(payload).decode() if payload else _NO_PAYLOAD
    return (position, org_id, kind, aggregate_id, sequence, type_, text, editor, created_at)


def event(row: Row) -> RecordedEvent:
    position, org_id, kind, aggregate_id, sequence, type_, payload, editor, created_at = row
    with _readable("events", position):
        body = orjson.loads(payload)
    return RecordedEvent(
        position, org_id, kind, aggregate_id, sequence, type_, body, editor, created_at
    )
