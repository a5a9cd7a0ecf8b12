"""Reads and writes Timestamp, Duration, FieldMask and Any; lists types with their own JSON form.

structs.py reads and writes Struct, Value and ListValue. decoder.py and encoder.py treat wrappers as
their scalar, and Empty as a message without fields. Follows protobuf.dev, "ProtoJSON Format", and
RFC 3339.
Rule: a message without a JSON form (a Timestamp in the year 10000) raises Fault.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, Generic, NamedTuple, TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from transcoder.codec import structs
from transcoder.codec.message_types import MessageReader
from transcoder.codec.scalars import Fault, expected, is_digits, too_deep

ANY: Final = "google.protobuf.Any"
TIMESTAMP: Final = "google.protobuf.Timestamp"
DURATION: Final = "google.protobuf.Duration"
FIELD_MASK: Final = "google.protobuf.FieldMask"
WRAPPERS: Final = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in (
        *("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"),
    )
)

_SECOND_MIN, _SECOND_MAX = -62135596800, 253402300799  # 0001-01-01T00:00:00Z, 9999-12-31T23:59:59Z
_DURATION_MAX_S = 315_576_000_000
_NANOS = 1_000_000_000
_DAY_MINUTES = 24 * 60
_DAY_S = 24 * 60 * 60
_CACHED_MAX = 4096  # minutes, of which most are recent, or durations, of which most are settings
_WHOLE_CHARS = len("1970-01-01T00:00:00Z")
_NANOS_BY_DIGITS = [10 ** (9 - digits) for digits in range(10)]
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T")
_FRACTION_AND_ZONE = re.compile(r"(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}:[0-9]{2}))")
_MINUTES = [f"{minute // 60:02}:{minute % 60:02}:" for minute in range(_DAY_MINUTES)]
_MINUTE_START = {text: minute * 60 for minute, text in enumerate(_MINUTES)}
_SECONDS = [f"{second:02}" for second in range(60)]
_THREE_DIGITS = [f"{number:03}" for number in range(1000)]
_MILLIS = [f".{digits}" for digits in _THREE_DIGITS]
_SECOND = {text: second for second, text in enumerate(_SECONDS)}
# Each character can be matched in one way only: no text costs more than its length. (Possessive
# repetitions would say so, but Python takes some wrongly before 3.11.5.)
_MASK_WRITTEN = re.compile(r"(?:[^A-Z_`,]|_[a-z]|`[^`,]*`)+(?:,(?:[^A-Z_`,]|_[a-z]|`[^`,]*`)+)*")
_MASK_READ = re.compile(r"(?:[a-zA-Z0-9.*]|`[^`,]*`)+(?:,(?:[a-zA-Z0-9.*]|`[^`,]*`)+)*")
_MASK_READ_TEXT = re.compile(r"(?:[\w.*]|`[^`,]*`)+(?:,(?:[\w.*]|`[^`,]*`)+)*", re.ASCII)
# Keys of maps stand in backticks (AIP-161), and are no names that have two forms.
_MASK_HUMP = re.compile(r"_([a-z])|`[^`]*`")
_MASK_CAPITAL = re.compile(r"([A-Z])|`[^`]*`")


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Cache(dict[_Key, _Value]):
    """The results of a function by its argument: a hit takes half of lru_cache's time."""

    def __init__(self, make: Callable[[_Key], _Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: _Key) -> _Value:
        value = self._make(key)
        if len(self) >= _CACHED_MAX:
            self.clear()
        self[key] = value
        return value


# --- Timestamp ---


def timestamp_json(message: Timestamp) -> str:
    seconds, nanos = message.seconds, message.nanos
    minute = _MINUTE_TEXTS[seconds // 60]
    if not nanos:
        return f"{minute}{_SECONDS[seconds % 60]}Z"
    if not 0 < nanos < _NANOS:
        raise Fault("a Timestamp outside of the years 1 to 9999")
    return f"{minute}{_SECONDS[seconds % 60]}{_fraction(nanos)}Z"


def _minute_text(minute: int) -> str:
    if not _SECOND_MIN <= minute * 60 <= _SECOND_MAX:  # from a minute's start to a minute's end
        raise Fault("a Timestamp outside of the years 1 to 9999")
    day, minute = divmod(minute, _DAY_MINUTES)
    return f"{date.fromordinal(day + _EPOCH_ORDINAL).isoformat()}T{_MINUTES[minute]}"


_MINUTE_TEXTS = _Cache(_minute_text)


def _fraction(nanos: int) -> str:
    """Returns the point, and 3, 6 or 9 digits."""
    millis = nanos // 1_000_000
    nanos %= 1_000_000
    if not nanos:
        return _MILLIS[millis]
    text = _MILLIS[millis] + _THREE_DIGITS[nanos // 1000]
    nanos %= 1000
    return text + _THREE_DIGITS[nanos] if nanos else text


def read_timestamp(message: Timestamp, value: object, _: int) -> None:
    message.seconds, message.nanos = _timestamp_of(value)


def _timestamp_of(value: object) -> tuple[int, int]:
    """Returns seconds and nanos."""
    if not isinstance(value, str):
        raise expected("an RFC 3339 timestamp", value)
    try:
        seconds = _MINUTE_STARTS[value[:17]] + _SECOND[value[17:19]]
        if value[-1] == "Z":
            if len(value) == _WHOLE_CHARS:
                return seconds, 0
            digits = value[20:-1]
            if value[19] == "." and digits.isdigit() and digits.isascii():
                return seconds, int(digits) * _NANOS_BY_DIGITS[len(digits)]
        match = _FRACTION_AND_ZONE.fullmatch(value, 19)
        if match is None:
            raise expected("an RFC 3339 timestamp", value)
        fraction, sign, zone = match.groups()
        offset = _MINUTE_START[zone + ":"] if sign else 0
    except (KeyError, ValueError, IndexError):
        raise expected("an RFC 3339 timestamp", value) from None
    seconds += offset if sign == "-" else -offset
    if not _SECOND_MIN <= seconds <= _SECOND_MAX:
        raise expected("a timestamp in the years 1 to 9999", value)
    return seconds, int(fraction) * _NANOS_BY_DIGITS[len(fraction)] if fraction else 0


def _minute_start(text: str) -> int:
    match = _DAY.fullmatch(text[:11])
    if match is None:
        raise ValueError(text)
    day = date.fromisoformat(match[1]).toordinal() - _EPOCH_ORDINAL
    return day * _DAY_S + _MINUTE_START[text[11:]]


_MINUTE_STARTS = _Cache(_minute_start)


# --- Duration ---


def duration_json(message: Duration) -> str:
    seconds, nanos = message.seconds, message.nanos
    if not -_DURATION_MAX_S <= seconds <= _DURATION_MAX_S:
        raise Fault("a Duration outside of its range")
    if not nanos:
        return f"{seconds}s"
    if seconds >= 0 and 0 < nanos < _NANOS:
        return f"{seconds}{_fraction(nanos)}s"
    if not -_NANOS < nanos < _NANOS or seconds * nanos < 0:
        raise Fault("a Duration outside of its range")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def read_duration(message: Duration, value: object, _: int) -> None:
    if not isinstance(value, str):
        raise expected("a duration in seconds", value)
    message.seconds, message.nanos = _DURATIONS[value]


def _duration_of(value: str) -> tuple[int, int]:
    """Returns seconds and nanos."""
    if value[-1:] != "s":
        raise expected("a duration in seconds", value)
    whole, point, fraction = value[:-1].partition(".")
    if whole[:1] == "-":
        whole = whole[1:]
    is_sized = 0 < len(whole) < 13 and (0 < len(fraction) < 10 if point else True)
    if not (is_sized and is_digits(whole + fraction)):
        raise expected("a duration in seconds", value)
    seconds = int(whole)
    if seconds > _DURATION_MAX_S:
        raise expected(f"a duration of at most {_DURATION_MAX_S}s", value)
    nanos = int(fraction) * _NANOS_BY_DIGITS[len(fraction)] if point else 0
    if value[0] == "-":
        return -seconds, -nanos
    return seconds, nanos


_DURATIONS = _Cache(_duration_of)


# --- FieldMask ---


def field_mask_json(message: FieldMask) -> str:
    paths = message.paths
    if not paths:
        return ""
    text = ",".join(paths)
    if not _MASK_WRITTEN.fullmatch(text) or text.count(",") >= len(paths):
        raise Fault("a FieldMask path without a JSON form")
    return _MASK_HUMP.sub(_in_camel_case, text) if "_" in text else text


def read_field_mask(message: FieldMask, value: object, _: int) -> None:
    message.paths.extend(_mask_paths(value, _MASK_READ))


def read_field_mask_text(message: FieldMask, value: object, _: int) -> None:
    """Reads a mask of a path or a query, where names may also be written as in the .proto."""
    message.paths.extend(_mask_paths(value, _MASK_READ_TEXT))


def _mask_paths(value: object, form: re.Pattern[str]) -> list[str]:
    if not isinstance(value, str):
        raise expected("a field mask", value)
    if not value:
        return []
    if not form.fullmatch(value):
        raise expected("a field mask", value)
    if not value.islower():
        value = _MASK_CAPITAL.sub(_in_snake_case, value)
    return value.split(",")


def _in_camel_case(hump: re.Match[str]) -> str:
    return hump[1].upper() if hump[1] else hump[0]


def _in_snake_case(hump: re.Match[str]) -> str:
    return f"_{hump[1].lower()}" if hump[1] else hump[0]


# --- Types with a JSON form of their own ---


class TextForm(NamedTuple):
    """The form of a type whose JSON is a string.

    Attributes:
        read: reads a JSON value.
        write: writes a message; raises Fault.
        read_text: reads the text of a path or a query.
    """

    read: MessageReader
    write: Callable[..., str]
    read_text: MessageReader


TEXTUAL: Final[Mapping[str, TextForm]] = {
    TIMESTAMP: TextForm(read_timestamp, timestamp_json, read_timestamp),
    DURATION: TextForm(read_duration, duration_json, read_duration),
    FIELD_MASK: TextForm(read_field_mask, field_mask_json, read_field_mask_text),
}
"""Types whose JSON is a string."""

SPECIAL: Final = WRAPPERS | structs.STRUCT_FORMS.keys() | TEXTUAL.keys() | {ANY}
"""Types whose JSON is not an object of their fields; an Any holds it under "value"."""


# --- Any ---

ValueWriter = Callable[[Message], object]
"""Message → what orjson writes; raises Fault."""

_Convert = TypeVar("_Convert", MessageReader, ValueWriter)


class Resolved(NamedTuple, Generic[_Convert]):
    """The type that a type URL names, and the function that reads, or writes, its content."""

    message_type: type[Message]
    convert: _Convert
    is_special: bool


def any_reader(resolve: Callable[[str], Resolved[MessageReader]]) -> MessageReader:
    def read(message: Any, value: object, depth: int) -> None:
        if not isinstance(value, dict):
            raise expected("an object", value)
        if depth < 1:
            raise too_deep()
        if not value:
            return
        url = value.get("@type")
        if not isinstance(url, str):
            raise expected('a type URL under "@type"', url)
        message_type, read_content, is_special = resolve(url)
        content = message_type()
        if not is_special:
            rest = {name: member for name, member in value.items() if name != "@type"}
            read_content(content, rest, depth - 1)
        elif "value" in value:
            try:
                read_content(content, value["value"], depth - 1)
            except Fault as fault:
                fault.path.append("value")
                raise
        else:
            raise Fault(f'expected a {message_type.DESCRIPTOR.name} under "value", got none')
        message.type_url = url
        message.value = message_type.SerializePartialToString(content, deterministic=True)

    return read


def any_writer(
    resolve: Callable[[str], Resolved[ValueWriter]],
) -> Callable[[Any], dict[str, object]]:
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
            raise Fault(
                f"an Any whose value is not a {message_type.DESCRIPTOR.full_name}"
            ) from None
        written = write_content(content)
        if isinstance(written, dict) and not is_special:
            return {"@type": url, **written}
        return {"@type": url, "value": written}

    return write


def type_name_of(url: str) -> str:
    """Returns the full name of the type that a type URL names, behind its last slash."""
    _, slash, name = url.rpartition("/")
    if not slash or not name:
        raise expected("a type URL such as type.googleapis.com/package.Type", url)
    return name
