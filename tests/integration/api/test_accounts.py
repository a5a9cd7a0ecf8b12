"""docs/api.md "Accounts", over each protocol, for who has IAM_OWNER."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from google.api.annotations_pb2 import http as http_rule
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from actions.v1 import admin_pb2 as pb
from tests.support.accounts import Accounts
from tests.support.api_client import GRPC, JSON, ApiClient, Caller
from tests.support.api_rows import Refused, Row, assert_refused
from zitadel.management_pb2 import GetMyOrgRequest

SUBJECT = "Accounts"
DOCUMENT: Final = Path(__file__).parents[3] / "docs/accounts.md"
_NAMES: Final = map("account {}".format, itertools.count())
_EXPIRY: Final = Timestamp(seconds=4_000_000_000, nanos=1_000)


@pytest.fixture
async def owner(api: ApiClient, accounts: Accounts, caller: Caller) -> Caller:
    """Someone in the caller's organisation who may administer the whole instance."""
    _, token = await accounts.token(await accounts.user(caller.org_id, "IAM_OWNER"))
    return Caller(api, token, caller.org_id)


async def told(owner: Caller, protocol: str, request: Message) -> Any:
    answer = await owner.ask(protocol, request)
    assert answer.code == 0, answer
    return answer.response


async def test_an_organisation_is_made_renamed_removed_and_cleared_away(
    owner: Caller, protocol: str
) -> None:
    name, other = next(_NAMES), next(_NAMES)
    org = (await told(owner, protocol, pb.CreateOrgRequest(name=name))).org
    assert (org.name, org.state) == (name, pb.ORG_STATE_ACTIVE)
    renamed = (await told(owner, protocol, pb.RenameOrgRequest(org_id=org.id, name=other))).org
    assert renamed == pb.Org(
        id=org.id, name=other, state=pb.ORG_STATE_ACTIVE, created_at=org.created_at
    )
    assert renamed in (await told(owner, protocol, pb.ListAllOrgsRequest())).orgs
    await told(owner, protocol, pb.CreateUserRequest(org_id=org.id, name="Ada"))
    contents = await told(owner, protocol, pb.GetOrgContentsRequest(org_id=org.id))
    assert contents == pb.GetOrgContentsResponse(
        org_id=org.id, name=other, contents=pb.OrgContents(users=1)
    )
    await told(owner, protocol, pb.RemoveOrgRequest(org_id=org.id))
    removed = pb.Org(id=org.id, state=pb.ORG_STATE_REMOVED, created_at=org.created_at)
    assert (await told(owner, protocol, pb.ListAllOrgsRequest())).orgs[-1] == removed
    cleared = await told(owner, protocol, pb.ClearOrgRequest(org_id=org.id))
    assert cleared == pb.ClearOrgResponse(contents=pb.OrgContents())
    orgs = (await told(owner, protocol, pb.ListAllOrgsRequest())).orgs
    assert org.id not in [found.id for found in orgs]


async def test_a_user_is_made_changed_and_removed(owner: Caller, protocol: str) -> None:
    name, subject = next(_NAMES), next(_NAMES)
    user = (await told(owner, protocol, pb.CreateUserRequest(name=name, language="de"))).user
    assert (user.org_id, user.name, user.language, user.subject) == (owner.org_id, name, "de", "")
    request = pb.UpdateUserRequest(user_id=user.id, language="", subject=subject)
    updated = (await told(owner, protocol, request)).user
    assert updated == pb.User(
        id=user.id, org_id=owner.org_id, name=name, subject=subject, created_at=user.created_at
    )
    assert updated in (await told(owner, protocol, pb.ListUsersRequest())).users
    await told(owner, protocol, pb.RemoveUserRequest(user_id=user.id))
    assert updated not in (await told(owner, protocol, pb.ListUsersRequest())).users


