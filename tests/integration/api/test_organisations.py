"""Look-ups of organisations by tools: that of the call, by id, by domain, in lists.

Calls and their order are those of ZITADEL's Terraform provider: its data sources of one
organisation, and of many.
"""

from typing import Any, Final

import grpc
import pytest

from tests.support.accounts import Accounts
from tests.support.api_client import PROTOCOLS, ApiClient, Caller
from zitadel import admin_pb2, object_pb2, org_pb2
from zitadel import management_pb2 as pb

PAGE: Final = 1_000
"""Max organisations of one answer."""

NOT_SERVED: Final = (
    "not served: of ZITADEL's APIs, this service has actions and flows of the management service, "
    "and looks organisations up"
)


@pytest.fixture
async def viewer(api: ApiClient, accounts: Accounts, caller: Caller) -> Caller:
    """Someone in the caller's organisation who may read the whole instance."""
    user_id = await accounts.user(caller.org_id, "IAM_OWNER_VIEWER")
    _, token = await accounts.token(user_id)
    return Caller(api, token, caller.org_id)


async def my_org(caller: Caller) -> org_pb2.Org:
    response: pb.GetMyOrgResponse = await caller.get(pb.GetMyOrgRequest())
    return response.org


async def test_the_organisation_of_the_call_is_returned(caller: Caller, protocol: str) -> None:
    answer = await caller.ask(protocol, pb.GetMyOrgRequest())
    assert answer.code == 0
    org = answer.response.org
    assert (org.id, org.state) == (caller.org_id, org_pb2.ORG_STATE_ACTIVE)
    assert org.name
    assert org.primary_domain == org.name.lower()
    assert (org.details.sequence, org.details.resource_owner) == (1, caller.org_id)
    assert 0 < org.details.creation_date.ToNanoseconds() == org.details.change_date.ToNanoseconds()


async def test_an_organisation_is_found_by_its_domain_from_every_other(
    caller: Caller, stranger: Caller, protocol: str
) -> None:
    org = await my_org(stranger)
    for domain in (org.primary_domain, org.name.upper()):
        answer = await caller.ask(protocol, pb.GetOrgByDomainGlobalRequest(domain=domain))
        assert (answer.code, answer.response.org) == (0, org)


async def test_an_organisation_that_there_is_not_is_not_found(
    caller: Caller, viewer: Caller, protocol: str
) -> None:
    by_domain = pb.GetOrgByDomainGlobalRequest(domain="no.such.example")
    answer = await caller.ask(protocol, by_domain)
    assert (answer.code, answer.details[0][0]) == (5, "QUERY-iTTGJ")
    answer = await viewer.ask(protocol, admin_pb2.GetOrgByIDRequest(id="404"))
    assert answer.refusal[:2] == (5, "Organisation 404 not found (QUERY-iTTGJ)")


async def test_an_organisation_is_read_by_its_id(
    viewer: Caller, stranger: Caller, protocol: str
) -> None:
    answer = await viewer.ask(protocol, admin_pb2.GetOrgByIDRequest(id=stranger.org_id))
    assert (answer.code, answer.response.org) == (0, await my_org(stranger))
    default = await viewer.ask(protocol, admin_pb2.GetDefaultOrgRequest())
    assert (default.code, default.response.org.name) == (0, "Default")


async def all_pages(
    viewer: Caller, request: admin_pb2.ListOrgsRequest, protocol: str
) -> list[org_pb2.Org]:
    """Reads all pages of a list: other tests of the service make organisations, too."""
    found: list[org_pb2.Org] = []
    while True:
        request.query.offset, request.query.limit = len(found), PAGE
        answer = await viewer.ask(protocol, request)
        assert answer.code == 0
        page: admin_pb2.ListOrgsResponse = answer.response
        found += page.result
        if len(found) >= page.details.total_result:
            assert len(found) == page.details.total_result
            return found


