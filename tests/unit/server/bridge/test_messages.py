"""Payloads of requests and responses: what runs at them, what scripts see, and their answers."""

import copy
import json
from typing import Any, Final

import pytest

from server import triggers
from server.bridge.calls import Ignored, Leftover, TargetCall
from server.bridge.payload_values import BadPayload
from server.bridge.payloads import read_call
from server.scripts.contract import Effects, GrantEffect, MetadataEffect
from server.scripts.host import contexts
from server.triggers import Trigger
from tests.support.tables import cases

USERS: Final = "/zitadel.user.v2.UserService"
SESSIONS: Final = "/zitadel.session.v2.SessionService"

HUMAN: Final[dict[str, Any]] = {
    "profile": {"givenName": "Ada", "familyName": "Lovelace", "gender": "GENDER_FEMALE"},
    "email": {"email": "ada@example.com", "isVerified": True},
    "password": {"password": "a password"},
}
LINKED: Final[dict[str, Any]] = {**HUMAN, "idpLinks": [{"idpId": "4", "userId": "ext-1"}]}
ADD: Final[dict[str, Any]] = {"username": "ada", "organization": {"orgId": "100"}, **HUMAN}
CREATE: Final[dict[str, Any]] = {"username": "ada", "organizationId": "100", "human": HUMAN}
MACHINE: Final[dict[str, Any]] = {"organizationId": "100", "machine": {"name": "Bot"}}
DETAILS: Final = {"sequence": "5", "creationDate": "2025-03-04T05:06:07Z", "resourceOwner": "101"}
ADDED: Final[dict[str, Any]] = {"userId": "300", "details": DETAILS}
CREATED: Final[dict[str, Any]] = {"id": "300", "creationDate": "2025-03-04T05:06:07Z"}
INTENT: Final[dict[str, Any]] = {
    "details": {"resourceOwner": "the instance"},
    "idpInformation": {
        "oauth": {"accessToken": "at", "idToken": "no.t"},
        "idpId": "4",
        "userId": "ext-1",
        "rawInformation": {"sub": "ext-1"},
    },
    "addHumanUser": {"organization": {"orgId": "100"}, **LINKED},
}
EFFECTS: Final = Effects(
    claims={}, fields={"nickName": "a"}, metadata=(MetadataEffect("k", b"1"),), grants=(),
    attributes=(),
)  # fmt: skip
NOTHING: Final = Effects(claims={}, fields={}, metadata=(), grants=(), attributes=())
GRANTS: Final = Effects(
    claims={}, fields={}, metadata=(), grants=(GrantEffect("1", "", ()),), attributes=()
)


def payload(method: str, request: Any, response: Any = None, **members: Any) -> bytes:
    said = {"fullMethod": method, "orgID": "109", "userID": "9", "request": request, **members}
    if response is not None:
        said["response"] = response
    return json.dumps(copy.deepcopy(said)).encode()


def read(body: bytes) -> TargetCall:
    call = read_call(body)
    assert isinstance(call, TargetCall)
    return call


def seen(body: bytes, part: str) -> Any:
    """Returns a part of the context as scripts see it."""
    call = read(body)
    return contexts.decode_part(contexts.pack(*call.trigger, call.context).parts[part])


