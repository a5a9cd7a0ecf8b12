"""Defines a list of actions: filters, which all have to match, an order and a window.

Follows docs/api.md "Reads and lists". Names are compared as they are, or folded (`names.fold`).
Texts have no wildcards; an empty text is in every name.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias


class Match(Enum):
    """Names the part of a name that a filter's text must be."""

    WHOLE = auto()
    START = auto()
    ANYWHERE = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class NameFilter:
    text: str
    match: Match
    ignores_case: bool


@dataclass(frozen=True, slots=True)
class IdFilter:
    id: str


@dataclass(frozen=True, slots=True)
class StateFilter:
    """Matches actions of this state; an unknown number matches none."""

    state: int


ActionFilter: TypeAlias = NameFilter | IdFilter | StateFilter


class Order(Enum):
    """Names the key of the sort order; descending is the same order backwards.

    NAME is the folded name, which is unique in an organisation. STATE is inactive before active,
    then by creation. Texts are compared by code points.
    """

    CREATION = auto()
    NAME = auto()
    ID = auto()
    STATE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsQuery:
    """Describes one page of a list.

    Attributes:
        offset: number of matches before the page; any uint64.
        limit: max actions on the page; 0 for no limit.
    """

    filters: tuple[ActionFilter, ...] = ()
    order: Order = Order.CREATION
    is_descending: bool = False
    offset: int = 0
    limit: int = 0


EVERY_ACTION: Final = ActionsQuery()
