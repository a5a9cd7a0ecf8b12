"""The JSON forms of Timestamp, Duration, FieldMask, Struct, Value, ListValue and Any.

Follows the comments of their .proto files in google/protobuf, and RFC 3339. Wrappers are written as
the scalar they hold, Empty as a message without fields, by readers.py and writers.py.
Rule: a message that has no JSON form (a NaN in a Struct, a Timestamp in the year 10000) is a Fault.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from transcoder.scalars import Fault, Reader, expected, is_minus_zero

ANY: Final = "google.protobuf.Any"
STRUCT: Final = "google.protobuf.Struct"
VALUE: Final = "google.protobuf.Value"
LIST_VALUE: Final = "google.protobuf.ListValue"
TIMESTAMP: Final = "google.protobuf.Timestamp"
DURATION: Final = "google.protobuf.Duration"
FIELD_MASK: Final = "google.protobuf.FieldMask"
WRAPPERS: Final = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in (
        *("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"),
    )
)
SPECIAL: Final = WRAPPERS | {ANY, STRUCT, VALUE, LIST_VALUE, TIMESTAMP, DURATION, FIELD_MASK}
"""Types whose JSON is not an object of their fields; an Any holds it under "value"."""

_SECOND_MIN, _SECOND_MAX = -62135596800, 253402300799  # 0001-01-01T00:00:00Z, 9999-12-31T23:59:59Z
_DURATION_MAX_S = 315_576_000_000
_NANOS = 1_000_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T")
_FRACTION_AND_ZONE = re.compile(r"(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}:[0-9]{2}))")
_DURATION = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
_MINUTES = [f"{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
_MINUTE_START = {text: minute * 60 for minute, text in enumerate(_MINUTES)}
_SECONDS = [f"{second:02}" for second in range(60)]
_SECOND = {text: second for second, text in enumerate(_SECONDS)}
_MASK_SNAKE = re.compile(r"_([a-z])")
_MASK_CAMEL = re.compile(r"[A-Z]")
_MASK_PATH_WRITTEN = re.compile(r"(?:[a-z0-9.]|_(?=[a-z]))+")
_MASK_PATH_READ = re.compile(r"[a-zA-Z0-9.]+")


def too_deep() -> Fault:
    return Fault("nested too deeply")


# --- Timestamp ---


def timestamp_json(message: Timestamp) -> str:
    seconds, nanos = message.seconds, message.nanos
    if not (_SECOND_MIN <= seconds <= _SECOND_MAX and 0 <= nanos < _NANOS):
        raise Fault("a Timestamp outside of the years 1 to 9999")
    day, second = divmod(seconds, 86400)
    minute = _MINUTES[second // 60]
    return f"{_day_text(day)}{minute}{_SECONDS[second % 60]}{_fraction(nanos)}Z"


@lru_cache(maxsize=1024)
def _day_text(day: int) -> str:
    return date.fromordinal(day + _EPOCH_ORDINAL).isoformat() + "T"


def _fraction(nanos: int) -> str:
    if not nanos:
        return ""
    if not nanos % 1_000_000:
        return f".{nanos // 1_000_000:03}"
    if not nanos % 1_000:
        return f".{nanos // 1_000:06}"
    return f".{nanos:09}"


def read_timestamp(value: object, _: int) -> dict[str, int]:
    if not isinstance(value, str):
        raise expected("an RFC 3339 timestamp", value)
    rest = value[19:]
    try:
        seconds = _day_start(value[:11]) + _MINUTE_START[value[11:17]] + _SECOND[value[17:19]]
        if rest == "Z":
            return {"seconds": seconds}
        match = _FRACTION_AND_ZONE.fullmatch(rest)
        if match is None:
            raise expected("an RFC 3339 timestamp", value)
        fraction, sign, zone = match.groups()
        offset = _MINUTE_START[zone + ":"] if sign else 0
    except (KeyError, ValueError):
        raise expected("an RFC 3339 timestamp", value) from None
    seconds += offset if sign == "-" else -offset
    if not _SECOND_MIN <= seconds <= _SECOND_MAX:
        raise expected("a timestamp in the years 1 to 9999", value)
    return {"seconds": seconds, "nanos": int(fraction.ljust(9, "0")) if fraction else 0}


@lru_cache(maxsize=1024)
def _day_start(text: str) -> int:
    match = _DAY.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return (date.fromisoformat(match[1]).toordinal() - _EPOCH_ORDINAL) * 86400


# --- Duration ---


def duration_json(message: Duration) -> str:
    seconds, nanos = message.seconds, message.nanos
    if abs(seconds) > _DURATION_MAX_S or abs(nanos) >= _NANOS or seconds * nanos < 0:
        raise Fault("a Duration outside of its range")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def read_duration(value: object, _: int) -> dict[str, int]:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise expected("a duration in seconds", value)
    sign = -1 if match[1] else 1
    seconds = int(match[2])
    nanos = int(match[3].ljust(9, "0")) if match[3] else 0
    if seconds > _DURATION_MAX_S:
        raise expected(f"a duration of at most {_DURATION_MAX_S}s", value)
    return {"seconds": sign * seconds, "nanos": sign * nanos}


# --- FieldMask ---


def field_mask_json(message: FieldMask) -> str:
    return ",".join(map(_mask_path_json, message.paths))


def _mask_path_json(path: str) -> str:
    if not _MASK_PATH_WRITTEN.fullmatch(path):
        raise Fault("a FieldMask path that does not read back the same")
    return _MASK_SNAKE.sub(lambda match: match[1].upper(), path)


def read_field_mask(value: object, _: int) -> dict[str, list[str]]:
    if not isinstance(value, str):
        raise expected("a field mask", value)
    paths = value.split(",") if value else []
    for path in paths:
        if not _MASK_PATH_READ.fullmatch(path):
            raise expected("a field mask", value)
    return {"paths": [_MASK_CAMEL.sub(lambda match: "_" + match[0].lower(), p) for p in paths]}


TEXTUAL: Final[Mapping[str, Reader]] = {
    TIMESTAMP: read_timestamp,
    DURATION: read_duration,
    FIELD_MASK: read_field_mask,
}
"""Types whose JSON is a string."""


# --- Struct, Value, ListValue ---


def struct_json(message: Struct) -> dict[str, object]:
    return {name: value_json(value) for name, value in message.fields.items()}


def list_value_json(message: ListValue) -> list[object]:
    return [value_json(value) for value in message.values]


def value_json(message: Value) -> object:
    """A Value as JSON; one without a kind is null."""
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
    if number.is_integer() and abs(number) < 2**53 and not is_minus_zero(number):
        return int(number)
    return number


def struct_reader(struct: type[Struct]) -> Reader:
    def read(value: object, depth: int) -> Struct:
        if not isinstance(value, dict):
            raise expected("an object", value)
        _require_levels(value, depth)
        message = struct()
        message.update(value)
        return message

    return read


def list_value_reader(list_value: type[ListValue]) -> Reader:
    def read(value: object, depth: int) -> ListValue:
        if not isinstance(value, list):
            raise expected("an array", value)
        _require_levels(value, depth)
        message = list_value()
        message.extend(value)
        return message

    return read


def value_reader(read_struct: Reader, read_list: Reader) -> Reader:
    def read(value: object, depth: int) -> dict[str, object]:
        if depth < 1:
            raise too_deep()
        if isinstance(value, str):
            return {"string_value": value}
        if isinstance(value, bool):
            return {"bool_value": value}
        if isinstance(value, int | float):
            return {"number_value": float(value)}
        if isinstance(value, dict):
            return {"struct_value": read_struct(value, depth - 1)}
        if isinstance(value, list):
            return {"list_value": read_list(value, depth - 1)}
        return {"null_value": 0}

    return read


def _require_levels(value: dict[str, object] | list[object], depth: int) -> None:
    """Count levels as protobuf's parsers do, who must read again what is made here.

    A Struct is three (itself, the entry of its map, the Value in it), a ListValue two.
    """
    levels = 3 if isinstance(value, dict) else 2
    if depth < (levels if value else 1):
        raise too_deep()
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            _require_levels(child, depth - levels)


# --- Any ---

Writer = Callable[[Message], object]
"""Message → what orjson writes; raises Fault."""

_Convert = TypeVar("_Convert", Reader, Writer)


class Resolved(NamedTuple, Generic[_Convert]):
    """What a type URL stands for, and how its content is read, or written."""

    message_type: type[Message]
    convert: _Convert
    is_special: bool


def any_reader(resolve: Callable[[str], Resolved[Reader]]) -> Reader:
    def read(value: object, depth: int) -> dict[str, object]:
        if not isinstance(value, dict):
            raise expected("an object", value)
        if depth < 1:
            raise too_deep()
        if not value:
            return {}
        url = value.get("@type")
        if not isinstance(url, str):
            raise expected('a type URL under "@type"', url)
        message_type, read_content, is_special = resolve(url)
        if not is_special:
            rest = {name: member for name, member in value.items() if name != "@type"}
            content = read_content(rest, depth - 1)
        elif "value" in value:
            try:
                content = read_content(value["value"], depth - 1)
            except Fault as fault:
                fault.path.append("value")
                raise
        else:
            raise Fault(f'expected a {message_type.DESCRIPTOR.name} under "value", got none')
        packed = message_of(message_type, content).SerializePartialToString(deterministic=True)
        return {"type_url": url, "value": packed}

    return read


def any_writer(resolve: Callable[[str], Resolved[Writer]]) -> Callable[[Any], dict[str, object]]:
    def write(message: Any) -> dict[str, object]:
        url = message.type_url
        if not url:
            if message.value:
                raise Fault("an Any with a value and no type")
            return {}
        message_type, write_content, is_special = resolve(url)
        try:
            content = message_type.FromString(message.value)
        except DecodeError:
            raise Fault(f"an Any whose value is no {message_type.DESCRIPTOR.full_name}") from None
        written = write_content(content)
        if isinstance(written, dict) and not is_special:
            return {"@type": url, **written}
        return {"@type": url, "value": written}

    return write


def type_name_of(url: str) -> str:
    """The full name of the type that a type URL names: what stands behind its last slash."""
    _, slash, name = url.rpartition("/")
    if not slash or not name:
        raise expected("a type URL such as type.googleapis.com/package.Type", url)
    return name


def message_of(message_type: type[Message], content: object) -> Message:
    """The message that a reader read: itself, or what its constructor takes."""
    if isinstance(content, dict):
        return message_type(**content)
    return content  # type: ignore[return-value]  # what a reader of messages returns besides dicts
