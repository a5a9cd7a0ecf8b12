"""Payloads of functions: the call and the context of each, and what is refused."""

import base64
import json
from typing import Any

import pytest

from server import triggers
from server.bridge.answers import PreviousAnswer
from server.bridge.calls import TargetCall
from server.bridge.functions import FunctionAnswers
from server.bridge.payload_values import BadPayload
from server.bridge.payloads import read_call
from server.scripts.contract import BadContext, JsonValue
from server.scripts.host import contexts
from tests.support.tables import cases

USER: dict[str, Any] = {
    "id": "300",
    "creation_date": "2025-03-04T05:06:07.123Z",
    "change_date": "2025-03-05T05:06:07Z",
    "resource_owner": "100",
    "sequence": 5,
    "state": 1,
    "username": "ada",
    "preferred_login_name": "ada@example.com",
    "human": {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "nick_name": "ada",
        "display_name": "Ada Lovelace",
        "avatar_key": "a/b",
        "preferred_language": "en",
        "gender": 1,
        "email": "ada@example.com",
        "is_email_verified": True,
        "phone": "+41",
        "password_change_required": True,
    },
    "type": 1,
}
USER_SEEN = {
    "id": "300",
    "creationDate": "2025-03-04T05:06:07.123Z",
    "changeDate": "2025-03-05T05:06:07Z",
    "resourceOwner": "100",
    "sequence": 5,
    "state": 1,
    "username": "ada",
    "loginNames": [],
    "preferredLoginName": "ada@example.com",
    "human": {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "nickName": "ada",
        "displayName": "Ada Lovelace",
        "avatarKey": "a/b",
        "preferredLanguage": "en",
        "gender": 1,
        "email": "ada@example.com",
        "isEmailVerified": True,
        "phone": "+41",
        "isPhoneVerified": False,
    },
}
GRANT_SEEN = {
    "id": "g1",
    "projectGrantId": "pg1",
    "state": 1,
    "userGrantResourceOwner": "101",
    "userGrantResourceOwnerName": "Granting",
    "creationDate": "2025-03-04T05:06:07Z",
    "changeDate": "0001-01-01T00:00:00Z",
    "sequence": 9,
    "userId": "300",
    "userResourceOwner": "100",
    "roles": ["admin"],
    "projectId": "p1",
    "projectName": "Portal",
    "orgMetadata": {
        "count": 0,
        "sequence": 0,
        "timestamp": "0001-01-01T00:00:00Z",
        "metadata": [],
    },
}
SNAKE_GRANT = {
    "id": "g1",
    "grant_id": "pg1",
    "state": 1,
    "resource_owner": "101",
    "org_name": "Granting",
    "org_primary_domain": "granting.example.com",
    "creation_date": "2025-03-04T05:06:07Z",
    "sequence": 9,
    "user_id": "300",
    "user_resource_owner": "100",
    "roles": ["admin"],
    "project_id": "p1",
    "project_name": "Portal",
}
CAMEL_GRANT = {
    "id": "g1",
    "projectGrantId": "pg1",
    "state": 1,
    "userGrantResourceOwner": "101",
    "userGrantResourceOwnerName": "Granting",
    "creationDate": "2025-03-04T05:06:07Z",
    "sequence": 9,
    "userId": "300",
    "userResourceOwner": "100",
    "roles": ["admin"],
    "projectId": "p1",
    "projectName": "Portal",
}


def payload(function: str = "preuserinfo", **members: Any) -> bytes:
    return json.dumps({"function": f"function/{function}", "user": USER, **members}).encode()


def read(body: bytes) -> TargetCall:
    call = read_call(body)
    assert isinstance(call, TargetCall)
    return call


def seen(body: bytes, part: str) -> JsonValue:
    """Returns a part of the context as scripts see it."""
    call = read(body)
    return contexts.decode_part(contexts.pack(*call.trigger, call.context).parts[part])


