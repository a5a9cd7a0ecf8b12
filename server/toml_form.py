"""A value as a TOML file has it: a setting that is printed, and one that is refused.

Follows TOML 1.0.0, for what tomllib makes of it.
"""

import json
import re
from datetime import date, time
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_DECIMAL_BITS_MAX: Final = 1024
"""Of an integer; Python writes no decimal number of more than 4300 digits."""


def toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= _DECIMAL_BITS_MAX else hex(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        members = (f"{_key(name)} = {toml(member)}" for name, member in value.items())
        return f"{{{', '.join(members)}}}"
    return _text(str(value))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A basic string: as JSON's, but that DEL is escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
