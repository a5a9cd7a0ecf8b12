"""Defines refusals: errors by which a rule forbids a command or a query.

A refusal has the key of its text; the locale has the text.
"""

from collections.abc import Mapping
from enum import Enum, auto


class Kind(Enum):
    INVALID_ARGUMENT = auto()
    NOT_FOUND = auto()
    ALREADY_EXISTS = auto()
    PERMISSION_DENIED = auto()
    FAILED_PRECONDITION = auto()
    ABORTED = auto()
    RESOURCE_EXHAUSTED = auto()
    UNAUTHENTICATED = auto()
    UNAVAILABLE = auto()


class Refusal(Exception):
    """Says that a rule forbids what one caller asks.

    Attributes:
        key: the key of the text ("Errors.Action.NotInactive").
        id: the id of the error ("COMMAND-J53zh"); if it is empty, the status has no ErrorDetail
            and no id in its message.
        values: of the text's placeholders, by name.
    """

    def __init__(
        self,
        kind: Kind,
        key: str,
        id: str = "",
        *,
        values: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind, key, id)
        self.kind = kind
        self.key = key
        self.id = id
        self.values: Mapping[str, str] = values or {}


class Unchanged(Refusal):
    """The refusal of a write that would change nothing."""


def invalid(key: str, place: str, *, values: Mapping[str, str] | None = None) -> Refusal:
    return Refusal(Kind.INVALID_ARGUMENT, key, place, values=values)


def not_found(key: str, place: str, *, values: Mapping[str, str] | None = None) -> Refusal:
    return Refusal(Kind.NOT_FOUND, key, place, values=values)


def already_exists(key: str, place: str) -> Refusal:
    return Refusal(Kind.ALREADY_EXISTS, key, place)


def failed_precondition(key: str, place: str) -> Refusal:
    return Refusal(Kind.FAILED_PRECONDITION, key, place)


def aborted(key: str, place: str, *, values: Mapping[str, str]) -> Refusal:
    return Refusal(Kind.ABORTED, key, place, values=values)


def unchanged(key: str, place: str) -> Refusal:
    return Unchanged(Kind.FAILED_PRECONDITION, key, place)
