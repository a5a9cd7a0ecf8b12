"""Makes the SQL of a list of actions: the statement for a page, and the one that counts.

SQLite's own LIKE, lower() and length() fold ASCII only, know wildcards, or end a text at its first
NUL character; what is used here compares whole texts, byte by byte.
Rule: each list names its index here; SQLite, which knows no sizes, would guess.
"""

from typing import Final, NamedTuple, TypeAlias

from server.domain.action import Action
from server.domain.names import fold
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

SqlValue: TypeAlias = str | int | bytes

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
    window = (query.limit + 1 if query.limit else -1, min(query.offset, _INT64_MAX))
    condition, values = _condition(org_id, query)
    order = order.format("DESC" if query.is_descending else "ASC")
    sql = select(
        f"actions {_index_of_one(query) or index}",
        Action,
        f"{condition} ORDER BY {order} LIMIT ? OFFSET ?",
    )
    return Statement(sql, (*values, *window))


def total(org_id: str, query: ActionsQuery) -> Statement:
    """Returns the statement that counts the matches; it has no row if there is no action."""
    if not query.filters:
        return Statement(_KEPT_TOTAL, (org_id,))
    index = _OF_AN_ORG if _has(query, NameFilter) else _BY_STATE
    condition, values = _condition(org_id, query)
    table = f"actions {_index_of_one(query) or index}"
    return Statement(f"SELECT count(*) FROM {table} WHERE {condition}", values)  # noqa: S608 - ours


def _has(query: ActionsQuery, kind: type[ActionFilter]) -> bool:
    return any(isinstance(each, kind) for each in query.filters)


def _index_of_one(query: ActionsQuery) -> str:
    """Returns the index of a filter that at most one action can pass; empty if there is none."""
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


def _condition_of(each: ActionFilter) -> tuple[str, *tuple[SqlValue, ...]]:
    match each:
        case IdFilter(id):
            return "id = ?", id
        case StateFilter(state):
            return "state = ?", state
        case NameFilter(text, Match.WHOLE, ignores_case):
            # An organisation has a folded name once, so its index finds the name in any case.
            folded = ("folded_name = ?", fold(text))
            return folded if ignores_case else ("folded_name = ? AND name = ?", fold(text), text)
        case NameFilter(text, where, ignores_case):
            column, text = ("folded_name", fold(text)) if ignores_case else ("name", text)
            if where is Match.END:
                # Of a text, substr() knows the end only where there is no NUL character.
                octets = text.encode()
                end = f"substr(CAST({column} AS BLOB), ?, ?)"
                return f"{end} = ?", -len(octets), len(octets), octets
            return f"instr({column}, ?) {'= 1' if where is Match.START else '> 0'}", text