@cases(
    "function, trigger",
    {
        "preuserinfo": ("preuserinfo", triggers.PRE_USERINFO),
        "preaccesstoken": ("preaccesstoken", triggers.PRE_ACCESS_TOKEN),
        "presamlresponse": ("presamlresponse", triggers.PRE_SAML_RESPONSE),
    },
)
def test_each_function_is_a_trigger_of_the_users_organisation(
    function: str, trigger: triggers.Trigger
) -> None:
    call = read(payload(function))
    assert (call.trigger, call.org_id, call.user_id) == (trigger, "100", "300")


@cases("function", {"token": "preuserinfo", "saml": "presamlresponse"})
def test_scripts_see_the_user(function: str) -> None:
    assert seen(payload(function), "user") == USER_SEEN


def test_scripts_see_a_machine() -> None:
    machine = {"name": "robot", "description": "deploys", "access_token_type": 1}
    user = {"id": "300", "resource_owner": "100", "human": None, "machine": machine}
    found = seen(payload(user=user), "user")
    assert isinstance(found, dict)
    assert found["machine"] == {"name": "robot", "description": "deploys"}
    assert "human" not in found


@cases(
    "members, grants",
    {
        "in snake case": ({"user_grants": [SNAKE_GRANT]}, [GRANT_SEEN]),
        "in camel case": ({"user_grants": [CAMEL_GRANT]}, [GRANT_SEEN]),
        "under a key in camel case": ({"userGrants": [CAMEL_GRANT]}, [GRANT_SEEN]),
        "null as roles": (
            {"user_grants": [{**SNAKE_GRANT, "roles": None}]},
            [{**GRANT_SEEN, "roles": []}],
        ),
    },
)
@cases("function", {"token": "preaccesstoken", "saml": "presamlresponse"})
def test_scripts_see_grants(
    members: dict[str, Any], grants: list[JsonValue], function: str
) -> None:
    found = seen(payload(function, **members), "userGrants")
    assert isinstance(found, dict)
    assert (found["count"], found["grants"]) == (1, grants)


@cases(
    "function, expected",
    {
        "token": ("preuserinfo", None),
        "saml": (
            "presamlresponse",
            {"count": 0, "sequence": 0, "timestamp": "0001-01-01T00:00:00Z", "grants": []},
        ),
    },
)
@cases("members", {"missing": {}, "null": {"user_grants": None}, "empty": {"user_grants": []}})
def test_without_grants_scripts_see_what_they_saw(
    function: str, expected: JsonValue, members: dict[str, Any]
) -> None:
    assert seen(payload(function, **members), "userGrants") == expected


@cases(
    "octets, value",
    {
        "text": (b"engineering", "engineering"),
        "JSON": (b'{"seats":5}', '{"seats":5}'),
        "nothing": (b"", ""),
        "other octets": (b"a\xff", "a\ufffd"),
    },
)
def test_scripts_see_metadata_by_its_stored_octets(octets: bytes, value: str) -> None:
    entry = {"key": "k", "value": base64.b64encode(octets).decode(), "sequence": 3}
    found = seen(payload(user_metadata=[entry]), "userMetadata")
    assert isinstance(found, dict)
    assert found["count"] == 1
    assert found["metadata"] == [
        {
            "creationDate": "0001-01-01T00:00:00Z",
            "changeDate": "0001-01-01T00:00:00Z",
            "resourceOwner": "",
            "sequence": 3,
            "key": "k",
            "value": value,
        }
    ]


