"""Defines a list of organisations: filters, which all have to match, an order and a window.

Follows docs/api.md "Reads and lists" and "Organisations". Names are compared as those of actions
are (`action_lists`); the primary domain of an organisation is its folded name.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from server.store.action_lists import Match, NameFilter


@dataclass(frozen=True, slots=True)
class DomainFilter:
    """Matches organisations by their primary domain."""

    text: str
    match: Match
    ignores_case: bool


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """Matches all organisations if it asks for active ones, else none: all are active."""

    is_active: bool


OrgFilter: TypeAlias = NameFilter | DomainFilter | ActiveFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgsQuery:
    """Describes one page of a list.

    Attributes:
        is_by_name: sorts by the folded name, which is unique; otherwise by creation.
        is_descending: the same order backwards.
        offset: number of matches before the page; any uint64.
        limit: max organisations on the page; 0 for no limit.
    """

    filters: tuple[OrgFilter, ...] = ()
    is_by_name: bool = False
    is_descending: bool = False
    offset: int = 0
    limit: int = 0


EVERY_ORG: Final = OrgsQuery()
