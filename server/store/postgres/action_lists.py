"""Makes the SQL of a list of actions: the statement for a page, and the one that counts."""

from typing import Final, NamedTuple

from server.domain.action import Action
from server.store.action_lists import (
    ActionFilter,
    ActionsQuery,
    IdFilter,
    NameFilter,
    Order,
    StateFilter,
)
from server.store.postgres.rows import findable
from server.store.postgres.tables import select
from server.store.postgres.text_conditions import Conditions, SqlValue

_KEPT_TOTAL: Final = "SELECT total FROM action_totals WHERE org_id = $1"

_ORDERS: Final = {
    Order.CREATION: "position {0}",
    Order.NAME: "folded_name {0}",
    Order.ID: "id {0}",
    Order.STATE: "state {0}, position {0}",
}


class Statement(NamedTuple):
    sql: str
    values: tuple[SqlValue, ...]


def page(org_id: str, query: ActionsQuery) -> Statement:
    """Returns the statement for a page and one row more: the last page needs no count."""
    conditions = _conditions(org_id, query)
    order = _ORDERS[query.order].format("DESC" if query.is_descending else "ASC")
    window = conditions.window(query.limit, query.offset)
    sql = select("actions", Action, f"{conditions} ORDER BY {order} {window}")
    return Statement(sql, conditions.values)


def total(org_id: str, query: ActionsQuery) -> Statement:
    """Returns the statement that counts the matches; no row is a count of 0."""
    if not query.filters:
        return Statement(_KEPT_TOTAL, (org_id,))
    conditions = _conditions(org_id, query)
    sql = f"SELECT count(*) FROM actions WHERE {conditions}"  # noqa: S608 - names of ours
    return Statement(sql, conditions.values)


def _conditions(org_id: str, query: ActionsQuery) -> Conditions:
    conditions = Conditions()
    conditions.add("org_id = {}", org_id)
    for each in dict.fromkeys(query.filters):
        _add(conditions, each)
    return conditions


def _add(conditions: Conditions, each: ActionFilter) -> None:
    match each:
        case IdFilter(id):
            conditions.add("id = {}", findable(id))
        case StateFilter(state):
            conditions.add("state = {}", state)
        case NameFilter():
            conditions.name(each, name="name", folded="folded_name")
