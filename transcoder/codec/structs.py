"""Reads and writes Struct, Value and ListValue: JSON of any shape, as messages.

Follows google/protobuf/struct.proto. JSON is written in protobuf's binary form, which protobuf then
parses: filling the messages one by one takes nearly twice as long.
Rule: levels are counted as protobuf's parsers count them, since they parse the result: a Struct has
three (itself, the entry of its map, the Value in it), a ListValue two.
"""

import math
import struct
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value

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

_SHORT: Final = 128
"""A length below this is one byte as a varint."""


def _heads(tag: int) -> tuple[bytes, ...]:
    """Returns a field's tag followed by a length, for each length below `_SHORT`."""
    return tuple(bytes((tag, length)) for length in range(_SHORT))


# The field numbers of struct.proto and their wire types, as tags.
_ENTRY_HEADS: Final = _heads(0x0A)
_KEY_HEADS: Final = _heads(0x0A)
_ENTRY_VALUE_HEADS: Final = _heads(0x12)
_ELEMENT_HEADS: Final = _heads(0x0A)
_STRING_HEADS: Final = _heads(0x1A)
_STRUCT_HEADS: Final = _heads(0x2A)
_LIST_HEADS: Final = _heads(0x32)
_NULL_FIELD: Final = b"\x08\x00"
_NUMBER: Final = b"\x11"
_TRUE, _FALSE = b"\x20\x01", b"\x20\x00"
_DOUBLE: Final = struct.Struct("<d")


# --- messages as JSON ---


def struct_json(message: Struct) -> dict[str, object]:
    return {name: value_json(value) for name, value in message.fields.items()}


def list_value_json(message: ListValue) -> list[object]:
    return [value_json(value) for value in message.values]


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


def read_struct(message: Message, value: object, depth: int) -> None:
    if not isinstance(value, dict):
        raise expected("an object", value)
    message.MergeFromString(_struct_wire(value, depth))


def read_list_value(message: Message, value: object, depth: int) -> None:
    if not isinstance(value, list):
        raise expected("an array", value)
    message.MergeFromString(_list_wire(value, depth))


def read_value(message: Message, value: object, depth: int) -> None:
    if depth < 1:
        raise too_deep()
    message.MergeFromString(_value_wire(value, depth))


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


def _struct_wire(members: dict[str, object], depth: int) -> bytes:
    if depth < (3 if members else 1):
        raise too_deep()
    parts: list[bytes] = []
    for name, member in members.items():
        # Heads are looked up inline: function calls would take most of the time.
        key = name.encode()
        value = _value_wire(member, depth - 2)
        of_key, of_value = len(key), len(value)
        key_head = _KEY_HEADS[of_key] if of_key < _SHORT else _head(_KEY_HEADS, of_key)
        value_head = (
            _ENTRY_VALUE_HEADS[of_value]
            if of_value < _SHORT
            else _head(_ENTRY_VALUE_HEADS, of_value)
        )
        entry = len(key_head) + of_key + len(value_head) + of_value
        entry_head = _ENTRY_HEADS[entry] if entry < _SHORT else _head(_ENTRY_HEADS, entry)
        parts += (entry_head, key_head, key, value_head, value)
    return b"".join(parts)


def _list_wire(elements: list[object], depth: int) -> bytes:
    if depth < (2 if elements else 1):
        raise too_deep()
    parts: list[bytes] = []
    for element in elements:
        value = _value_wire(element, depth - 1)
        parts += (_head(_ELEMENT_HEADS, len(value)), value)
    return b"".join(parts)


def _value_wire(value: object, depth: int) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        length = len(text)
        head = _STRING_HEADS[length] if length < _SHORT else _head(_STRING_HEADS, length)
        return head + text
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, int | float):
        return _NUMBER + _DOUBLE.pack(value)
    if isinstance(value, dict):
        members = _struct_wire(value, depth - 1)
        return _head(_STRUCT_HEADS, len(members)) + members
    if isinstance(value, list):
        elements = _list_wire(value, depth - 1)
        return _head(_LIST_HEADS, len(elements)) + elements
    return _NULL_FIELD


def _head(heads: tuple[bytes, ...], length: int) -> bytes:
    """Returns the tag of `heads`, followed by a length as a varint."""
    if length < _SHORT:
        return heads[length]
    head = bytearray(heads[0][:1])
    while length >= _SHORT:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return bytes(head)
