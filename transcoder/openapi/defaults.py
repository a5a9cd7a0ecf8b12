"""Finds fields that a message has to have, because their rules refuse the default value.

Follows validate/validate.proto; protovalidate does the same. A field without presence that is left
out is checked as its default, so `min_len: 1` refuses a message without it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

_FORMATS: Final = ("address", "email", "hostname", "ip", "ipv4", "ipv6", "uri", "uuid")


def may_be_empty(rules: Any) -> bool:  # noqa: ANN401  a message of either file
    """True if the rules of a field do not apply to its default."""
    kind = rules.WhichOneof("type")
    of_kind = None if kind is None else getattr(rules, kind)
    return bool(getattr(of_kind, "ignore_empty", False) or getattr(rules, "ignore", 0))


def refuses_default(field: FieldDescriptor, rules: Any) -> bool:  # noqa: ANN401
    """True if the rules refuse a message that does not have the field."""
    kind = rules.WhichOneof("type")
    if kind is None or field.has_presence or may_be_empty(rules):
        return False
    default = field.default_value
    named = [(rule.name, value) for rule, value in getattr(rules, kind).ListFields()]
    return any(name in _REFUSES and _REFUSES[name](default, value) for name, value in named)


def _is_shorter(default: Any, count: int) -> bool:  # noqa: ANN401
    return len(default) < count


def _has_other_length(default: Any, count: int) -> bool:  # noqa: ANN401
    return len(default) != count


def _is_unlike(default: Any, pattern: str) -> bool:  # noqa: ANN401
    try:
        return re.search(pattern, default) is None
    except (re.error, TypeError):  # a pattern that only RE2 reads, or one of bytes
        return False


def _is_asked(default: Any, is_asked: bool) -> bool:  # noqa: ANN401, ARG001  as the others
    return is_asked


_REFUSES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "const": lambda default, value: bool(default != value),
    "in": lambda default, values: default not in values,
    "not_in": lambda default, values: default in values,
    "gt": lambda default, value: bool(default <= value),
    "gte": lambda default, value: bool(default < value),
    "lt": lambda default, value: bool(default >= value),
    "lte": lambda default, value: bool(default > value),
    "len": _has_other_length,
    "len_bytes": _has_other_length,
    "min_len": _is_shorter,
    "min_bytes": _is_shorter,
    "min_items": _is_shorter,
    "min_pairs": _is_shorter,
    "pattern": _is_unlike,
    **dict.fromkeys(_FORMATS, _is_asked),
}
"""True if a rule with its value refuses a default, by the name of the rule."""
