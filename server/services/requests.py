"""Converts requests of the Management API into queries.

Follows docs/api.md "Enums" and "Reads and lists". An unknown number of an enum is refused in a
filter, and means the order of creation as a sorting column.
"""

from typing import Final

from server.domain.refusals import invalid
from server.store.action_lists import (
    ActionFilter,
    ActionsQuery,
    IdFilter,
    Match,
    NameFilter,
    Order,
    StateFilter,
)
from zitadel import action_pb2, object_pb2
from zitadel import management_pb2 as pb

LIMIT_MAX: Final = 1000
"""Max entries of one page, also if the request sets no limit; a larger limit is refused."""

_ORDERS: Final = {
    action_pb2.ACTION_FIELD_NAME_NAME: Order.NAME,
    action_pb2.ACTION_FIELD_NAME_ID: Order.ID,
    action_pb2.ACTION_FIELD_NAME_STATE: Order.STATE,
}

TEXT_METHODS: Final = {
    object_pb2.TEXT_QUERY_METHOD_EQUALS: (Match.WHOLE, False),
    object_pb2.TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE: (Match.WHOLE, True),
    object_pb2.TEXT_QUERY_METHOD_STARTS_WITH: (Match.START, False),
    object_pb2.TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE: (Match.START, True),
    object_pb2.TEXT_QUERY_METHOD_CONTAINS: (Match.ANYWHERE, False),
    object_pb2.TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE: (Match.ANYWHERE, True),
    object_pb2.TEXT_QUERY_METHOD_ENDS_WITH: (Match.END, False),
    object_pb2.TEXT_QUERY_METHOD_ENDS_WITH_IGNORE_CASE: (Match.END, True),
}


def actions_query(request: pb.ListActionsRequest) -> ActionsQuery:
    """Returns the query of a request.

    Raises:
        Refusal: the limit is too large, or a filter is empty or unknown.
    """
    if request.query.limit > LIMIT_MAX:
        raise invalid("Errors.Query.LimitExceeded", "QUERY-4M0fs")
    filters = tuple(_filter(query) for query in request.queries)
    order = _ORDERS.get(request.sorting_column, Order.CREATION)
    return ActionsQuery(
        filters=filters,
        order=order,
        is_descending=order is not Order.CREATION and not request.query.asc,
        offset=request.query.offset,
        limit=request.query.limit or LIMIT_MAX,
    )


def sorted_by(request: pb.ListActionsRequest) -> action_pb2.ActionFieldName.ValueType:
    """Returns the column that a list is sorted by; unspecified for the order of creation."""
    column = request.sorting_column
    return column if column in _ORDERS else action_pb2.ACTION_FIELD_NAME_UNSPECIFIED


def _filter(query: pb.ActionQuery) -> ActionFilter:
    match query.WhichOneof("query"):
        case "action_id_query":
            return IdFilter(query.action_id_query.id)
        case "action_name_query" if query.action_name_query.method in TEXT_METHODS:
            name = query.action_name_query
            return NameFilter(name.name, *TEXT_METHODS[name.method])
        case "action_state_query":
            return StateFilter(query.action_state_query.state)
    raise invalid("Errors.Query.InvalidRequest", "MGMT-dsg3z")
