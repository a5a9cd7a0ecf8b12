"""Rewrites a context into the exact form of its schema, or names the path of an invalid value.

These forms are accepted, too: null for a missing value, digits in a string for an integer (as
ProtoJSON writes 64 bits), a float without a fraction for an integer, an array for a `CountedList`.

Rule 1: follows the types of `context_schema`; knows no keys but those of a user.
Rule 2: never changes the given context.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Final, TypeAlias

from msgspec import Struct, inspect

from server.scripts.contract import BadContext, JsonValue
from server.scripts.host.context_schema import ONE_KIND_OF_USER, CountedList, Part, UserData, utc

_Read: TypeAlias = Callable[[JsonValue, str], JsonValue]
"""Returns the exact form of a value at a path."""

_INTEGER_TEXT: Final = re.compile(r"-?\d{1,19}", re.ASCII)


def exact(context: JsonValue, part: type[Part]) -> JsonValue:
    """Returns the exact form of a context.

    Raises:
        BadContext: a value is of another type than the schema's.
    """
    return _reader_of(part)(context, "context")


@cache
def _reader_of(part: type[Part]) -> _Read:
    return _reader(inspect.type_info(part))


def _reader(kind: inspect.Type) -> _Read:
    match kind:
        case inspect.StructType():
            fields = {field.encode_name: _reader(field.type) for field in kind.fields}
            return partial(_object, kind.cls, fields)
        case inspect.StrType():
            return _string
        case inspect.Metadata(extra_json_schema={"format": "date-time"}):
            return _date
        case inspect.Metadata():
            return _reader(kind.type)
        case inspect.IntType(ge=int(least), le=int(most)):
            return partial(_integer, least, most)
        case inspect.BoolType():
            return _flag
        case inspect.ListType():
            return partial(_list, _reader(kind.item_type))
        case inspect.DictType():
            return partial(_map, _reader(kind.value_type))
        case inspect.UnionType():
            (other,) = (each for each in kind.types if not isinstance(each, inspect.NoneType))
            return partial(_nullable, _reader(other))
        case inspect.AnyType():
            return lambda value, _: value
    raise TypeError(f"no reader of {kind}")


def _object(
    part: type[Struct], fields: Mapping[str, _Read], value: JsonValue, path: str
) -> JsonValue:
    if value is None:
        return {}
    if isinstance(value, list) and issubclass(part, CountedList):
        value = {part.ENTRIES: value}
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    if part is UserData and value.get("human") is not None and value.get("machine") is not None:
        raise BadContext(f"{path}: {ONE_KIND_OF_USER}")
    found: dict[str, JsonValue] = {}
    for name, item in value.items():
        read = fields.get(name)
        if read is not None and item is not None:
            is_exact = read is _string and isinstance(
                item, str
            )  # saves a call, as most values are strings
            found[name] = item if is_exact else read(item, f"{path}.{name}")
    return found


def _list(read: _Read, value: JsonValue, path: str) -> JsonValue:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(path, "an array", value)
    return [read(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _map(read: _Read, value: JsonValue, path: str) -> JsonValue:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return {key: read(item, f"{path}.{key[:40]}") for key, item in value.items()}


def _nullable(read: _Read, value: JsonValue, path: str) -> JsonValue:
    return None if value is None else read(value, path)


def _string(value: JsonValue, path: str) -> JsonValue:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(path, "a string", value)
    return value


def _date(value: JsonValue, path: str) -> JsonValue:
    try:
        return utc(value if isinstance(value, str) else "")
    except ValueError:
        raise _wrong(path, "a date as in 2025-03-04T05:06:07Z", value) from None


def _flag(value: JsonValue, path: str) -> JsonValue:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _wrong(path, "true or false", value)
    return value


def _integer(least: int, most: int, value: JsonValue, path: str) -> JsonValue:
    if value is None:
        return 0
    number = _number(value)
    if number is None or not least <= number <= most:
        raise _wrong(path, f"an integer from {least} to {most}", value)
    return number


def _number(value: JsonValue) -> int | None:
    """Returns an integer from one of its forms; None if it is not one."""
    if isinstance(value, str):
        return int(value) if _INTEGER_TEXT.fullmatch(value) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _wrong(path: str, expected: str, value: JsonValue) -> BadContext:
    got = {dict: "an object", list: "an array", bool: str(value).lower()}.get(
        type(value), repr(value)[:40]
    )
    return BadContext(f"{path}: expected {expected}, got {got}")
