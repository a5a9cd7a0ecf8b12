"""Defines a list of actions: filters, which all have to match, an order and a window.

Follows docs/api.md "Reads and lists". Letters are told apart or folded (`names.fold`) as the
filter says; nothing in a text is a wildcard; a text that is empty is in every name.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias


class Match(Enum):
    """Where in a name a filter's text must be."""

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
    """Keys of the sort order; descending is the same order backwards.

    By name is by the folded name, which an organisation has once; by state is inactive before
    active, and by creation within. Texts are compared by their code points.
    """

    CREATION = auto()
    NAME = auto()
    ID = auto()
    STATE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsQuery:
    """One page of a list.

    Attributes:
        offset: matches to pass over; any uint64.
        limit: the most that are wanted; 0 for all.
    """

    filters: tuple[ActionFilter, ...] = ()
    order: Order = Order.CREATION
    is_descending: bool = False
    offset: int = 0
    limit: int = 0


EVERY_ACTION: Final = ActionsQuery()