@cases(
    "body, trigger, org_id, user_id",
    {
        "AddHumanUser": (
            payload(f"{USERS}/AddHumanUser", ADD), triggers.INTERNAL_PRE_CREATION, "100", "",
        ),
        "AddHumanUser of an earlier version": (
            payload("/zitadel.user.v2beta.UserService/AddHumanUser", ADD),
            triggers.INTERNAL_PRE_CREATION, "100", "",
        ),
        "AddHumanUser with a link and an id, without an organisation": (
            payload(f"{USERS}/AddHumanUser", {"userId": "3", **LINKED}),
            triggers.EXTERNAL_PRE_CREATION, "109", "3",
        ),
        "CreateUser": (
            payload(f"{USERS}/CreateUser", CREATE), triggers.INTERNAL_PRE_CREATION, "100", "",
        ),
        "CreateUser with a link": (
            payload(f"{USERS}/CreateUser", {**CREATE, "human": LINKED}),
            triggers.EXTERNAL_PRE_CREATION, "100", "",
        ),
        "response of AddHumanUser": (
            payload(f"{USERS}/AddHumanUser", ADD, ADDED),
            triggers.INTERNAL_POST_CREATION, "101", "300",
        ),
        "response of AddHumanUser with a link": (
            payload(f"{USERS}/AddHumanUser", {**ADD, **LINKED}, ADDED),
            triggers.EXTERNAL_POST_CREATION, "101", "300",
        ),
        "response of CreateUser": (
            payload(f"{USERS}/CreateUser", CREATE, CREATED),
            triggers.INTERNAL_POST_CREATION, "100", "300",
        ),
        "response of RetrieveIdentityProviderIntent": (
            payload(f"{USERS}/RetrieveIdentityProviderIntent", {}, INTENT),
            triggers.EXTERNAL_POST_AUTHENTICATION, "100", "",
        ),
        "that of a user who is linked": (
            payload(
                f"{USERS}/RetrieveIdentityProviderIntent", {},
                {"userId": "300", "idpInformation": INTENT["idpInformation"]},
            ),
            triggers.EXTERNAL_POST_AUTHENTICATION, "109", "300",
        ),
        "response of CreateSession": (
            payload(
                f"{SESSIONS}/CreateSession",
                {"checks": {"user": {"userId": "300"}, "password": {"password": "a password"}}},
                {"sessionId": "8"},
            ),
            triggers.INTERNAL_POST_AUTHENTICATION, "109", "300",
        ),
        "response of SetSession": (
            payload(f"{SESSIONS}/SetSession", {"checks": {"totp": {"code": "1"}}}, {}),
            triggers.INTERNAL_POST_AUTHENTICATION, "109", "",
        ),
    },
)  # fmt: skip
def test_methods_are_triggers(body: bytes, trigger: Trigger, org_id: str, user_id: str) -> None:
    call = read(body)
    assert (call.trigger, call.org_id, call.user_id) == (trigger, org_id, user_id)
    assert "a password" not in str(call.context)
    assert call.answers.unchanged == b""


@cases(
    "body",
    {
        "CreateUser of a machine": payload(f"{USERS}/CreateUser", MACHINE),
        "its response": payload(f"{USERS}/CreateUser", MACHINE, CREATED),
        "another method": payload(f"{USERS}/DeleteUser", {"userId": "3"}),
        "a method of another service": payload(
            "/zitadel.org.v2.OrganizationService/AddHumanUser", {}
        ),
        "a later version": payload("/zitadel.user.v3.UserService/AddHumanUser", ADD),
        "the request of RetrieveIdentityProviderIntent": payload(
            f"{USERS}/RetrieveIdentityProviderIntent", {"idpIntentId": "1"}
        ),
        "the request of CreateSession": payload(f"{SESSIONS}/CreateSession", {}),
        "a session without a check": payload(f"{SESSIONS}/CreateSession", {}, {}),
        "a session of a user alone": payload(
            f"{SESSIONS}/CreateSession", {"checks": {"user": {"userId": "3"}}}, {}
        ),
        "a session by an identity provider": payload(
            f"{SESSIONS}/SetSession", {"checks": {"idpIntent": {"idpIntentId": "1"}}}, {}
        ),
    },
)
def test_what_has_no_trigger_changes_nothing(body: bytes) -> None:
    assert read_call(body) == Ignored(b"")


def test_scripts_see_a_user_before_it_is_created() -> None:
    user = seen(payload(f"{USERS}/AddHumanUser", ADD), "user")
    assert {key: user[key] for key in ("id", "resourceOwner", "username", "state")} == {
        "id": "", "resourceOwner": "100", "username": "ada", "state": 0,
    }  # fmt: skip
    human = user["human"]
    assert (human["firstName"], human["email"], human["isEmailVerified"]) == (
        "Ada", "ada@example.com", True,
    )  # fmt: skip
    assert (human["gender"], human["preferredLanguage"]) == (0, "und")


