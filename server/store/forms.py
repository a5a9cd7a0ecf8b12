"""Makes states and events of rows, and rows of events, by the types of their fields.

Knows the order of fields, which is that of columns, and no SQL. An engine says in which form its
database holds a field.
Rule: a field is read and written by its type. The program does not start if a field has a type that
is not in the forms of an engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, get_type_hints

import orjson

from server.domain.action import ActionState
from server.domain.aggregates import State
from server.domain.events import RecordedEvent
from server.domain.flow import ActionsByTrigger
from server.store.errors import StorageError
from server.triggers import FlowType

Row: TypeAlias = Sequence[Any]
"""A row, as the driver types it."""

StateT = TypeVar("StateT", bound=State)

_STATES: Final = {state.value: state for state in ActionState}
_NO_PAYLOAD: Final = "{}"


def json_text(value: object) -> str:
    return orjson.dumps(value).decode()


def _action_state(number: int) -> ActionState:
    return _STATES.get(number, ActionState.UNSPECIFIED)


def _texts(text: str) -> tuple[str, ...]:
    return tuple(orjson.loads(text))


# The two lists of a flow are mostly equal: the cache makes them one object, which saves memory.
@lru_cache(maxsize=1)
def _by_trigger(text: str) -> ActionsByTrigger:
    return tuple((trigger, tuple(ids)) for trigger, ids in orjson.loads(text))


class Form(NamedTuple):
    """Describes how a database holds the values of a field.

    Attributes:
        decode: makes a value of the stored one; None if they are the same.
        encode: makes the stored value; None if they are the same.
        attribute: the attribute of the value that is stored; empty for the value itself.
    """

    decode: Callable[[Any], object] | None = None
    encode: Callable[[Any], object] | None = None
    attribute: str = ""


AS_IS: Final = Form()
COMMON: Final[Mapping[object, Form]] = {
    int: AS_IS,
    bytes: AS_IS,
    int | None: AS_IS,
    ActionState: Form(_action_state, attribute="value"),
    FlowType: Form(FlowType, attribute="value"),
    tuple[str, ...]: Form(_texts, json_text),
    ActionsByTrigger: Form(_by_trigger, json_text),
}
"""The forms that all engines share, by type of field."""

FormOf: TypeAlias = Callable[[str, object], Form | None]
"""Takes the name and the type of a field; returns None if the engine has no form for it."""


def forms_of(kind: type[StateT], form_of: FormOf) -> Mapping[str, Form]:
    """Returns the form of each field, in their order.

    Raises:
        TypeError: the type of a field has none.
    """
    forms = {}
    types = get_type_hints(kind)
    for field in fields(kind):
        type_ = types[field.name]
        form = form_of(field.name, type_)
        if form is None:
            name = f"{kind.__name__}.{field.name}"
            expected = f"a type in FORMS of {form_of.__module__}"
            raise TypeError(f"{name}: expected {expected}, got {type_}; add it")
        forms[field.name] = form
    return forms


def decoder(kind: type[StateT], form_of: FormOf, *, table: str) -> Callable[[Row], StateT]:
    """Returns a function that makes a state of a row; it raises StorageError."""
    decoders = [
        (index, form.decode)
        for index, form in enumerate(forms_of(kind, form_of).values())
        if form.decode is not None
    ]

    if not decoders:
        return lambda row: kind(*row)

    def decoded(row: Row) -> StateT:
        values = [*row]
        try:
            for index, decode in decoders:
                values[index] = decode(values[index])
        except (TypeError, ValueError) as error:
            raise _unreadable(table, row[0]) from error
        return kind(*values)

    return decoded


def event(row: Row) -> RecordedEvent:
    position, org_id, kind, aggregate_id, sequence, type_, payload, editor, created_at = row
    try:
        body = orjson.loads(payload)
    except (TypeError, ValueError) as error:
        raise _unreadable("events", position) from error
    return RecordedEvent(
        position, org_id, kind, aggregate_id, sequence, type_, body, editor, created_at
    )


def event_row(event: RecordedEvent) -> Row:
    position, org_id, kind, aggregate_id, sequence, type_, payload, editor, created_at = event
    text = json_text(payload) if payload else _NO_PAYLOAD
    return (position, org_id, kind, aggregate_id, sequence, type_, text, editor, created_at)


def _unreadable(table: str, key: object) -> StorageError:
    """Returns the error for a row that is not as this program writes rows."""
    return StorageError(f"table {table}: the row {key!r} cannot be read")
