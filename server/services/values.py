"""Converts JSON values to google.protobuf.Struct and Value, and back.

Follows google/protobuf/struct.proto: numbers are doubles, and a Value without a kind is null.
"""

from collections.abc import Mapping
from typing import Final

from google.protobuf.struct_pb2 import Struct, Value

from server.scripts.contract import JsonValue

LEVELS_MAX: Final = 30
"""Max depth of objects and arrays: a level is three messages, and parsers accept 100."""

EXACT_MAX: Final = 2**53
"""Bound of whole numbers that doubles hold exactly; they are read as integers."""


class NotRepresentable(ValueError):
    """The JSON does not fit into a Value: too deep, or a number beyond doubles."""


def object_of(struct: Struct) -> dict[str, JsonValue]:
    fields = struct.fields
    values: dict[str, JsonValue] = {}
    for name in fields:
        value = fields[name]
        values[name] = value.string_value or json_of(
            value
        )  # most are text: a look less at its kind
    return values


def json_of(value: Value) -> JsonValue:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            number = value.number_value
            is_whole = number.is_integer() and abs(number) < EXACT_MAX
            return int(number) if is_whole else number
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return object_of(value.struct_value)
        case "list_value":
            return [item.string_value or json_of(item) for item in value.list_value.values[:]]
    return None


def fill_struct(struct: Struct, values: Mapping[str, JsonValue]) -> None:
    """Sets the fields of a Struct.

    Raises:
        NotRepresentable: a value does not fit.
    """
    _fill_object(struct, values, LEVELS_MAX)


def fill_value(value: Value, json: JsonValue) -> None:
    """Sets a Value.

    Raises:
        NotRepresentable: the JSON does not fit.
    """
    _fill(value, json, LEVELS_MAX)


def _fill(value: Value, json: JsonValue, levels: int) -> None:
    if json is None:
        value.null_value = 0  # type: ignore[assignment]  # its only value
    elif isinstance(json, bool):
        value.bool_value = json
    elif isinstance(json, str):
        value.string_value = json
    elif isinstance(json, int | float):
        try:
            value.number_value = json
        except OverflowError:
            raise NotRepresentable from None
    elif isinstance(json, list):
        if levels < 1:
            raise NotRepresentable
        value.list_value.SetInParent()
        add = value.list_value.values.add
        for item in json:
            _fill(add(), item, levels - 1)
    else:
        value.struct_value.SetInParent()
        _fill_object(value.struct_value, json, levels)


def _fill_object(struct: Struct, values: Mapping[str, JsonValue], levels: int) -> None:
    if levels < 1:
        raise NotRepresentable
    fields = struct.fields
    for name, item in values.items():
        _fill(fields[name], item, levels - 1)
