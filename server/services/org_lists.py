"""Organisations as messages, and which of them a list is asked for.

Follows docs/api.md "Organisations" and "Reads and lists": filters are met together, texts
match as those of a list of actions do. There are no domains here: the primary domain of an
organisation is its name in lower case, which is unique in the instance.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from server.domain.names import fold
from server.domain.org import Org
from server.domain.refusals import Refusal, invalid, not_found
from server.services.messages import fill_org_details
from server.services.requests import LIMIT_MAX, TEXT_METHODS
from server.store.action_lists import Match
from server.timestamps import set_time
from zitadel import admin_pb2 as pb
from zitadel import org_pb2

Test: TypeAlias = Callable[[Org], bool]

_MATCHES: Final[dict[Match, Callable[[str, str], bool]]] = {
    Match.WHOLE: str.__eq__,
    Match.START: str.startswith,
    Match.ANYWHERE: str.__contains__,
    Match.END: str.endswith,
}


def fill_org(message: org_pb2.Org, org: Org) -> None:
    message.id = org.id
    fill_org_details(message.details, org)
    message.state = org_pb2.ORG_STATE_ACTIVE
    message.name = org.name
    message.primary_domain = primary_domain(org)


def org_not_found(org_id: str) -> Refusal:
    return not_found("Errors.Org.NotFound", "QUERY-iTTGJ", values={"org_id": org_id})


def primary_domain(org: Org) -> str:
    return fold(org.name)


def tests_of(request: pb.ListOrgsRequest) -> list[Test]:
    """Returns what each organisation of the list has to pass.

    Raises:
        Refusal: the limit is too large, or a filter is unknown.
    """
    if request.query.limit > LIMIT_MAX:
        raise invalid("Errors.Query.LimitExceeded", "QUERY-4M0fs")
    return [_test(query) for query in request.queries]


def list_orgs(
    request: pb.ListOrgsRequest, tests: Sequence[Test], orgs: Sequence[Org], *, viewed_at: int
) -> pb.ListOrgsResponse:
    """Answers a list.

    Args:
        request: says order, offset and limit.
        tests: made by `tests_of` from the request.
        orgs: all that there are, in order of creation.
        viewed_at: the time of the last event stored.
    """
    found = [org for org in orgs if all(test(org) for test in tests)]
    response = pb.ListOrgsResponse()
    if request.sorting_column == org_pb2.ORG_FIELD_NAME_NAME:
        response.sorting_column = org_pb2.ORG_FIELD_NAME_NAME
        found.sort(key=lambda org: fold(org.name), reverse=not request.query.asc)
    start = request.query.offset
    shown = found[start : start + (request.query.limit or LIMIT_MAX)]
    response.details.total_result = len(found)
    set_time(response.details.view_timestamp, viewed_at)
    for org in shown:
        fill_org(response.result.add(), org)
    return response


def _test(query: org_pb2.OrgQuery) -> Test:
    match query.WhichOneof("query"):
        case "name_query" if query.name_query.method in TEXT_METHODS:
            by_name = query.name_query
            how, ignores_case = TEXT_METHODS[by_name.method]
            return _text_test(by_name.name, how, ignores_case, lambda org: org.name)
        case "domain_query" if query.domain_query.method in TEXT_METHODS:
            by_domain = query.domain_query
            how, ignores_case = TEXT_METHODS[by_domain.method]
            return _text_test(by_domain.domain, how, ignores_case, primary_domain)
        case "state_query":
            is_active = query.state_query.state == org_pb2.ORG_STATE_ACTIVE
            return lambda _: is_active
    raise invalid("Errors.Query.InvalidRequest", "ADMIN-vR9nC")


def _text_test(text: str, how: Match, ignores_case: bool, of: Callable[[Org], str]) -> Test:
    matches = _MATCHES[how]
    if ignores_case:
        folded = fold(text)
        return lambda org: matches(fold(of(org)), folded)
    return lambda org: matches(of(org), text)
