"""Makes the SQL of a list of organisations: the statement for a page, and the one that counts.

Folded names are in the table of unique names, which has them in order.
"""

from typing import Final

from server.domain.names import fold
from server.domain.org import Org
from server.store.action_lists import NameFilter
from server.store.org_lists import ActiveFilter, DomainFilter, OrgFilter, OrgsQuery
from server.store.sqlite.action_lists import Statement, window
from server.store.sqlite.tables import select
from server.store.sqlite.text_conditions import (
    Condition,
    SqlValue,
    name_condition,
    text_condition,
)

# CROSS, so that SQLite looks at the names first: they have no index by owner.
_BY_NAME: Final = "names CROSS JOIN orgs ON orgs.id = names.owner"
_OF_ORGS: Final = "names.scope = 'org' AND names.org_id = ''"


def page(query: OrgsQuery) -> Statement:
    """Returns the statement for a page and one row more: the last page needs no count."""
    table, condition, values = _matches(query)
    order = "names.name" if query.is_by_name else "orgs.position"
    direction = "DESC" if query.is_descending else "ASC"
    sql = select(
        table, Org, f"{condition} ORDER BY {order} {direction} LIMIT ? OFFSET ?", of="orgs"
    )
    return Statement(sql, (*values, *window(query.limit, query.offset)))


def total(query: OrgsQuery) -> Statement:
    """Returns the statement that counts the matches."""
    table, condition, values = _matches(query)
    return Statement(f"SELECT count(*) FROM {table} WHERE {condition}", values)  # noqa: S608 - ours


def _matches(query: OrgsQuery) -> tuple[str, str, tuple[SqlValue, ...]]:
    """Returns the tables that a list is read from, its condition, and the values of that."""
    needs_names = query.is_by_name or any(
        isinstance(each, NameFilter | DomainFilter) for each in query.filters
    )
    conditions = [_OF_ORGS if needs_names else "true"]
    values: list[SqlValue] = []
    for each in dict.fromkeys(query.filters):
        condition, *its_values = _condition_of(each)
        conditions.append(condition)
        values += its_values
    return _BY_NAME if needs_names else "orgs", " AND ".join(conditions), tuple(values)


def _condition_of(each: OrgFilter) -> Condition:
    match each:
        case ActiveFilter(is_active):
            return ("true" if is_active else "false",)
        case NameFilter():
            return name_condition(each, name="orgs.name", folded="names.name")
        case DomainFilter(text, match, ignores_case):
            return text_condition("names.name", fold(text) if ignores_case else text, match)