@cases(
    "body, resource_owner, sequence",
    {
        "AddHumanUser": (payload(f"{USERS}/AddHumanUser", ADD, ADDED), "101", 5),
        "CreateUser": (payload(f"{USERS}/CreateUser", CREATE, CREATED), "100", 0),
    },
)
def test_scripts_see_a_user_after_it_was_created(
    body: bytes, resource_owner: str, sequence: int
) -> None:
    user = seen(body, "user")
    named = ("id", "resourceOwner", "creationDate", "changeDate", "sequence", "state", "username")
    assert {key: user[key] for key in named} == {
        "id": "300",
        "resourceOwner": resource_owner,
        "creationDate": "2025-03-04T05:06:07Z",
        "changeDate": "2025-03-04T05:06:07Z",
        "sequence": sequence,
        "state": 1,
        "username": "ada",
    }
    assert (user["human"]["firstName"], user["human"]["gender"]) == ("Ada", 1)


@cases(
    "checks, method",
    {
        "a password": ({"password": {"password": "x"}}, "password"),
        "a password and a code": ({"password": {}, "totp": {}}, "password"),
        "a code": ({"totp": {"code": "1"}}, "OTP"),
        "a code by SMS": ({"otpSms": {}}, "OTP SMS"),
        "a code by email": ({"otpEmail": {}}, "OTP Email"),
        "a key": ({"webAuthN": {}}, "U2F"),
    },
)
def test_scripts_see_how_a_session_was_checked(checks: dict[str, Any], method: str) -> None:
    body = payload(f"{SESSIONS}/SetSession", {"checks": checks}, {})
    assert (seen(body, "authMethod"), seen(body, "authError")) == (method, "none")


def answer(body: bytes, effects: Effects) -> Any:
    return json.loads(read(body).answers.made(effects))


METADATA: Final = [{"key": "k", "value": "MQ=="}]


def test_an_answer_is_the_whole_request_with_what_actions_set() -> None:
    profile = {**HUMAN["profile"], "nickName": "a"}
    assert answer(payload(f"{USERS}/AddHumanUser", ADD), EFFECTS) == {
        **ADD, "profile": profile, "metadata": METADATA,
    }  # fmt: skip
    assert answer(payload(f"{USERS}/CreateUser", CREATE), EFFECTS) == {
        **CREATE, "human": {**HUMAN, "profile": profile, "metadata": METADATA},
    }  # fmt: skip


def test_numbers_and_unknown_members_of_a_message_stay_as_they_are() -> None:
    sent = {**ADD, "later": {"big": 100000000000000000000, "small": 1.5}}
    assert answer(payload(f"{USERS}/AddHumanUser", sent), EFFECTS)["later"] == sent["later"]


def test_what_an_identity_provider_said_is_written_where_it_is_proposed() -> None:
    sent = {
        "addHumanUser": {},
        "createUser": {"human": {}},
        "updateHumanUser": {"userId": "3"},
        "updateUser": {"userId": "3", "human": {}},
    }
    profile = {"profile": {"nickName": "a"}}
    body = payload(f"{USERS}/RetrieveIdentityProviderIntent", {}, sent)
    assert answer(body, EFFECTS) == {
        "addHumanUser": {**profile, "metadata": METADATA},
        "createUser": {"human": {**profile, "metadata": METADATA}},
        "updateHumanUser": {"userId": "3", **profile},
        "updateUser": {"userId": "3", "human": profile},
    }


@cases(
    "body, effects",
    {
        "nothing": (payload(f"{USERS}/AddHumanUser", ADD), NOTHING),
        "grants": (payload(f"{USERS}/AddHumanUser", ADD, ADDED), GRANTS),
        "metadata of a session": (
            payload(f"{SESSIONS}/SetSession", {"checks": {"totp": {}}}, {}), EFFECTS,
        ),
        "a user who is linked, and not updated": (
            payload(f"{USERS}/RetrieveIdentityProviderIntent", {}, {"userId": "300"}), EFFECTS,
        ),
    },
)  # fmt: skip
def test_a_message_that_no_action_changed_is_answered_by_nothing(
    body: bytes, effects: Effects
) -> None:
    assert read(body).answers.made(effects) == b""


