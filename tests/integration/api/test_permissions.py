"""Two organisations, every role, every method: what is answered, and that nothing else happens.

What is expected is docs/permissions.md, table by table.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from google.protobuf.message import Message

from actions.v1 import admin_pb2 as accounts_pb2
from actions.v1 import bridge_pb2
from actions.v1 import execution_pb2 as run
from actions.v1 import secrets_pb2 as secrets
from actions.v1 import versions_pb2 as versions
from tests.support import permission_table
from tests.support.accounts import Accounts
from tests.support.api_client import GRPC, PROTOCOLS, Answer, ApiClient, Caller
from tests.support.permission_table import (
    ANONYMOUS,
    CALLERS,
    METHOD_NAMES,
    NO_MEMBER,
    PROPERTY,
    ROLES,
)
from tests.support.prepared import last_event_at
from zitadel import admin_pb2
from zitadel import management_pb2 as pb

DOCUMENT: Final = Path(__file__).parents[3] / "docs/permissions.md"
FLOW, TRIGGER = "1", "1"
_NAMES: Final = map("action{}".format, itertools.count())

REQUESTS: Final[Mapping[str, Callable[[str], Message]]] = {
    "Healthz": lambda _: pb.HealthzRequest(),
    "GetMyOrg": lambda _: pb.GetMyOrgRequest(),
    "GetOrgByDomainGlobal": lambda _: pb.GetOrgByDomainGlobalRequest(domain="default"),
    "ListActions": lambda _: pb.ListActionsRequest(),
    "GetAction": lambda id: pb.GetActionRequest(id=id),
    "CreateAction": lambda _: _creation(),
    "UpdateAction": lambda id: pb.UpdateActionRequest(id=id, name=next(_NAMES), script="s"),
    "DeactivateAction": lambda id: pb.DeactivateActionRequest(id=id),
    "ReactivateAction": lambda id: pb.ReactivateActionRequest(id=id),
    "DeleteAction": lambda id: pb.DeleteActionRequest(id=id),
    "ListFlowTypes": lambda _: pb.ListFlowTypesRequest(),
    "ListFlowTriggerTypes": lambda _: pb.ListFlowTriggerTypesRequest(type=FLOW),
    "GetFlow": lambda _: pb.GetFlowRequest(type=FLOW),
    "ClearFlow": lambda _: pb.ClearFlowRequest(type=FLOW),
    "SetTriggerActions": lambda id: pb.SetTriggerActionsRequest(
        flow_type=FLOW, trigger_type=TRIGGER, action_ids=[id]
    ),
    "GetDefaultOrg": lambda _: admin_pb2.GetDefaultOrgRequest(),
    "GetOrgByID": lambda id: admin_pb2.GetOrgByIDRequest(id=id),
    "ListOrgs": lambda _: admin_pb2.ListOrgsRequest(),
    "RunTrigger": lambda _: run.RunTriggerRequest(flow_type=FLOW, trigger_type=TRIGGER),
    "TestAction": lambda id: run.TestActionRequest(id=id, flow_type=FLOW, trigger_type=TRIGGER),
    "CheckScript": lambda _: run.CheckScriptRequest(name="f", script="s"),
    "GetExampleContext": lambda _: run.GetExampleContextRequest(
        flow_type=FLOW, trigger_type=TRIGGER
    ),
    "ListRuns": lambda _: run.ListRunsRequest(),
    "ListActionMetrics": lambda _: run.ListActionMetricsRequest(),
    "ListActionVersions": lambda id: versions.ListActionVersionsRequest(action_id=id),
    "GetActionVersion": lambda id: versions.GetActionVersionRequest(action_id=id, sequence=1),
    "RestoreActionVersion": lambda id: versions.RestoreActionVersionRequest(
        action_id=id, sequence=1
    ),
    "SetSecret": lambda id: secrets.SetSecretRequest(name=f"S{id}", value="value"),
    "ListSecrets": lambda _: secrets.ListSecretsRequest(),
    "DeleteSecret": lambda id: secrets.DeleteSecretRequest(name=f"S{id}"),
    "CreateOrg": lambda _: accounts_pb2.CreateOrgRequest(name=next(_NAMES)),
    "RenameOrg": lambda id: accounts_pb2.RenameOrgRequest(org_id=id, name=next(_NAMES)),
    "ListAllOrgs": lambda _: accounts_pb2.ListAllOrgsRequest(),
    "GetOrgContents": lambda id: accounts_pb2.GetOrgContentsRequest(org_id=id),
    "RemoveOrg": lambda id: accounts_pb2.RemoveOrgRequest(org_id=id),
    "ClearOrg": lambda id: accounts_pb2.ClearOrgRequest(org_id=id),
    "CreateUser": lambda _: accounts_pb2.CreateUserRequest(name=next(_NAMES)),
    "UpdateUser": lambda id: accounts_pb2.UpdateUserRequest(user_id=id, name=next(_NAMES)),
    "RemoveUser": lambda id: accounts_pb2.RemoveUserRequest(user_id=id),
    "ListUsers": lambda _: accounts_pb2.ListUsersRequest(),
    "AddMember": lambda id: accounts_pb2.AddMemberRequest(user_id=id, roles=["ORG_OWNER"]),
    "SetMemberRoles": lambda id: accounts_pb2.SetMemberRolesRequest(
        user_id=id, roles=["ORG_OWNER"]
    ),
    "RemoveMember": lambda id: accounts_pb2.RemoveMemberRequest(user_id=id),
    "ListMembers": lambda _: accounts_pb2.ListMembersRequest(),
    "CreateToken": lambda id: accounts_pb2.CreateTokenRequest(user_id=id),
    "ListTokens": lambda _: accounts_pb2.ListTokensRequest(),
    "FindToken": lambda _: accounts_pb2.FindTokenRequest(),
    "RevokeToken": lambda id: accounts_pb2.RevokeTokenRequest(token_id=id),
    "CreateKey": lambda id: accounts_pb2.CreateKeyRequest(
        user_id=id, type=accounts_pb2.KEY_TYPE_CLIENT_SECRET
    ),
    "ListKeys": lambda _: accounts_pb2.ListKeysRequest(),
    "DeleteKey": lambda id: accounts_pb2.DeleteKeyRequest(key_id=id),
    "CreateTarget": lambda _: bridge_pb2.CreateTargetRequest(name="production"),
    "UpdateTarget": lambda id: bridge_pb2.UpdateTargetRequest(target_id=id, signing_key="new"),
    "ListTargets": lambda _: bridge_pb2.ListTargetsRequest(),
    "DeleteTarget": lambda id: bridge_pb2.DeleteTargetRequest(target_id=id),
    "CreateEncryptionKey": lambda id: bridge_pb2.CreateEncryptionKeyRequest(
        target_id=id, type=bridge_pb2.ENCRYPTION_KEY_TYPE_EC
    ),
    "ListEncryptionKeys": lambda id: bridge_pb2.ListEncryptionKeysRequest(target_id=id),
    "DeleteEncryptionKey": lambda id: bridge_pb2.DeleteEncryptionKeyRequest(
        target_id=id.partition("/")[0], key_id=id.partition("/")[2]
    ),
}
"""A request about what has the id, or about nothing in particular."""

ABOUT_ALL: Final = ("ListOrgs", "ListAllOrgs")
"""Methods whose answers have every organisation."""

_ACCOUNTS: Final = frozenset(
    method.name for method in accounts_pb2.DESCRIPTOR.services_by_name["AdminService"].methods
)

BY_ID: Final = (
    *("GetAction", "UpdateAction", "DeactivateAction", "ReactivateAction", "DeleteAction"),
    *("SetTriggerActions", "TestAction"),
    *("ListActionVersions", "GetActionVersion", "RestoreActionVersion"),
)


def _creation() -> pb.CreateActionRequest:
    name = next(_NAMES)
    return pb.CreateActionRequest(name=name, script=f"function {name}() {{}}")


@dataclass(frozen=True, slots=True)
class Organisation:
    """Its owner, and a token of a user of it for each column of the table."""

    owner: Caller
    tokens: Mapping[str, str]
    accounts: Accounts

    async def subject(self, method: str) -> str:
        """The id of what the method can be called about with success, by who may."""
        if method in ("GetOrgByID", "GetOrgContents"):
            return self.owner.org_id
        return await (self.account(method) if method in _ACCOUNTS else self.action(method))

    async def account(self, method: str) -> str:
        """A new organisation, user or token; nothing for a method that needs none."""
        if method in ("RenameOrg", "RemoveOrg", "ClearOrg"):
            org_id = await self.accounts.org()
            if method == "ClearOrg":
                await self.accounts.end_org(org_id)
            return org_id
        if method in ("SetMemberRoles", "RemoveMember"):
            return await self.accounts.user(self.owner.org_id, "ORG_OWNER_VIEWER")
        if method in ("UpdateUser", "RemoveUser", "AddMember", "CreateToken", "CreateKey"):
            return await self.accounts.user(self.owner.org_id)
        if method == "RevokeToken":
            id, _ = await self.accounts.token(await self.accounts.user(self.owner.org_id))
            return id
        if method == "DeleteKey":
            return await self.accounts.key(await self.accounts.user(self.owner.org_id))
        if method in ("UpdateTarget", "DeleteTarget", "CreateEncryptionKey", "ListEncryptionKeys"):
            return await self.accounts.target()
        if method == "DeleteEncryptionKey":
            target_id = await self.accounts.target()
            return f"{target_id}/{await self.accounts.encryption_key(target_id)}"
        return ""

    async def action(self, method: str) -> str:
        """A new action; a flow that holds another one, for methods about flows."""
        id: str = (await self.owner.get(REQUESTS["CreateAction"](""))).id
        if method == "DeleteSecret":
            await self.owner.get(REQUESTS["SetSecret"](id))
        if method in ("ReactivateAction", "RestoreActionVersion"):
            await self.owner.get(pb.DeactivateActionRequest(id=id))
        if method in ("GetFlow", "ClearFlow", "SetTriggerActions", "RunTrigger"):
            other = (await self.owner.get(REQUESTS["CreateAction"](""))).id
            await self.owner.get(REQUESTS["SetTriggerActions"](other))
        return id

    async def state(self) -> Sequence[object]:
        """All that methods could change in it."""
        actions = await self.owner.get(pb.ListActionsRequest())
        actions.details.ClearField("view_timestamp")
        flow = await self.owner.get(pb.GetFlowRequest(type=FLOW))
        return actions, flow, *await self.accounts.contents(self.owner.org_id)


@pytest.fixture
async def organisations(api: ApiClient, accounts: Accounts) -> tuple[Organisation, Organisation]:
    async def made() -> Organisation:
        org_id = await accounts.org()
        tokens = {ANONYMOUS: ""}
        for column in (*ROLES, NO_MEMBER):
            roles = () if column == NO_MEMBER else (column,)
            _, tokens[column] = await accounts.token(await accounts.user(org_id, *roles))
        return Organisation(Caller(api, tokens["ORG_OWNER"], org_id), tokens, accounts)

    return await made(), await made()


async def test_a_filter_by_an_id_of_the_other_organisation_finds_nothing(
    organisations: tuple[Organisation, Organisation], protocol: str
) -> None:
    home, other = organisations
    id = await other.action("GetAction")
    filtered = pb.ListActionsRequest()
    filtered.queries.add().action_id_query.id = id
    answer = await home.owner.ask(protocol, filtered)
    assert answer.code == 0
    assert (answer.response.details.total_result, len(answer.response.result)) == (0, 0)
    assert (await other.owner.ask(protocol, filtered)).response.details.total_result == 1


def told(answer: Answer) -> str:
    """Returns the text of a cell: OK, or the code and the id, if there is one."""
    if answer.code == 0:
        return "OK"
    return " ".join((str(answer.code), *(id for id, _ in answer.details)))


def documented(title: str) -> list[str]:
    """The lines of the table below a title."""
    _, _, below = DOCUMENT.read_text(encoding="utf-8").partition(f"## {title}\n")
    section = below.partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")]


@pytest.mark.parametrize(
    ("first", "protocol"),
    [*((0, protocol) for protocol in PROTOCOLS), pytest.param(1, GRPC, id="the other way round")],
)
@pytest.mark.parametrize(
    ("title", "methods", "about", "ids_of"),
    [
        pytest.param("In its own organisation", METHOD_NAMES, 0, 0, id="own"),
        pytest.param("In the other organisation", METHOD_NAMES, 1, 1, id="other"),
        pytest.param("With ids of the other organisation, in its own", BY_ID, 0, 1, id="ids"),
    ],
)
@pytest.mark.timeout(240)  # each of 50 methods is called by eight callers
async def test_each_method_answers_each_role_as_documented(
    api: ApiClient,
    organisations: tuple[Organisation, Organisation],
    title: str,
    methods: tuple[str, ...],
    about: int,
    ids_of: int,
    first: int,
    protocol: str,
    record_property: Callable[[str, object], None],
) -> None:
    both = organisations[first], organisations[1 - first]
    home, asked, unasked, owning = both[0], both[about], both[1 - about], both[ids_of]
    org_id = "" if asked is home else asked.owner.org_id
    cells = {}
    for method in methods:
        id = await owning.subject(method)
        untouched, before = await unasked.state(), await last_event_at(asked.owner)
        for column in CALLERS:
            request = REQUESTS[method](id)
            answer = await api.call(protocol, request, token=home.tokens[column], org_id=org_id)
            after = await last_event_at(asked.owner)
            assert answer.code == 0 or after == before, (method, column)
            if method not in ABOUT_ALL:
                assert unasked.owner.org_id not in str(answer.response), (method, column)
            cells[method, column] = told(answer)
            if after != before:
                id = await owning.subject(method)
                before = await last_event_at(asked.owner)
        assert await unasked.state() == untouched, method
    lines = permission_table.table(cells)
    record_property(PROPERTY, [title, lines])
    assert lines == documented(title)
