"""Reads and writes scalar values as ProtoJSON has them.

Follows protobuf.dev, "ProtoJSON Format": 64-bit integers are strings, either form of base64 is
read, a number may stand in quotes, NaN and the infinities are words.
Rule 1: a value is read exactly or refused; nothing is rounded, cut or guessed.
Rule 2: this file knows JSON values, not JSON text (json_text.py) and not messages (decoder.py).
"""

import binascii
import math
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from transcoder.errors import shown

ValueReader = Callable[[object, int], object]
"""JSON value, levels of messages left → the value of a field; raises Fault."""

PATH_SHOWN_CHARS: Final = 200
"""Max characters of a path in an error; more only where its last step is longer."""

NULL_VALUE: Final = "google.protobuf.NullValue"

FLOAT_CPPTYPES: Final = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)

INTEGERS: Final[Mapping[int, tuple[str, int, int]]] = {
    FieldDescriptor.TYPE_INT32: ("int32", -(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: ("int32", -(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: ("int32", -(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: ("uint32", 0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: ("uint32", 0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: ("int64", -(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: ("int64", -(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: ("int64", -(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: ("uint64", 0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: ("uint64", 0, 2**64 - 1),
}

_ENUM_RANGE = -(2**31), 2**31 - 1
FLOAT_EXACT: Final = 2**53
"""A double holds every integer up to this."""
FLOAT32_LIMIT = float.fromhex("0x1.ffffffp+127")  # from here on, rounding to 32 bits overflows
_FLOAT32 = struct.Struct("f")
NUMBER: Final = re.compile(
    r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
)  # RFC 8259 section 6
_NUMBER_MAX_CHARS = 1000
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*(={0,2})")
_BASE64_URL_SAFE = str.maketrans("-_", "+/")
_FLOAT_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Fault(Exception):
    """A value that cannot be read or written, and where it stands.

    Attributes:
        problem: what is wrong with the value.
        path: the way to it, innermost step first: "sequence", "[3]".
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    def text(self, root: str) -> str:
        """Returns "path: problem"; `root` stands for the path of the whole value."""
        steps: list[str] = []
        left = PATH_SHOWN_CHARS
        for step in self.path:
            left -= len(step) + 1
            if left < 0 and steps:  # whole steps only: a cut quote would quote the text behind it
                steps.append("…")
                break
            steps.append(step)
        path = ".".join(reversed(steps)).replace(".[", "[")
        return f"{path or root}: {self.problem}"


class InexactNumber(Exception):
    """A number that lost digits as a float: the document has to be parsed exactly."""


class ExactFloat(float):
    """A JSON number with the text it was read from."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "ExactFloat":
        number = super().__new__(cls, text)
        number.text = text
        return number


def expected(what: str, value: object) -> Fault:
    return Fault(f"expected {what}, got {quoted(value)}")


def out_of_range(kind: str, value: object) -> Fault:
    return Fault(f"expected {kind}, got {quoted(value)}, which is out of range")


def is_digits(text: str) -> bool:
    """True if the text is ASCII digits, one at least; int() and isdigit() take others too."""
    return text.isascii() and text.isdigit()


def too_deep() -> Fault:
    return Fault("nested too deeply")


def quoted(value: object) -> str:
    """Returns a JSON value as an error message shows it."""
    if isinstance(value, str):
        return shown(value)
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value.text if isinstance(value, ExactFloat) else repr(value)
    return shown(text)[1:-1]


def integer_reader(kind: str, low: int, high: int) -> ValueReader:
    is_wide = high > FLOAT_EXACT

    def read(value: object, _: int) -> int:
        if type(value) is str:
            try:
                number = int(value)
            except ValueError:
                pass
            else:
                if f"{number}" == value and low <= number <= high:  # int() reads " +1_0" too
                    return number
        elif type(value) is int and low <= value <= high:
            return value
        return read_slowly(value)

    def read_slowly(value: object) -> int:
        number: int | None = None
        if isinstance(value, str):
            number = _integer_of(value, low, high)
        elif isinstance(value, ExactFloat):
            number = _integer_of(value.text, low, high)
        elif isinstance(value, float):
            if is_wide and abs(value) >= FLOAT_EXACT:
                raise InexactNumber
            if value.is_integer() and low <= value <= high:
                number = int(value)
        if number is None:
            is_beyond = _is_beyond(value, low, high)
            raise out_of_range(kind, value) if is_beyond else expected(kind, value)
        return number

    return read


def _is_beyond(value: object, low: float, high: float) -> bool:
    """True if the value is a number, in quotes or not, that lies outside of the range."""
    if isinstance(value, ExactFloat):
        value = value.text
    if isinstance(value, str):
        if len(value) > _NUMBER_MAX_CHARS:
            return is_digits(value.removeprefix("-"))
        return NUMBER.fullmatch(value) is not None and not low <= Decimal(value) <= high
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and not low <= value <= high  # type: ignore[operator]  # a number by now


def _integer_of(text: str, low: int, high: int) -> int | None:
    if len(text) > _NUMBER_MAX_CHARS or not NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    # The range first: int() of 1e999999999 would not fit in memory.
    if not low <= number <= high or number != number.to_integral_value():
        return None
    return int(number)


def float_reader(kind: str, limit: float) -> ValueReader:
    def read(value: object, _: int) -> float:
        if type(value) is float or type(value) is int or isinstance(value, ExactFloat):
            number = float(value)
        elif isinstance(value, str):
            if value in _FLOAT_WORDS:
                return _FLOAT_WORDS[value]
            if len(value) > _NUMBER_MAX_CHARS or not NUMBER.fullmatch(value):
                is_beyond = _is_beyond(value, -limit, limit)
                raise out_of_range(kind, value) if is_beyond else expected(kind, value)
            number = float(value)
        else:
            raise expected(kind, value)
        if abs(number) >= limit:
            raise out_of_range(kind, value)
        return number

    return read


read_double: Final = float_reader("double", math.inf)
read_float: Final = float_reader("float", FLOAT32_LIMIT)


def read_bool(value: object, _: int) -> bool:
    if value.__class__ is not bool:
        raise expected("bool", value)
    return value is True


def read_bool_text(value: object, _: int) -> bool:
    """Reads a bool from text: in a path, a query, or the key of a map."""
    if value != "true" and value != "false":
        raise expected("bool", value)
    return value == "true"


def read_string(value: object, _: int) -> str:
    if not isinstance(value, str):
        raise expected("string", value)
    return value


def read_bytes(value: object, _: int) -> bytes:
    if not isinstance(value, str):
        raise expected("base64", value)
    # Before 3.13 strict_mode lets padding pass that belongs to no group.
    if len(value) % 4 == 0 and value[-3:] != "===":
        try:
            return binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            pass
    return _unpadded_or_url_safe(value)


def _unpadded_or_url_safe(text: str) -> bytes:
    match = _BASE64.fullmatch(text)
    misses = -len(text) % 4
    if match is None or misses == 3 or (match[1] and misses):
        raise expected("base64", text)
    return binascii.a2b_base64(text.translate(_BASE64_URL_SAFE) + "=" * misses)


def enum_numbers(enum: EnumDescriptor) -> dict[str, int]:
    return {value.name: value.number for value in enum.values}


def enum_reader(enum: EnumDescriptor, *, ignores_unknown: bool = False) -> ValueReader:
    """Returns a reader by name or number; an open enum takes any number, NullValue null too.

    Args:
        enum: the type of the values.
        ignores_unknown: read an unknown name as None, as if the value were absent.
    """
    numbers = enum_numbers(enum)
    known = frozenset(numbers.values()) if enum.is_closed else None
    kind = f"a value of {enum.full_name}"
    is_null = enum.full_name == NULL_VALUE

    def read(value: object, _: int) -> int | None:
        number: int | None = None
        if isinstance(value, str):
            number = numbers.get(value)
            if number is not None:
                return number
            if NUMBER.fullmatch(value):
                number = _integer_of(value, *_ENUM_RANGE)
            elif ignores_unknown:
                return None
        elif value is None:
            if is_null:
                return 0
        elif isinstance(value, int | float) and not isinstance(value, bool):
            number = int(value) if int(value) == value else None
        if number is None or (
            not _ENUM_RANGE[0] <= number <= _ENUM_RANGE[1] if known is None else number not in known
        ):
            raise expected(kind, value)
        return number

    return read


def float_word(number: float) -> str:
    """Returns the word that JSON has for NaN or an infinity."""
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def is_minus_zero(number: float) -> bool:
    return number == 0 and math.copysign(1, number) < 0


def shortest_float(number: float) -> object:
    """Returns a 32-bit float with the fewest digits that read back as the same 32 bits."""
    if abs(number) < 10_000 and (number * 4).is_integer():
        return number  # it has six digits at most, which 32 bits can tell apart
    if not math.isfinite(number):
        return float_word(number)
    for digits in range(6, 9):
        short = float(f"{number:.{digits}g}")
        if short == number or _FLOAT32.unpack(_FLOAT32.pack(short))[0] == number:
            return short
    return float(f"{number:.9g}")