async def test_a_user_is_made_a_member_with_other_roles_and_none(
    owner: Caller, protocol: str
) -> None:
    user = (await told(owner, protocol, pb.CreateUserRequest(name=next(_NAMES)))).user
    roles = ["ORG_OWNER_VIEWER", "ORG_ACTION_RUNNER"]
    request = pb.AddMemberRequest(user_id=user.id, roles=roles)
    member = (await told(owner, protocol, request)).member
    assert member == pb.Member(
        org_id=owner.org_id,
        user_id=user.id,
        user_name=user.name,
        roles=roles,
        created_at=member.created_at,
    )
    changing = pb.SetMemberRolesRequest(user_id=user.id, roles=["ORG_OWNER"])
    changed = (await told(owner, protocol, changing)).member
    assert (changed.user_name, changed.roles) == (user.name, ["ORG_OWNER"])
    assert changed in (await told(owner, protocol, pb.ListMembersRequest())).members
    of_user = pb.ListMembersRequest(user_id=user.id)
    assert (await told(owner, protocol, of_user)).members == [changed]
    await told(owner, protocol, pb.RemoveMemberRequest(user_id=user.id))
    assert (await told(owner, protocol, of_user)).members == []


async def test_a_token_speaks_for_its_user_until_it_is_revoked(
    owner: Caller, protocol: str
) -> None:
    user = (await told(owner, protocol, pb.CreateUserRequest(name=next(_NAMES)))).user
    await told(owner, protocol, pb.AddMemberRequest(user_id=user.id, roles=["ORG_OWNER"]))
    made = await told(
        owner,
        protocol,
        pb.CreateTokenRequest(user_id=user.id, description="CI", expires_at=_EXPIRY),
    )
    token = made.token
    assert (token.user_id, token.description, token.expires_at) == (user.id, "CI", _EXPIRY)
    user_caller = Caller(owner.api, made.secret, owner.org_id)
    assert (await user_caller.ask(protocol, GetMyOrgRequest())).code == 0
    assert (await told(owner, protocol, pb.ListTokensRequest(user_id=user.id))).tokens == [token]
    assert token in (await told(owner, protocol, pb.ListTokensRequest())).tokens
    await told(owner, protocol, pb.RevokeTokenRequest(token_id=token.id))
    assert (await user_caller.ask(protocol, GetMyOrgRequest())).code == 16
    assert (await told(owner, protocol, pb.ListTokensRequest(user_id=user.id))).tokens == []


async def test_a_machine_key_is_listed_until_it_is_deleted(owner: Caller, protocol: str) -> None:
    user = (await told(owner, protocol, pb.CreateUserRequest(name=next(_NAMES)))).user
    made = await told(owner, protocol, pb.CreateKeyRequest(user_id=user.id, expires_at=_EXPIRY))
    key = made.key
    assert (key.user_id, key.type, key.expires_at) == (user.id, pb.KEY_TYPE_JSON, _EXPIRY)
    file = json.loads(made.key_file)
    private = file.pop("key")
    assert file == {"type": "serviceaccount", "keyId": key.id, "userId": user.id}
    assert private.startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    request = pb.CreateKeyRequest(user_id=user.id, type=pb.KEY_TYPE_CLIENT_SECRET)
    secret = await told(owner, protocol, request)
    assert (secret.key.type, secret.key_file) == (pb.KEY_TYPE_CLIENT_SECRET, "")
    assert secret.client_secret.startswith("acs_")
    of_user = pb.ListKeysRequest(user_id=user.id)
    assert (await told(owner, protocol, of_user)).keys == [key, secret.key]
    assert key in (await told(owner, protocol, pb.ListKeysRequest())).keys
    await told(owner, protocol, pb.DeleteKeyRequest(key_id=key.id))
    assert (await told(owner, protocol, of_user)).keys == [secret.key]


