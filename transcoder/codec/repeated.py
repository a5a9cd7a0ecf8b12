"""Reads JSON arrays and objects as lists and maps.

Rule: a long list must not cost a function call per element (R18). Elements of one type are read all
at once. If that fails they are read one by one, which finds the invalid element.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from transcoder.codec import scalars
from transcoder.codec.message_types import MessageReader
from transcoder.codec.scalars import Fault, ValueReader, expected
from transcoder.errors import shown

NATIVE: Final[Mapping[int, type]] = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BOOL: bool,
    FieldDescriptor.TYPE_DOUBLE: float,
}
"""The class whose JSON values are used as they are, by type of field."""

_MANY: Final = 8
"""Min entries of a map that is read at once, and of integers that are checked at once."""

_STRINGS: Final = {str}
_INTEGERS: Final = {int}

ContainerReader = Callable[[Any, object, int], None]
"""Fills a new list or map of a message: the list, JSON value, levels left; raises Fault."""

_AtOnce = Callable[[list[object]], list[object] | None]
"""All elements → their values; None if they have to be read one by one."""


def list_reader(field: FieldDescriptor, read: ValueReader) -> Callable[[object, int], list[object]]:
    """Returns a reader of a list of values."""
    read_at_once = _at_once(field)
    is_enum = field.enum_type is not None

    def read_list(value: object, depth: int) -> list[object]:
        if not isinstance(value, list):
            raise expected("an array", value)
        if read_at_once is not None:
            at_once = read_at_once(value)
            if at_once is not None:
                return at_once
        items: list[object] = []  # its length is the index of an invalid element
        append = items.append
        try:
            for item in value:
                append(read(item, depth))
        except Fault as fault:
            fault.path.append(f"[{len(items)}]")
            raise
        # None stands for an unknown name, which is ignored.
        return [item for item in items if item is not None] if is_enum else items

    return read_list


def message_list_reader(read: MessageReader) -> ContainerReader:
    def read_list(held: Any, value: object, depth: int) -> None:  # noqa: ANN401  of any messages
        if not isinstance(value, list):
            raise expected("an array", value)
        add = held.add
        try:
            for item in value:
                read(add(), item, depth)
        except Fault as fault:
            fault.path.append(f"[{len(held) - 1}]")
            raise

    return read_list


def message_map_reader(read_key: ValueReader, read: MessageReader) -> ContainerReader:
    def read_map(held: Any, value: object, depth: int) -> None:  # noqa: ANN401  of any messages
        if not isinstance(value, dict):
            raise expected("an object", value)
        below = depth - 1  # an entry is a message too, for protobuf's parsers
        key = ""
        try:
            for key, item in value.items():
                read(held[read_key(key, below)], item, below)
        except Fault as fault:
            fault.path.append(f"[{shown(key)}]")
            raise
        if len(held) < len(value):
            raise Fault("a key is given twice")

    return read_map


def map_reader(entry: Descriptor, read_key: ValueReader, read: ValueReader) -> ContainerReader:
    """Returns a reader of a map of values."""
    key_field, value_field = entry.fields_by_name["key"], entry.fields_by_name["value"]
    keys_at_once = _at_once(key_field)
    values_at_once = _at_once(value_field)
    native = NATIVE.get(value_field.type)
    natives = {native}
    is_text = key_field.type == key_field.TYPE_STRING and native is not None

    def read_map(held: Any, value: object, depth: int) -> None:  # noqa: ANN401  of any values
        if not isinstance(value, dict):
            raise expected("an object", value)
        items = value if is_text and {*map(type, value.values())} == natives else at_once(value)
        if items is None:
            items = read_each(value, depth - 1)  # an entry is a message too, for protobuf's parsers
        if len(items) < len(value):
            raise Fault("a key is given twice")
        for key, item in items.items():
            if item is not None:  # as is an unknown name of an enum, which is ignored
                held[key] = item

    def at_once(members: dict[str, object]) -> dict[object, object] | None:
        if len(members) < _MANY:
            return None
        values = values_at_once([*members.values()]) if values_at_once is not None else None
        keys = keys_at_once([*members]) if values is not None and keys_at_once is not None else None
        if values is None or keys is None:
            return None
        return dict(zip(keys, values, strict=True))

    def read_each(members: dict[str, object], depth: int) -> dict[object, object]:
        items: dict[object, object] = {}
        key = ""
        try:
            for key, item in members.items():
                made = item if type(item) is native else read(item, depth)
                items[read_key(key, depth)] = made
        except Fault as fault:
            fault.path.append(f"[{shown(key)}]")
            raise
        return items

    return read_map


def _at_once(field: FieldDescriptor) -> _AtOnce | None:
    if field.enum_type is not None:
        return _names_at_once(scalars.enum_numbers(field.enum_type))
    if field.type in scalars.INTEGERS:
        return _integers_at_once(*scalars.INTEGERS[field.type][1:])
    native = NATIVE.get(field.type)
    if native is None:
        return None
    natives = {native}
    return lambda items: items if set(map(type, items)) == natives else None


def _names_at_once(numbers: Mapping[str, int]) -> _AtOnce:
    def read(items: list[object]) -> list[object] | None:
        try:
            found: list[object] = [*map(numbers.get, items)]  # type: ignore[arg-type]
        except TypeError:  # an array or an object, which is no key
            return None
        return None if None in found else found

    return read


def _integers_at_once(low: int, high: int) -> _AtOnce:
    def read(items: list[object]) -> list[object] | None:
        if len(items) < _MANY:
            for item in items:
                if type(item) is not int or not low <= item <= high:
                    return None
            return items
        types = set(map(type, items))
        if types == _STRINGS:
            try:
                numbers: list[Any] = [*map(int, items)]  # type: ignore[arg-type]  # strings
            except ValueError:
                return None
            if [*map(str, numbers)] != items:  # int() reads " +1_0" too
                return None
        elif types == _INTEGERS:
            numbers = items
        else:
            return None
        return numbers if low <= min(numbers) and max(numbers) <= high else None

    return read
