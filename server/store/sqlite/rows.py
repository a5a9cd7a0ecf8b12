"""Makes states and events of rows, and rows of events.

Knows the order of fields, which is that of columns, and no SQL.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import orjson

from server.domain.action import Action, ActionState
from server.domain.events import RecordedEvent
from server.domain.flow import ActionsByTrigger, Flow
from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.store.errors import StorageError
from server.triggers import FlowType

Row: TypeAlias = Sequence[Any]
"""A row, as sqlite3 types it."""

_STATES: Final = {state.value: state for state in ActionState}
_NO_PAYLOAD: Final = "{}"


def action(row: Row) -> Action:
    id_, org_id, state, name, script, timeout_ns, allowed_to_fail, *rest = row
    known = _STATES.get(state, ActionState.UNSPECIFIED)
    return Action(id_, org_id, known, name, script, timeout_ns, allowed_to_fail == 1, *rest)


def flow(row: Row) -> Flow:
    id_, org_id, type_, triggers, last_set, *rest = row
    with _readable("flows", id_):
        runs = _by_trigger(triggers)
        # Mostly the same, and then the same object: each list of ids is held once.
        was_set = runs if last_set == triggers else _by_trigger(last_set)
        return Flow(id_, org_id, FlowType(type_), runs, was_set, *rest)


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


def event(row: Row) -> RecordedEvent:
    position, org_id, kind, aggregate_id, sequence, type_, payload, editor, created_at = row
    with _readable("events", position):
        body = orjson.loads(payload)
    return RecordedEvent(
        position, org_id, kind, aggregate_id, sequence, type_, body, editor, created_at
    )


def event_row(event: RecordedEvent) -> Row:
    position, org_id, kind, aggregate_id, sequence, type_, payload, editor, created_at = event
    text = json_text(payload) if payload else _NO_PAYLOAD
    return (position, org_id, kind, aggregate_id, sequence, type_, text, editor, created_at)


def json_text(value: object) -> str:
    return orjson.dumps(value).decode()


def _by_trigger(text: str) -> ActionsByTrigger:
    return tuple((trigger, tuple(ids)) for trigger, ids in orjson.loads(text))


@contextlib.contextmanager
def _readable(table: str, key: object) -> Iterator[None]:
    """Raises StorageError, which names the row, if it is not as this program writes rows."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise StorageError(f"table {table}: the row {key!r} cannot be read") from error
