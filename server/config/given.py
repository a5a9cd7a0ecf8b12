"""Holds a value of a setting as it was given, before it is parsed."""

from typing import NamedTuple


class Given(NamedTuple):
    """A value, and where it came from ("--listen", "ACTIONS_LISTEN", "file.toml: listen")."""

    value: object
    origin: str