async def test_organisations_are_listed_by_name_domain_and_state(
    accounts: Accounts, viewer: Caller, stranger: Caller, protocol: str
) -> None:
    name_of_mine = f"Wagner & Töchter {protocol}"
    mine = await accounts.org(name_of_mine)
    other = await my_org(stranger)

    async def ids(*queries: org_pb2.OrgQuery) -> list[str]:
        request = admin_pb2.ListOrgsRequest(queries=queries)
        return [org.id for org in await all_pages(viewer, request, protocol)]

    def name(text: str, method: object_pb2.TextQueryMethod.ValueType) -> org_pb2.OrgQuery:
        return org_pb2.OrgQuery(name_query=org_pb2.OrgNameQuery(name=text, method=method))

    def state(number: org_pb2.OrgState.ValueType) -> org_pb2.OrgQuery:
        return org_pb2.OrgQuery(state_query=org_pb2.OrgStateQuery(state=number))

    domain = org_pb2.OrgQuery(domain_query=org_pb2.OrgDomainQuery(domain=other.primary_domain))
    listed = await ids()
    assert {mine, other.id} <= {*listed}
    assert await ids(name(name_of_mine, object_pb2.TEXT_QUERY_METHOD_EQUALS)) == [mine]
    assert await ids(name(name_of_mine.swapcase(), object_pb2.TEXT_QUERY_METHOD_EQUALS)) == []
    folded = object_pb2.TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE
    assert await ids(name(name_of_mine.swapcase(), folded)) == [mine]
    assert mine in await ids(name(name_of_mine[:3], object_pb2.TEXT_QUERY_METHOD_STARTS_WITH))
    assert mine in await ids(name(name_of_mine[1:-1], object_pb2.TEXT_QUERY_METHOD_CONTAINS))
    assert mine in await ids(name(name_of_mine[-3:], object_pb2.TEXT_QUERY_METHOD_ENDS_WITH))
    assert await ids(domain) == [other.id]
    assert await ids(state(org_pb2.ORG_STATE_ACTIVE)) == listed
    assert await ids(state(org_pb2.ORG_STATE_INACTIVE)) == []
    assert await ids(domain, name(name_of_mine, folded)) == []


async def test_a_list_of_organisations_is_sorted_and_cut(viewer: Caller, stranger: Caller) -> None:
    request = admin_pb2.ListOrgsRequest(
        query=object_pb2.ListQuery(asc=True), sorting_column=org_pb2.ORG_FIELD_NAME_NAME
    )
    listed = await viewer.get(request)
    assert listed.sorting_column == org_pb2.ORG_FIELD_NAME_NAME
    names = [org.name.lower() for org in await all_pages(viewer, request, PROTOCOLS[0])]
    assert len(names) > 2
    assert names == sorted(names)
    request.query.CopyFrom(object_pb2.ListQuery(offset=1, limit=1))
    page = await viewer.get(request)
    assert [org.name.lower() for org in page.result] == [sorted(names, reverse=True)[1]]
    assert page.details.total_result == len(names)


async def test_a_list_of_organisations_refuses_what_a_list_of_actions_refuses(
    viewer: Caller, protocol: str
) -> None:
    too_many = admin_pb2.ListOrgsRequest(query=object_pb2.ListQuery(limit=1001))
    answer = await viewer.ask(protocol, too_many)
    assert answer.refusal[:2] == (3, "Limit exceeded (QUERY-4M0fs)")
    nothing = admin_pb2.ListOrgsRequest(queries=[org_pb2.OrgQuery()])
    answer = await viewer.ask(protocol, nothing)
    assert answer.code == 3
    assert answer.refusal[1].endswith("invalid OrgQuery.Query: value is required")


@pytest.mark.parametrize(
    "method",
    [
        "/zitadel.management.v1.ManagementService/ListUsers",
        "/zitadel.admin.v1.AdminService/SetUpOrg",
        "/zitadel.user.v2.UserService/ListUsers",
    ],
)
@pytest.mark.parametrize("has_token", [True, False])
async def test_another_method_of_zitadel_is_unimplemented_and_says_what_there_is(
    caller: Caller, method: str, has_token: bool
) -> None:
    multi: Any = caller.api.channel.unary_unary(method)
    metadata = (("authorization", f"Bearer {caller.token}"),) if has_token else ()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await multi(b"", metadata=metadata, timeout=30)
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert failed.value.details() == NOT_SERVED
    url = f"http://{caller.api.http}{method}"
    headers = {**dict(metadata), "Content-Type": "application/grpc-web+proto"}
    async with caller.api.session.post(url, headers=headers, data=bytes(5)) as answer:
        body = await answer.read()
    assert (answer.status, body[5:].decode()) == (
        200,
        f"grpc-status:12\r\ngrpc-message:{NOT_SERVED}\r\n",
    )


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        pytest.param("POST", "/zitadel.user.v2.UserService/ListUsers", id="a method's own path"),
        pytest.param("POST", "/management/v1/users/_search", id="ListUsers"),
        pytest.param("POST", "/management/v1/orgs", id="AddOrg"),
        pytest.param("GET", "/admin/v1/instances/me", id="GetMyInstance"),
        pytest.param("GET", "/auth/v1/users/me", id="GetMyUser"),
        pytest.param("POST", "/v2/sessions/search", id="ListSessions"),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
async def test_a_rest_path_of_another_method_of_zitadel_says_what_there_is(
    caller: Caller, verb: str, path: str, accept: str
) -> None:
    url, headers = f"http://{caller.api.http}{path}", {"Accept": accept}
    async with caller.api.session.request(verb, url, headers=headers) as answer:
        said = (answer.status, await answer.json())
    assert said == (501, {"code": 12, "message": NOT_SERVED})


async def test_a_method_of_somebody_else_is_not_found(caller: Caller) -> None:
    multi: Any = caller.api.channel.unary_unary("/a.B/C")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await multi(b"", timeout=30)
    assert (failed.value.code(), failed.value.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "Method not found!",
    )
