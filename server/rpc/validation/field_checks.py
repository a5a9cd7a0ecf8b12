"""Compiles the rules of one field to a function that checks its value.

Follows validate/validate.proto; the texts are those of the Go code that protoc-gen-validate
generates; for an invalid Duration, of Go's durationpb.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration

from validate.validate_pb2 import DurationRules, FieldRules, StringRules

FieldCheck: TypeAlias = Callable[[Any], str | None]
"""Returns what is wrong with a value, without the field's name; None if it is valid."""

_NS: Final = 10**9
_DURATION_MAX_S: Final = 315_576_000_000
"""Max seconds of a Duration: 10,000 years, as google/protobuf/duration.proto says."""

_NO_LIMIT: Final = 1 << 63
"""Larger than every length and every number of seconds."""
_UTF8_MAX_BYTES: Final = 4
"""Max bytes of one code point."""


def field_check_of(field: FieldDescriptor, of_field: FieldRules, kind: str) -> FieldCheck | None:
    """Returns the check of a field's values; None if its rules allow any.

    Args:
        field: the field.
        of_field: its rules.
        kind: the type that the rules are for ("string").

    Raises:
        ValueError: the field has another type, or its rules contradict each other.
    """
    expected, compile_ = _COMPILERS.get(kind, ("", None))
    is_type = field.message_type.full_name if field.message_type else _TYPES.get(field.type, "")
    if compile_ is None or is_type != expected:
        raise ValueError(f"rules for {kind}, which the field is not")
    return compile_(field, of_field)


def _length(_field: FieldDescriptor, of_field: FieldRules) -> FieldCheck:
    of_text = of_field.string
    least = of_text.min_len
    most = of_text.max_len if of_text.HasField("max_len") else _NO_LIMIT
    most_bytes = of_text.max_bytes if of_text.HasField("max_bytes") else _NO_LIMIT
    runes = _runes(of_text)

    def check(text: str) -> str | None:
        count = len(text)
        if count < least or count > most:
            return runes
        if count * _UTF8_MAX_BYTES > most_bytes:
            size = count if text.isascii() else len(text.encode())
            if size > most_bytes:
                return f"value length must be at most {most_bytes} bytes"
        return None

    return check


def _runes(of_text: StringRules) -> str:
    least, most = of_text.min_len, of_text.max_len
    if not of_text.HasField("max_len"):
        return f"value length must be at least {least} runes"
    if not of_text.HasField("min_len"):
        return f"value length must be at most {most} runes"
    if least == most:
        return f"value length must be {least} runes"
    return f"value length must be between {least} and {most} runes, inclusive"


def _defined(field: FieldDescriptor, of_field: FieldRules) -> FieldCheck | None:
    if field.enum_type is None or not of_field.enum.defined_only:
        return None
    numbers = frozenset(field.enum_type.values_by_number)

    def check(number: int) -> str | None:
        return None if number in numbers else "value must be one of the defined enum values"

    return check


def _within(_field: FieldDescriptor, of_field: FieldRules) -> FieldCheck:
    of_time = of_field.duration
    least_ns, most_ns = -_NO_LIMIT * _NS, _NO_LIMIT * _NS
    if of_time.HasField("gte"):
        least_ns = of_time.gte.ToNanoseconds()
    if of_time.HasField("lte"):
        most_ns = of_time.lte.ToNanoseconds()
    if least_ns >= most_ns:
        raise ValueError("expected gte to be less than lte")
    outside = _bounds(of_time)

    def check(duration: Duration) -> str | None:
        seconds, nanos = duration.seconds, duration.nanos
        fault = _duration_fault(seconds, nanos)
        if fault is not None:
            return f"value is not a valid duration | caused by: {fault}"
        return None if least_ns <= seconds * _NS + nanos <= most_ns else outside

    return check


def _bounds(of_time: DurationRules) -> str:
    if not of_time.HasField("lte"):
        return f"value must be greater than or equal to {_go_text(of_time.gte)}"
    if not of_time.HasField("gte"):
        return f"value must be less than or equal to {_go_text(of_time.lte)}"
    return f"value must be inside range [{_go_text(of_time.gte)}, {_go_text(of_time.lte)}]"


def _duration_fault(seconds: int, nanos: int) -> str | None:
    """Returns the error of Go's durationpb for a Duration; None if it is valid."""
    if 0 <= nanos < _NS and 0 <= seconds <= _DURATION_MAX_S:
        return None
    if seconds < -_DURATION_MAX_S:
        what = "exceeds -10000 years"
    elif seconds > _DURATION_MAX_S:
        what = "exceeds +10000 years"
    elif not -_NS < nanos < _NS:
        what = "has out-of-range nanos"
    elif seconds * nanos < 0:
        what = "has seconds and nanos with different signs"
    else:
        return None
    parts = (("seconds", seconds), ("nanos", nanos))
    shown = " ".join(f"{name}:{number}" for name, number in parts if number)
    return f"proto: duration ({shown}) {what}"


def _go_text(duration: Duration) -> str:
    """Returns a bound as Go writes it, in seconds; Go has other units below 1 s and from 60 s."""
    if duration.nanos or not 0 <= duration.seconds < 60:
        raise ValueError(
            f"expected a bound of whole seconds below 60, got {duration.ToJsonString()}"
        )
    return f"{duration.seconds}s"


_TYPES: Final = {FieldDescriptor.TYPE_STRING: "string", FieldDescriptor.TYPE_ENUM: "enum"}
_Compile: TypeAlias = Callable[[FieldDescriptor, FieldRules], FieldCheck | None]
_COMPILERS: Final[Mapping[str, tuple[str, _Compile]]] = {
    "string": ("string", _length),
    "enum": ("enum", _defined),
    "duration": (Duration.DESCRIPTOR.full_name, _within),
}
