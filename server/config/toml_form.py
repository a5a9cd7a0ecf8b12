"""Writes a value in the form of TOML, to print a setting or an invalid value.

Follows TOML 1.0.0, for the types that tomllib returns.
"""

import json
import re
from datetime import date, time
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_DECIMAL_BITS_MAX: Final = 1024
"""Max bits of an integer that is written in decimal; Python writes at most 4300 digits."""
CUT_CHARS: Final = 40
"""Max characters of a value in an error."""


def cut(value: object) -> str:
    """Returns a value for an error, cut to `CUT_CHARS`: a text in quotes, any other as TOML."""
    text = value if isinstance(value, str) else toml(value)
    shown = text[:CUT_CHARS] + "…" if len(text) > CUT_CHARS else text
    return repr(shown) if isinstance(value, str) else shown


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
    """Returns a basic string: that of JSON, with DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
