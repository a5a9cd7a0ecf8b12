"""Human users in messages of ZITADEL: what scripts see of them, and what they set."""

import copy
from collections.abc import Mapping
from typing import Any, Final

import pytest

from server.bridge.humans import adding, changing, creating, updating
from server.bridge.payload_values import BadPayload
from server.scripts.contract import MetadataEffect
from tests.support.tables import cases

ADA: Final[dict[str, Any]] = {
    "username": "ada",
    "profile": {
        "givenName": "Ada",
        "familyName": "Lovelace",
        "nickName": "ada",
        "displayName": "Ada Lovelace",
        "preferredLanguage": "en",
        "gender": "GENDER_FEMALE",
    },
    "email": {"email": "ada@example.com", "isVerified": True},
    "phone": {"phone": "+41", "sendCode": {}},
    "password": {"password": "a password"},
}
SEEN: Final = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "nickName": "ada",
    "displayName": "Ada Lovelace",
    "preferredLanguage": "en",
    "email": "ada@example.com",
    "isEmailVerified": True,
    "phone": "+41",
}


def a_copy(**members: Any) -> dict[str, Any]:
    return copy.deepcopy({**ADA, **members})


def test_scripts_see_the_profile_and_the_addresses_and_no_password() -> None:
    assert adding(a_copy()).context() == SEEN
    human = creating({"organizationId": "1", "username": "ada", "human": a_copy()})
    assert human is not None
    assert human.context() == SEEN


def test_what_is_missing_is_left_out() -> None:
    assert adding({}).context() == {}


@cases(
    "gender, number",
    {
        "unspecified": ("GENDER_UNSPECIFIED", 0),
        "female": ("GENDER_FEMALE", 1),
        "male": ("GENDER_MALE", 2),
        "diverse": ("GENDER_DIVERSE", 3),
        "a later one": ("GENDER_LATER", 0),
        "none": (None, 0),
    },
)
def test_genders_are_numbers(gender: str | None, number: int) -> None:
    assert adding({"profile": {"gender": gender}}).gender() == number


@cases(
    "message, username",
    {
        "its own": ({"username": "ada", "email": {"email": "a@b"}}, "ada"),
        "the email": ({"email": {"email": "a@b"}}, "a@b"),
    },
)
def test_a_user_without_a_username_has_the_email(message: dict[str, Any], username: str) -> None:
    assert adding(message).username == username


@cases(
    "fields, changes",
    {
        "nothing": ({}, {}),
        "names": (
            {
                "firstName": "A",
                "lastName": "L",
                "nickName": "n",
                "displayName": "d",
                "preferredLanguage": "de",
            },
            {
                "profile": {
                    **ADA["profile"],
                    "givenName": "A",
                    "familyName": "L",
                    "nickName": "n",
                    "displayName": "d",
                    "preferredLanguage": "de",
                }
            },
        ),
        "a gender": ({"gender": 3}, {"profile": {**ADA["profile"], "gender": "GENDER_DIVERSE"}}),
        "a gender that there is not": (
            {"gender": 9}, {"profile": {**ADA["profile"], "gender": "GENDER_UNSPECIFIED"}},
        ),
        "a username": ({"username": "al"}, {"username": "al"}),
        "a preferred username": ({"preferredUsername": "al"}, {"username": "al"}),
        "an email": ({"email": "x@y"}, {"email": {"email": "x@y", "isVerified": True}}),
        "an email that is not verified": (
            {"isEmailVerified": False}, {"email": {"email": "ada@example.com"}},
        ),
        "a phone that is verified": (
            {"isPhoneVerified": True}, {"phone": {"phone": "+41", "isVerified": True}},
        ),
        "a phone that is not verified": (
            {"isPhoneVerified": False}, {"phone": {"phone": "+41", "sendCode": {}}},
        ),
        "a phone": (
            {"phone": "+42", "isPhoneVerified": True},
            {"phone": {"phone": "+42", "isVerified": True}},
        ),
    },
)  # fmt: skip
def test_what_actions_set_is_written(
    fields: Mapping[str, str | bool | int], changes: dict[str, Any]
) -> None:
    message = a_copy()
    adding(message).set_fields(fields)
    assert message == {**ADA, **changes}


def test_a_phone_that_is_emptied_is_left_out() -> None:
    message = a_copy()
    adding(message).set_fields({"phone": "", "isPhoneVerified": True})
    assert message == {key: value for key, value in ADA.items() if key != "phone"}


def test_what_was_missing_is_made() -> None:
    message: dict[str, Any] = {"username": "ada", "human": {}}
    human = creating(message)
    assert human is not None
    human.set_fields({"firstName": "A", "email": "x@y", "isEmailVerified": True, "username": "b"})
    assert message == {
        "username": "b",
        "human": {"profile": {"givenName": "A"}, "email": {"email": "x@y", "isVerified": True}},
    }


def test_metadata_is_added_and_replaced_by_its_key() -> None:
    message = a_copy(metadata=[{"key": "a", "value": "MQ=="}, {"key": "b", "value": "Mg=="}])
    entries = [MetadataEffect("b", b"3"), MetadataEffect("c", b"4"), MetadataEffect("c", b"5")]
    adding(message).add_metadata(entries)
    assert message["metadata"] == [
        {"key": "a", "value": "MQ=="},
        {"key": "b", "value": "Mw=="},
        {"key": "c", "value": "NQ=="},
    ]


def test_machines_are_no_humans() -> None:
    machine: dict[str, Any] = {"username": "bot", "machine": {"name": "Bot"}}
    assert (creating(machine), updating(machine)) == (None, None)


def test_only_what_makes_a_user_takes_metadata() -> None:
    human = updating({"human": {}})
    assert human is not None
    made = (adding({}).makes_user, changing({}).makes_user, human.makes_user)
    assert made == (True, False, False)


@cases(
    "message, reason",
    {
        "a profile": ({"profile": 1}, "profile: expected an object, got a number"),
        "an email": ({"email": "a@b"}, "email: expected an object, got text"),
    },
)
def test_a_member_of_the_wrong_type_is_refused(message: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadPayload) as refused:
        adding(message).context()
    assert str(refused.value) == reason