async def test_the_answer_with_a_secret_is_not_stored_on_the_way(
    owner: Caller, protocol: str
) -> None:
    user = (await told(owner, protocol, pb.CreateUserRequest(name=next(_NAMES)))).user
    answer = await owner.ask(protocol, pb.CreateTokenRequest(user_id=user.id))
    assert answer.response.secret.startswith("act_")
    assert answer.metadata.get("cache-control") == (None if protocol == GRPC else "no-store")
    answer = await owner.ask(protocol, pb.CreateKeyRequest(user_id=user.id))
    assert answer.response.key_file
    assert answer.metadata.get("cache-control") == (None if protocol == GRPC else "no-store")


async def test_the_organisation_of_the_call_is_meant_unless_another_is_named(
    api: ApiClient, owner: Caller, stranger: Caller, protocol: str
) -> None:
    elsewhere = Caller(api, owner.token, stranger.org_id)
    user = (await told(elsewhere, protocol, pb.CreateUserRequest(name=next(_NAMES)))).user
    assert user.org_id == stranger.org_id
    named = pb.CreateUserRequest(org_id=owner.org_id, name=next(_NAMES))
    assert (await told(elsewhere, protocol, named)).user.org_id == owner.org_id


def pages(request: Message, *, size: int) -> Iterator[Message]:
    """Yields the request for each page, without an end."""
    for number in itertools.count():
        page = type(request)()
        page.CopyFrom(request)
        page.MergeFrom(type(request)(offset=number * size, limit=size))
        yield page


async def test_lists_have_pages(owner: Caller, protocol: str) -> None:
    org = (await told(owner, protocol, pb.CreateOrgRequest(name=next(_NAMES)))).org
    in_org = Caller(owner.api, owner.token, org.id)
    for number in range(5):
        user = (await told(in_org, protocol, pb.CreateUserRequest(name=f"user {number}"))).user
        add = pb.AddMemberRequest(user_id=user.id, roles=["ORG_OWNER"])
        await told(in_org, protocol, add)
        await told(in_org, protocol, pb.CreateTokenRequest(user_id=user.id))
        key = pb.CreateKeyRequest(user_id=user.id, type=pb.KEY_TYPE_CLIENT_SECRET)
        await told(in_org, protocol, key)
    gone = (await told(owner, protocol, pb.CreateOrgRequest(name=next(_NAMES)))).org
    await told(in_org, protocol, pb.CreateUserRequest(org_id=gone.id, name="Ada"))
    await told(owner, protocol, pb.RemoveOrgRequest(org_id=gone.id))
    for request, field, least in (
        (pb.ListAllOrgsRequest(), "orgs", 2),
        (pb.ListUsersRequest(), "users", 5),
        (pb.ListMembersRequest(), "members", 5),
        (pb.ListTokensRequest(), "tokens", 5),
        (pb.ListKeysRequest(), "keys", 5),
    ):
        whole = [*getattr(await told(in_org, protocol, request), field)]
        assert len(whole) >= least
        listed = []
        for page in pages(request, size=2):
            found = [*getattr(await told(in_org, protocol, page), field)]
            listed += found
            if len(found) < 2:
                break
        assert listed == whole
    await told(owner, protocol, pb.ClearOrgRequest(org_id=gone.id))
    far = pb.ListUsersRequest(offset=2**64 - 1, limit=1000)
    assert (await told(in_org, protocol, far)).users == []


