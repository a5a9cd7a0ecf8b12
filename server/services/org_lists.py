"""Fills messages of organisations, and turns the request of a list into a query.

Follows docs/api.md "Organisations" and "Reads and lists". There are no domains here: the primary
domain of an organisation is its name in lower case, which is unique in the instance.
"""

from server.domain.names import fold
from server.domain.org import Org
from server.domain.refusals import Refusal, invalid, not_found
from server.services.messages import fill_org_details
from server.services.requests import LIMIT_MAX, TEXT_METHODS
from server.store.action_lists import NameFilter
from server.store.org_lists import ActiveFilter, DomainFilter, OrgFilter, OrgsQuery
from server.store.read_model import Page
from server.timestamps import set_time
from zitadel import admin_pb2 as pb
from zitadel import org_pb2


def fill_org(message: org_pb2.Org, org: Org) -> None:
    message.id = org.id
    fill_org_details(message.details, org)
    message.state = org_pb2.ORG_STATE_ACTIVE
    message.name = org.name
    message.primary_domain = fold(org.name)


def org_not_found(org_id: str) -> Refusal:
    return not_found("Errors.Org.NotFound", "QUERY-iTTGJ", values={"org_id": org_id})


def orgs_query(request: pb.ListOrgsRequest) -> OrgsQuery:
    """Returns the query of a request.

    Raises:
        Refusal: the limit is too large, or a filter is unknown.
    """
    if request.query.limit > LIMIT_MAX:
        raise invalid("Errors.Query.LimitExceeded", "QUERY-4M0fs")
    is_by_name = sorted_by(request) == org_pb2.ORG_FIELD_NAME_NAME
    return OrgsQuery(
        filters=tuple(map(_filter, request.queries)),
        is_by_name=is_by_name,
        is_descending=is_by_name and not request.query.asc,
        offset=request.query.offset,
        limit=request.query.limit or LIMIT_MAX,
    )


def sorted_by(request: pb.ListOrgsRequest) -> org_pb2.OrgFieldName.ValueType:
    """Returns the column that a list is sorted by; unspecified for the order of creation."""
    is_by_name = request.sorting_column == org_pb2.ORG_FIELD_NAME_NAME
    return org_pb2.ORG_FIELD_NAME_NAME if is_by_name else org_pb2.ORG_FIELD_NAME_UNSPECIFIED


def list_orgs(page: Page[Org], column: org_pb2.OrgFieldName.ValueType) -> pb.ListOrgsResponse:
    response = pb.ListOrgsResponse(sorting_column=column)
    response.details.total_result = page.total
    set_time(response.details.view_timestamp, page.viewed_at)
    for org in page.items:
        fill_org(response.result.add(), org)
    return response


def _filter(query: org_pb2.OrgQuery) -> OrgFilter:
    match query.WhichOneof("query"):
        case "name_query" if query.name_query.method in TEXT_METHODS:
            name = query.name_query
            return NameFilter(name.name, *TEXT_METHODS[name.method])
        case "domain_query" if query.domain_query.method in TEXT_METHODS:
            domain = query.domain_query
            return DomainFilter(domain.domain, *TEXT_METHODS[domain.method])
        case "state_query":
            return ActiveFilter(query.state_query.state == org_pb2.ORG_STATE_ACTIVE)
    raise invalid("Errors.Query.InvalidRequest", "ADMIN-vR9nC")