@cases(
    "members, part, expected",
    {
        "claims": ({"userinfo": {"sub": "300"}}, "claims", {"sub": "300"}),
        "no claims": ({}, "claims", {}),
        "claims that a target before added": (
            {
                "userinfo": {"sub": "300", "a": None, "b": 1},
                "response": {
                    "append_claims": [
                        {"key": "a", "value": 2},
                        {"key": "b", "value": 2},
                        {"key": "c", "value": {"d": 3}},
                        {"key": "c", "value": 4},
                        {"key": "urn:zitadel:iam:x", "value": 5},
                        "no claim",
                    ]
                },
            },
            "claims",
            {"sub": "300", "a": 2, "b": 1, "c": {"d": 3}},
        ),
        "the application": (
            {"application": {"client_id": "c1"}},
            "application",
            {"clientId": "c1"},
        ),
        "no application": ({}, "application", {"clientId": ""}),
        "the actor": (
            {"actor": {"user_id": "1", "issuer": "i", "actor": {"user_id": "2", "issuer": "i"}}},
            "actor",
            {"userId": "1", "issuer": "i", "actor": {"userId": "2", "issuer": "i"}},
        ),
        "no actor": ({}, "actor", None),
    },
)
def test_scripts_of_tokens_see(members: dict[str, Any], part: str, expected: JsonValue) -> None:
    assert seen(payload(**members), part) == expected


def test_an_unknown_key_is_ignored() -> None:
    call = read(payload(later=[1], org={"id": "100"}))
    assert call.answers == FunctionAnswers(PreviousAnswer({}), is_saml=False)


@cases(
    "body, reason",
    {
        "no JSON": (b"{", "payload: expected JSON"),
        "nothing": (b"", "payload: expected JSON"),
        "no UTF-8": (b'"\xff"', "payload: expected JSON"),
        "too deep": (b"[" * 100_000, "payload: expected JSON"),
        "an array": (b"[]", "payload: expected an object, got an array"),
        "no function": (b"{}", "function: expected text, got nothing"),
        "a function of another kind": (
            b'{"function":"function/x"}',
            "function: expected one of function/preuserinfo, function/preaccesstoken,"
            " function/presamlresponse, got 'function/x'",
        ),
        "a function that is no text": (b'{"function":1}', "function: expected text, got a number"),
        "no user": (payload(user=None), "user: expected an object, got nothing"),
        "a user that is text": (payload(user="300"), "user: expected an object, got text"),
        "a user of no organisation": (
            payload(user={"id": "300"}),
            "user.resource_owner: expected text, got nothing",
        ),
        "a user without id": (
            payload(user={"resource_owner": "100", "id": ""}),
            "user.id: expected text, got empty text",
        ),
        "a human that is an array": (
            payload(user={**USER, "human": []}),
            "user.human: expected an object, got an array",
        ),
        "claims that are an array": (
            payload(userinfo=[]),
            "userinfo: expected an object, got an array",
        ),
        "grants that are an object": (
            payload(user_grants={}),
            "user_grants: expected an array, got an object",
        ),
        "a grant that is a boolean": (
            payload(user_grants=[SNAKE_GRANT, True]),
            "user_grants[1]: expected an object, got a boolean",
        ),
        "metadata that is text": (
            payload(user_metadata="a"),
            "user_metadata: expected an array, got text",
        ),
        "metadata that is no base64": (
            payload(user_metadata=[{"key": "a", "value": "?"}]),
            "user_metadata[0].value: expected base64, got '?'",
        ),
        "metadata that is a number": (
            payload(user_metadata=[{"key": "a", "value": 1}]),
            "user_metadata[0].value: expected base64, got a number",
        ),
        "a response that is an array": (
            payload(response=[]),
            "response: expected an object, got an array",
        ),
    },
)
def test_another_payload_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(BadPayload) as refused:
        read_call(body)
    assert str(refused.value) == reason


@cases(
    "members",
    {
        "a gender that is text": {"user": {**USER, "human": {"gender": "f"}}},
        "a date that is none": {"user": {**USER, "creation_date": "today"}},
        "roles that are text": {"user_grants": [{**SNAKE_GRANT, "roles": "admin"}]},
        "a human and a machine": {"user": {**USER, "machine": {"name": "a"}}},
    },
)
def test_a_value_of_the_wrong_type_is_refused_with_the_context(members: dict[str, Any]) -> None:
    with pytest.raises(BadContext):
        seen(payload(**members), "user")
