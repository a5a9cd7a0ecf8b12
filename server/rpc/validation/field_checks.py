"""Whether a value keeps the rules of its field, compiled to one function a field.

Follows validate/validate.proto; the texts are those of the Go code that protoc-gen-validate makes,
and what is said of a Duration that is none is said as Go's durationpb says it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration

from validate.validate_pb2 import DurationRules, FieldRules, StringRules

Judge: TypeAlias = Callable[[Any], str | None]
"""What is wrong with a value, in words that do not say where it stands; None if nothing is."""

_NS: Final = 10**9
_DURATION_MAX_S: Final = 315_576_000_000
"""10,000 years: what google/protobuf/duration.proto allows."""

_NO_LIMIT: Final = 1 << 63
_UTF8_MAX_BYTES: Final = 4
"""Of one code point."""


def judge_of(field: FieldDescriptor, of_field: FieldRules, kind: str) -> Judge | None:
    """The judge of a field's values; None when its rules allow any.

    Args:
        field: of which the values are.
        of_field: its rules.
        kind: for which type they are: "string".

    Raises:
        ValueError: the field is of another type, or its rules contradict each other.
    """
    expected, judge = _KINDS.get(kind, ("", None))
    is_type = field.message_type.full_name if field.message_type else _TYPES.get(field.type, "")
    if judge is None or is_type != expected:
        raise ValueError(f"rules for {kind}, which the field is not")
    return judge(field, of_field)


def _length(_field: FieldDescriptor, of_field: FieldRules) -> Judge:
    of_text = of_field.string
    least = of_text.min_len
    most = of_text.max_len if of_text.HasField("max_len") else _NO_LIMIT
    most_bytes = of_text.max_bytes if of_text.HasField("max_bytes") else _NO_LIMIT
    runes = _runes(of_text)

    def judge(text: str) -> str | None:
        count = len(text)
        if count < least or count > most:
            return runes
        if count * _UTF8_MAX_BYTES > most_bytes:
            size = count if text.isascii() else len(text.encode())
            if size > most_bytes:
                return f"value length must be at most {most_bytes} bytes"
        return None

    return judge


def _runes(of_text: StringRules) -> str:
    least, most = of_text.min_len, of_text.max_len
    if not of_text.HasField("max_len"):
        return f"value length must be at least {least} runes"
    if not of_text.HasField("min_len"):
        return f"value length must be at most {most} runes"
    if least == most:
        return f"value length must be {least} runes"
    return f"value length must be between {least} and {most} runes, inclusive"


def _defined(field: FieldDescriptor, of_field: FieldRules) -> Judge | None:
    if field.enum_type is None or not of_field.enum.defined_only:
        return None
    numbers = frozenset(field.enum_type.values_by_number)

    def judge(number: int) -> str | None:
        return None if number in numbers else "value must be one of the defined enum values"

    return judge


def _within(_field: FieldDescriptor, of_field: FieldRules) -> Judge:
    of_time = of_field.duration
    least_ns, most_ns = -_NO_LIMIT * _NS, _NO_LIMIT * _NS
    if of_time.HasField("gte"):
        least_ns = of_time.gte.ToNanoseconds()
    if of_time.HasField("lte"):
        most_ns = of_time.lte.ToNanoseconds()
    if least_ns >= most_ns:
        raise ValueError("expected gte to be less than lte")
    outside = _bounds(of_time)

    def judge(duration: Duration) -> str | None:
        seconds, nanos = duration.seconds, duration.nanos
        fault = _duration_fault(seconds, nanos)
        if fault is not None:
            return f"value is not a valid duration | caused by: {fault}"
        return None if least_ns <= seconds * _NS + nanos <= most_ns else outside

    return judge


def _bounds(of_time: DurationRules) -> str:
    if not of_time.HasField("lte"):
        return f"value must be greater than or equal to {_go_text(of_time.gte)}"
    if not of_time.HasField("gte"):
        return f"value must be less than or equal to {_go_text(of_time.lte)}"
    return f"value must be inside range [{_go_text(of_time.gte)}, {_go_text(of_time.lte)}]"


def _duration_fault(seconds: int, nanos: int) -> str | None:
    """What is wrong with a Duration of any numbers, in the words of Go's durationpb."""
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
    """As Go writes it; from a minute on, and below a second, that would be in other units."""
    if duration.nanos or not 0 <= duration.seconds < 60:
        raise ValueError(
            f"expected a bound of whole seconds below 60, got {duration.ToJsonString()}"
        )
    return f"{duration.seconds}s"


_TYPES: Final = {FieldDescriptor.TYPE_STRING: "string", FieldDescriptor.TYPE_ENUM: "enum"}
_KINDS: Final[Mapping[str, tuple[str, Callable[[FieldDescriptor, FieldRules], Judge | None]]]] = {
    "string": ("string", _length),
    "enum": ("enum", _defined),
    "duration": (Duration.DESCRIPTOR.full_name, _within),
}
