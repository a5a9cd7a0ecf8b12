"""Parses the option `--expires` of commands that make tokens and keys."""

import re
import time
from datetime import datetime
from typing import Final

import click

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_US: Final = 1_000_000
_END_AT: Final = 253_402_300_800 * _US
"""Microseconds at the year 10000, UTC, the first that a Timestamp cannot hold."""


def expiry(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Parses an expiry to microseconds since the epoch; "90d" counts from now."""
    if text is None or text == "never":
        return None
    at = _moment(text)
    if at is None or at >= _END_AT:
        raise click.BadParameter(
            "expected never, a time from now (12h, 90d), or a date and time with its zone "
            f"(2030-01-31T12:00:00Z), got {text[:40]!r}"
        )
    return at


def _moment(text: str) -> int | None:
    if match := re.fullmatch(r"([0-9]{1,9})([smhdw])", text):
        return time.time_ns() // 1000 + int(match[1]) * _UNIT_S[match[2]] * _US
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else int(moment.timestamp() * _US)