refused = Refused()
refused.as_they_are(
    {
        (3, "The name of an organisation is one line of 1 to 200 characters, got 'two\\nlines'"): {
            "COMMAND-Wd3rv name of an organisation": pb.CreateOrgRequest(name="two\nlines")
        },
        (6, "An organisation with the name 'default' exists already"): {
            "V3-DKcYh name that is taken": pb.CreateOrgRequest(name="default")
        },
        (3, "Limit exceeded"): {
            "ADMIN-Lm4ex organisations": pb.ListAllOrgsRequest(limit=1001),
            "ADMIN-Lm4ex users": pb.ListUsersRequest(limit=1001),
            "ADMIN-Lm4ex members": pb.ListMembersRequest(limit=1001),
            "ADMIN-Lm4ex keys": pb.ListKeysRequest(limit=1001),
            "ADMIN-Lm4ex tokens": pb.ListTokensRequest(limit=2**32 - 1),
        },
        (5, "Organisation '404' not found"): {
            "COMMAND-Wr5nf organisation to rename": pb.RenameOrgRequest(org_id="404", name="n"),
            "ADMIN-Oc4nf organisation to count": pb.GetOrgContentsRequest(org_id="404"),
            "ADMIN-Or4nf organisation to remove": pb.RemoveOrgRequest(org_id="404"),
            "ADMIN-Oi4nf organisation of a user": pb.CreateUserRequest(org_id="404", name="n"),
        },
        (3, "Expected a language tag such as de or pt-BR, got '?'"): {
            "COMMAND-Ul3nv language": pb.CreateUserRequest(name="n", language="?")
        },
        (5, "User '404' not found"): {
            "ADMIN-Ui4nf user": pb.UpdateUserRequest(user_id="404", name="n"),
            "COMMAND-Ur8nf user to remove": pb.RemoveUserRequest(user_id="404"),
        },
        (5, "User '404' is not a member"): {
            "COMMAND-Ms3nf member": pb.SetMemberRolesRequest(user_id="404", roles=["ORG_OWNER"])
        },
        (5, "Key '404' not found"): {"COMMAND-Kr9nf key": pb.DeleteKeyRequest(key_id="404")},
        (5, "Token '404' not found"): {
            "COMMAND-Tr9nf token": pb.RevokeTokenRequest(token_id="404")
        },
    }
)


@pytest.mark.parametrize("row", refused.rows)
async def test_a_refusal_names_what_was_given(
    owner: Caller, stranger: Caller, protocol: str, row: Row
) -> None:
    await assert_refused(owner, stranger, protocol, row)


async def test_rules_of_the_proto_come_first(owner: Caller, protocol: str) -> None:
    answer = await owner.ask(protocol, pb.CreateOrgRequest(name="n" * 201))
    text = "value length must be between 1 and 200 runes, inclusive"
    assert answer.refusal == (3, f"invalid CreateOrgRequest.Name: {text}", ())


async def test_roles_are_known_and_not_none(owner: Caller, protocol: str) -> None:
    user = (await told(owner, protocol, pb.CreateUserRequest(name=next(_NAMES)))).user
    unknown = pb.AddMemberRequest(user_id=user.id, roles=["KING"])
    answer = await owner.ask(protocol, unknown)
    assert answer.message.startswith("Unknown role 'KING': expected one of IAM_OWNER, ")
    answer = await owner.ask(protocol, pb.AddMemberRequest(user_id=user.id))
    assert (answer.code, answer.details[0][0]) == (3, "COMMAND-Mq8re")


async def test_a_refusal_is_in_the_callers_language(owner: Caller) -> None:
    request = pb.UpdateUserRequest(user_id="404", name="n")
    answer = await owner.ask(JSON, request, metadata={"accept-language": "de"})
    assert answer.message == "Der Benutzer '404' wurde nicht gefunden (ADMIN-Ui4nf)"


def test_each_route_is_documented() -> None:
    service = pb.DESCRIPTOR.services_by_name["AdminService"]
    routes = {}
    for method in service.methods:
        rule = method.GetOptions().Extensions[http_rule]
        verb = rule.WhichOneof("pattern")
        routes[method.name] = f"{verb.upper()} {getattr(rule, verb)}"
    cells = [line.split("|") for line in DOCUMENT.read_text("utf-8").splitlines()]
    documented = {
        row[1].strip(): row[2].strip().strip("`")
        for row in cells
        if len(row) > 3 and "/v1/" in row[2]
    }
    assert documented == routes