@cases(
    "body, effects, left",
    {
        "nothing of what is written": (payload(f"{USERS}/AddHumanUser", ADD), EFFECTS, Leftover()),
        "grants": (
            payload(f"{USERS}/AddHumanUser", ADD, ADDED), GRANTS, Leftover(grants=GRANTS.grants),
        ),
        "metadata of a session": (
            payload(f"{SESSIONS}/SetSession", {"checks": {"totp": {}}}, {}),
            Effects({}, {}, EFFECTS.metadata, (), ()),
            Leftover(metadata=EFFECTS.metadata),
        ),
        "metadata of a user who is updated": (
            payload(
                f"{USERS}/RetrieveIdentityProviderIntent", {}, {"updateHumanUser": {"userId": "3"}}
            ),
            EFFECTS,
            Leftover(metadata=EFFECTS.metadata),
        ),
        "all of a user who is linked, and not updated": (
            payload(f"{USERS}/RetrieveIdentityProviderIntent", {}, {"userId": "300"}),
            EFFECTS,
            Leftover(has_fields=True, metadata=EFFECTS.metadata),
        ),
    },
)  # fmt: skip
def test_what_no_answer_can_have_is_left(body: bytes, effects: Effects, left: Leftover) -> None:
    assert read(body).answers.left(effects) == left


@cases(
    "sent, response, session_id",
    {
        "CreateSession": ({}, {"sessionId": "8"}, "8"),
        "SetSession": ({"sessionId": "8"}, {}, "8"),
    },
)
def test_a_session_is_named_as_its_payload_does_not_say_whose_it_is(
    sent: dict[str, Any], response: dict[str, Any], session_id: str
) -> None:
    sent = {**sent, "checks": {"password": {}}}
    assert read(payload(f"{SESSIONS}/SetSession", sent, response)).session_id == session_id


@cases(
    "body, reason",
    {
        "a method that is no text": (payload(1, {}), "fullMethod: expected text, got a number"),  # type: ignore[arg-type]
        "a request that is no object": (
            payload(f"{USERS}/AddHumanUser", [1]), "request: expected an object, got an array",
        ),
        "a response that is no object": (
            payload(f"{USERS}/AddHumanUser", {}, "x"), "response: expected an object, got text",
        ),
        "a user that is no object": (
            payload(f"{USERS}/CreateUser", {"human": 1}), "human: expected an object, got a number",
        ),
        "a response without the user": (
            payload(f"{USERS}/AddHumanUser", {}, {}), "response.userId: expected text, got nothing",
        ),
        "an organisation that is no object": (
            payload(f"{USERS}/AddHumanUser", {"organization": "1"}),
            "organization: expected an object, got text",
        ),
    },
)  # fmt: skip
def test_a_payload_of_the_wrong_form_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(BadPayload) as refused:
        read_call(body)
    assert str(refused.value) == reason


@cases(
    "request_, org_id",
    {
        "an id": ({"organization": {"orgId": "100"}}, "100"),
        "none, so the call's": ({}, "109"),
        "a domain, which says no id": ({"organization": {"orgDomain": "a.example"}}, ""),
    },
)
def test_a_user_is_created_in_an_organisation(request_: dict[str, Any], org_id: str) -> None:
    assert read(payload(f"{USERS}/AddHumanUser", request_)).org_id == org_id


def test_scripts_see_headers_of_the_call_and_of_the_browser_of_a_session() -> None:
    headers = {"user-agent": ["a login"], "Authorization": ["Bearer x"]}
    body = payload(f"{USERS}/AddHumanUser", ADD, headers=headers)
    assert seen(body, "httpRequest")["headers"] == {"User-Agent": ["a login"]}
    browser = {"ip": "192.0.2.7", "header": {"user-agent": {"values": ["a browser"]}}}
    body = payload(
        f"{SESSIONS}/CreateSession", {"checks": {"password": {}}, "userAgent": browser}, {},
        headers=headers,
    )  # fmt: skip
    request = seen(body, "httpRequest")
    assert (request["headers"], request["remoteAddr"]) == (
        {"User-Agent": ["a browser"]}, "192.0.2.7",
    )  # fmt: skip
