"""Makes the SQL of a list of organisations: the statement for a page, and the one that counts.

Folded names are in the table of unique names.
"""

from typing import Final

from server.domain.names import fold
from server.domain.org import Org
from server.store.action_lists import NameFilter
from server.store.org_lists import ActiveFilter, DomainFilter, OrgFilter, OrgsQuery
from server.store.postgres.action_lists import Statement
from server.store.postgres.tables import select
from server.store.postgres.text_conditions import Conditions

_ORGS: Final = (
    "orgs JOIN names ON names.scope = 'org' AND names.org_id = '' AND names.owner = orgs.id"
)


def page(query: OrgsQuery) -> Statement:
    """Returns the statement for a page and one row more: the last page needs no count."""
    conditions = _conditions(query)
    order = "names.name" if query.is_by_name else "orgs.position"
    direction = "DESC" if query.is_descending else "ASC"
    window = conditions.window(query.limit, query.offset)
    sql = select(_ORGS, Org, f"{conditions} ORDER BY {order} {direction} {window}", of="orgs")
    return Statement(sql, conditions.values)


def total(query: OrgsQuery) -> Statement:
    """Returns the statement that counts the matches."""
    conditions = _conditions(query)
    sql = f"SELECT count(*) FROM {_ORGS} WHERE {conditions}"  # noqa: S608 - names of ours
    return Statement(sql, conditions.values)


def _conditions(query: OrgsQuery) -> Conditions:
    conditions = Conditions()
    for each in dict.fromkeys(query.filters):
        _add(conditions, each)
    return conditions


def _add(conditions: Conditions, each: OrgFilter) -> None:
    match each:
        case ActiveFilter(is_active):
            conditions.add("true" if is_active else "false")
        case NameFilter():
            conditions.name(each, name="orgs.name", folded="names.name")
        case DomainFilter(text, match, ignores_case):
            conditions.text("names.name", fold(text) if ignores_case else text, match)
