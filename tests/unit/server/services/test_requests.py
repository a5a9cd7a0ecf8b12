"""Queries of lists of actions, made of requests."""

import pytest

from server.domain.refusals import Kind, Refusal
from server.services.requests import actions_query, sorted_by
from server.store.action_lists import (
    ActionsQuery,
    IdFilter,
    Match,
    NameFilter,
    Order,
    StateFilter,
)
from tests.support.tables import cases
from zitadel import action_pb2, object_pb2
from zitadel import management_pb2 as pb

EQUALS = object_pb2.TEXT_QUERY_METHOD_EQUALS


def named(method: int) -> pb.ActionQuery:
    query = action_pb2.ActionNameQuery(name="a", method=method)  # type: ignore[arg-type]  # any
    return pb.ActionQuery(action_name_query=query)


@pytest.mark.parametrize(
    ("method", "match", "ignores_case"),
    [
        ("EQUALS", Match.WHOLE, False),
        ("EQUALS_IGNORE_CASE", Match.WHOLE, True),
        ("STARTS_WITH", Match.START, False),
        ("STARTS_WITH_IGNORE_CASE", Match.START, True),
        ("CONTAINS", Match.ANYWHERE, False),
        ("CONTAINS_IGNORE_CASE", Match.ANYWHERE, True),
        ("ENDS_WITH", Match.END, False),
        ("ENDS_WITH_IGNORE_CASE", Match.END, True),
    ],
)
def test_text_method_is_read(method: str, match: Match, ignores_case: bool) -> None:
    number = object_pb2.TextQueryMethod.Value(f"TEXT_QUERY_METHOD_{method}")
    query = actions_query(pb.ListActionsRequest(queries=[named(number)]))
    assert query.filters == (NameFilter("a", match, ignores_case),)


@pytest.mark.parametrize("name", pb.ActionQuery.DESCRIPTOR.fields_by_name)
def test_every_filter_of_the_api_is_read(name: str) -> None:
    query = pb.ActionQuery()
    getattr(query, name).SetInParent()
    assert len(actions_query(pb.ListActionsRequest(queries=[query])).filters) == 1


@pytest.mark.parametrize("column", action_pb2.ActionFieldName.values())
def test_every_column_of_the_api_is_sorted_by(column: action_pb2.ActionFieldName.ValueType) -> None:
    assert sorted_by(pb.ListActionsRequest(sorting_column=column)) == column


def test_filters_are_read_in_their_order() -> None:
    request = pb.ListActionsRequest(
        queries=[
            pb.ActionQuery(
                action_state_query=action_pb2.ActionStateQuery(state=action_pb2.ACTION_STATE_ACTIVE)
            ),
            pb.ActionQuery(action_id_query=action_pb2.ActionIDQuery(id="7")),
        ]
    )
    assert actions_query(request).filters == (StateFilter(2), IdFilter("7"))


@cases(
    "request_",
    {
        "a filter of nothing": pb.ListActionsRequest(queries=[pb.ActionQuery()]),
        "the second of nothing": pb.ListActionsRequest(queries=[named(EQUALS), pb.ActionQuery()]),
        "a method that there is not": pb.ListActionsRequest(queries=[named(8)]),
        "a method below all": pb.ListActionsRequest(queries=[named(-1)]),
    },
)
def test_mgmt_dsg3z_filter_that_says_nothing_known_is_refused(
    request_: pb.ListActionsRequest,
) -> None:
    with pytest.raises(Refusal) as refused:
        actions_query(request_)
    assert (refused.value.kind, refused.value.key, refused.value.id) == (
        Kind.INVALID_ARGUMENT,
        "Errors.Query.InvalidRequest",
        "MGMT-dsg3z",
    )


def test_query_4m0fs_limit_is_refused_before_filters() -> None:
    query = object_pb2.ListQuery(limit=1001)
    with pytest.raises(Refusal, match="QUERY-4M0fs"):
        actions_query(pb.ListActionsRequest(query=query, queries=[pb.ActionQuery()]))


@pytest.mark.parametrize(
    ("column", "asc", "order", "is_descending", "told"),
    [
        (0, False, Order.CREATION, False, 0),
        (0, True, Order.CREATION, False, 0),
        (1, False, Order.NAME, True, 1),
        (1, True, Order.NAME, False, 1),
        (2, True, Order.ID, False, 2),
        (3, False, Order.STATE, True, 3),
        (4, False, Order.CREATION, False, 0),
        (2**31 - 1, True, Order.CREATION, False, 0),
        (-(2**31), True, Order.CREATION, False, 0),
    ],
)
def test_order_is_read_and_told(
    column: int, asc: bool, order: Order, is_descending: bool, told: int
) -> None:
    request = pb.ListActionsRequest(
        query=object_pb2.ListQuery(asc=asc),
        sorting_column=column,  # type: ignore[arg-type]  # any number may arrive
    )
    expected = ActionsQuery(order=order, is_descending=is_descending, limit=1000)
    assert actions_query(request) == expected
    assert sorted_by(request) == told
