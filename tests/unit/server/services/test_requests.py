"""Queries of lists of actions, made of requests."""

import pytest

from server.domain.refusals import Kind, Refusal
from server.services.requests import actions_query, sorted_by
from tests.support.tables import cases
from zitadel import action_pb2, object_pb2
from zitadel import management_pb2 as pb

EQUALS = object_pb2.TEXT_QUERY_METHOD_EQUALS


def named(method: int) -> pb.ActionQuery:
    query = action_pb2.ActionNameQuery(name="a", method=method)  # type: ignore[arg-type]  # any
    return pb.ActionQuery(action_name_query=query)


@pytest.mark.parametrize("name", pb.ActionQuery.DESCRIPTOR.fields_by_name)
def test_every_filter_of_the_api_is_read(name: str) -> None:
    query = pb.ActionQuery()
    getattr(query, name).SetInParent()
    assert len(actions_query(pb.ListActionsRequest(queries=[query])).filters) == 1


@pytest.mark.parametrize("column", action_pb2.ActionFieldName.values())
def test_every_column_of_the_api_is_sorted_by(column: action_pb2.ActionFieldName.ValueType) -> None:
    assert sorted_by(pb.ListActionsRequest(sorting_column=column)) == column


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
