"""Reads and writes Struct, Value and ListValue: JSON of any shape, as messages.

Follows google/protobuf/struct.proto. Most Values are text, which is looked for first.
Rule: levels are counted as protobuf's parsers count them: a Struct has three (itself, the entry of
its map, the Value in it), a ListValue two.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

from transcoder.codec.message_types import MessageReader
from transcoder.codec.scalars import (
    FLOAT_EXACT,
    Fault,
    expected,
    is_minus_zero,
    too_deep,
)

STRUCT: Final = "google.protobuf.Struct"
VALUE: Final = "google.protobuf.Value"
LIST_VALUE: Final = "google.protobuf.ListValue"

# --- messages as JSON ---


def struct_json(message: Struct) -> dict[str, object]:
    fields = message.fields
    written: dict[str, object] = {}
    for name in fields:
        value = fields[name]
        written[name] = value.string_value or value_json(value)
    return written


def list_value_json(message: ListValue) -> list[object]:
    return [value.string_value or value_json(value) for value in message.values[:]]


def value_json(message: Value) -> object:
    """Returns a Value as JSON; one without a kind is null."""
    kind = message.WhichOneof("kind")
    if kind == "string_value":
        return message.string_value
    if kind == "number_value":
        return _number_json(message.number_value)
    if kind == "bool_value":
        return message.bool_value
    if kind == "struct_value":
        return struct_json(message.struct_value)
    if kind == "list_value":
        return list_value_json(message.list_value)
    return None


def _number_json(number: float) -> float:
    if not math.isfinite(number):
        raise Fault(f"a Value that holds {number}")
    if number.is_integer() and abs(number) < FLOAT_EXACT and not is_minus_zero(number):
        return int(number)
    return number


# --- JSON as messages ---


def read_struct(message: Struct, value: object, depth: int) -> None:
    if not isinstance(value, dict):
        raise expected("an object", value)
    if depth < (3 if value else 1):
        raise too_deep()
    fields = message.fields
    for name, member in value.items():
        if type(member) is str:
            fields[name].string_value = member
        else:
            read_value(fields[name], member, depth - 2)


def read_list_value(message: ListValue, value: object, depth: int) -> None:
    if not isinstance(value, list):
        raise expected("an array", value)
    if depth < (2 if value else 1):
        raise too_deep()
    add = message.values.add
    for element in value:
        if type(element) is str:
            add().string_value = element
        else:
            read_value(add(), element, depth - 1)


def read_value(message: Value, value: object, depth: int) -> None:
    if depth < 1:
        raise too_deep()
    if isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int | float):
        message.number_value = value
    elif isinstance(value, dict):
        message.struct_value.SetInParent()
        read_struct(message.struct_value, value, depth - 1)
    elif isinstance(value, list):
        message.list_value.SetInParent()
        read_list_value(message.list_value, value, depth - 1)
    else:
        message.null_value = NULL_VALUE


class StructForm(NamedTuple):
    """Describes how one of the three types is read and written.

    Attributes:
        read: reads a JSON value into a message; raises Fault.
        write: writes a message; raises Fault.
    """

    read: MessageReader
    write: Callable[..., object]


STRUCT_FORMS: Final[Mapping[str, StructForm]] = {
    STRUCT: StructForm(read_struct, struct_json),
    VALUE: StructForm(read_value, value_json),
    LIST_VALUE: StructForm(read_list_value, list_value_json),
}
