"""Defines a value of a setting before it is parsed."""

from typing import NamedTuple


class Given(NamedTuple):
    """Holds a value and its origin ("--listen", "ACTIONS_LISTEN", "file.toml: listen")."""

    value: object
    origin: str
