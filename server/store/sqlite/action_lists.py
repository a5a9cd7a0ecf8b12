"""Makes the SQL of a list of actions: the statement for a page, and the one that counts.

Rule: each list names its index here. SQLite would guess, as it does not know how many rows match.
"""

from typing import Final, NamedTuple

from server.domain.action import Action
from server.store.action_lists import (
    ActionFilter,
    ActionsQuery,
    IdFilter,
    Match,
    NameFilter,
    Order,
    StateFilter,
)
from server.store.sqlite.tables import select
from server.store.sqlite.text_conditions import Condition, SqlValue, name_condition

_INT64_MAX: Final = 2**63 - 1

_KEPT_TOTAL: Final = "SELECT total FROM action_totals WHERE org_id = ?"

_OF_AN_ORG: Final = "INDEXED BY actions_of_an_org"
_BY_NAME: Final = "INDEXED BY actions_by_name"
_BY_ID: Final = "INDEXED BY actions_by_id"
_BY_STATE: Final = "INDEXED BY actions_by_state"

_ORDERS: Final = {
    Order.CREATION: (_OF_AN_ORG, "position {0}"),
    Order.NAME: (_BY_NAME, "folded_name {0}"),
    Order.ID: (_BY_ID, "id {0}"),
    Order.STATE: (_BY_STATE, "state {0}, position {0}"),
}


class Statement(NamedTuple):
    sql: str
    values: tuple[SqlValue, ...]


def page(org_id: str, query: ActionsQuery) -> Statement:
    """Returns the statement for a page and one row more: the last page needs no count."""
    index, order = _ORDERS[query.order]
    if query.order is Order.CREATION and not _has(query, NameFilter) and _has(query, StateFilter):
        index = _BY_STATE
    condition, values = _condition(org_id, query)
    order = order.format("DESC" if query.is_descending else "ASC")
    sql = select(
        f"actions {_index_of_one(query) or index}",
        Action,
        f"{condition} ORDER BY {order} LIMIT ? OFFSET ?",
    )
    return Statement(sql, (*values, *window(query.limit, query.offset)))


def total(org_id: str, query: ActionsQuery) -> Statement:
    """Returns the statement that counts the matches; no row is a count of 0."""
    if not query.filters:
        return Statement(_KEPT_TOTAL, (org_id,))
    index = _OF_AN_ORG if _has(query, NameFilter) else _BY_STATE
    condition, values = _condition(org_id, query)
    table = f"actions {_index_of_one(query) or index}"
    return Statement(f"SELECT count(*) FROM {table} WHERE {condition}", values)  # noqa: S608 - ours


def window(limit: int, offset: int) -> tuple[int, int]:
    """Returns the values of LIMIT and OFFSET, for one row more than the limit; 0 is no limit."""
    return (limit + 1 if limit else -1, min(offset, _INT64_MAX))


def _has(query: ActionsQuery, kind: type[ActionFilter]) -> bool:
    return any(isinstance(each, kind) for each in query.filters)


def _index_of_one(query: ActionsQuery) -> str:
    """Returns the index of a filter that at most one action passes; empty if there is none."""
    for each in query.filters:
        if isinstance(each, IdFilter):
            return _BY_ID
        if isinstance(each, NameFilter) and each.match is Match.WHOLE:
            return _BY_NAME
    return ""


def _condition(org_id: str, query: ActionsQuery) -> tuple[str, tuple[SqlValue, ...]]:
    conditions: list[str] = ["org_id = ?"]
    values: list[SqlValue] = [org_id]
    for each in dict.fromkeys(query.filters):
        condition, *its_values = _condition_of(each)
        conditions.append(condition)
        values += its_values
    return " AND ".join(conditions), tuple(values)


def _condition_of(each: ActionFilter) -> Condition:
    match each:
        case IdFilter(id):
            return "id = ?", id
        case StateFilter(state):
            return "state = ?", state
        case NameFilter():
            return name_condition(each, name="name", folded="folded_name")
