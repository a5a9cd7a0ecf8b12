"""Readers of JSON by kind: each checks a value, completes it, or says at which path it is wrong.

Rule 1: None, missing, is as when unset: "", 0, False, no entries, or null where that is a value.
Rule 2: what is given is never changed; what is read is a copy wherever it may be changed later.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from server.scripts.contract import JSON, BadContext

Shape: TypeAlias = Callable[[JSON, str], JSON]
"""Reads a value at a path."""

ZERO_TIME: Final = "0001-01-01T00:00:00Z"

_DATE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:[0-5]\d)",
    re.IGNORECASE | re.ASCII,
)
_DIGITS: Final = re.compile(r"-?\d{1,19}", re.ASCII)


def wrong(path: str, expected: str, value: JSON) -> BadContext:
    got = {dict: "an object", list: "an array", bool: str(value).lower()}.get(
        type(value), repr(value)[:40]
    )
    return BadContext(f"{path}: expected {expected}, got {got}")


def text(unset: str = "") -> Shape:
    def read(value: JSON, path: str) -> JSON:
        if value is None:
            return unset
        if not isinstance(value, str):
            raise wrong(path, "a string", value)
        return value

    return read


def flag(value: JSON, path: str) -> JSON:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise wrong(path, "true or false", value)
    return value


def integer(at_most: int = 2**63 - 1, *, at_least: int = 0, unset: int | None = 0) -> Shape:
    """An integer, which may come as digits in a string, as ProtoJSON writes those of 64 bits."""

    def read(value: JSON, path: str) -> JSON:
        if value is None:
            return unset
        number = None
        if isinstance(value, str):
            number = int(value) if _DIGITS.fullmatch(value) else None
        elif isinstance(value, float):
            number = int(value) if value.is_integer() else None
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        if number is None or not at_least <= number <= at_most:
            raise wrong(path, f"an integer from {at_least} to {at_most}", value)
        return number

    return read


def date(value: JSON, path: str) -> JSON:
    """RFC 3339; read as UTC, with as many digits of a second as say something, at most nine."""
    if value is None:
        return ZERO_TIME
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong(path, "a date as in 2025-03-04T05:06:07Z", value)
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong(path, "a date as in 2025-03-04T05:06:07Z", value) from None
    digits = (fraction or "").rstrip("0")
    return f"{moment.replace(tzinfo=None).isoformat()}{'.' + digits if digits else ''}Z"


def mapping(value: JSON, path: str) -> JSON:
    """An object with any keys."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(path, "an object", value)
    return dict(value)


def map_of(shape: Shape) -> Shape:
    def read(value: JSON, path: str) -> JSON:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise wrong(path, "an object", value)
        return {key: shape(item, f"{path}.{key[:40]}") for key, item in value.items()}

    return read


def list_of(shape: Shape) -> Shape:
    def read(value: JSON, path: str) -> JSON:
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong(path, "an array", value)
        return [shape(item, f"{path}[{index}]") for index, item in enumerate(value)]

    return read


def fields(shapes: Mapping[str, Shape]) -> Callable[[JSON, str], dict[str, JSON]]:
    """An object with these keys, in this order, and no others."""

    def read(value: JSON, path: str) -> dict[str, JSON]:
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise wrong(path, "an object", value)
        return {name: shape(value.get(name), f"{path}.{name}") for name, shape in shapes.items()}

    return read


def nullable(shape: Shape) -> Shape:
    def read(value: JSON, path: str) -> JSON:
        return None if value is None else shape(value, path)

    return read
