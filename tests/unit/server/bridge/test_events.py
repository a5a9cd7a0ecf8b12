"""Payloads of events: what runs at them, and what scripts see."""

import base64
import json
from typing import Any, Final

import pytest

from server import triggers
from server.bridge.calls import Ignored, Leftover, TargetCall
from server.bridge.payload_values import BadPayload
from server.bridge.payloads import read_call
from server.scripts.contract import Effects, GrantEffect, MetadataEffect
from server.scripts.host import contexts
from tests.support.tables import cases

CONTENT: Final = {
    "userName": "ada",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "displayName": "Ada Lovelace",
    "preferredLanguage": "en",
    "gender": 1,
    "email": "ada@example.com",
    "encodedHash": "a hash",
}


def payload(type_: str, **members: Any) -> bytes:
    said = {
        "aggregateID": "300",
        "aggregateType": "user",
        "resourceOwner": "100",
        "instanceID": "1",
        "version": "v2",
        "sequence": 5,
        "event_type": type_,
        "created_at": "2025-03-04T05:06:07.5Z",
        "userID": "9",
        **members,
    }
    return json.dumps(said).encode()


def read(body: bytes) -> TargetCall:
    call = read_call(body)
    assert isinstance(call, TargetCall)
    return call


def seen(body: bytes, part: str) -> Any:
    """Returns a part of the context as scripts see it."""
    call = read(body)
    return contexts.decode_part(contexts.pack(*call.trigger, call.context).parts[part])


def test_a_password_that_was_wrong_is_seen_after_authentication() -> None:
    body = payload("user.human.password.check.failed")
    call = read(body)
    assert (call.trigger, call.org_id, call.user_id) == (
        triggers.INTERNAL_POST_AUTHENTICATION, "100", "300",
    )  # fmt: skip
    assert (seen(body, "authMethod"), seen(body, "authError")) == (
        "password", "Errors.User.Password.Invalid",
    )  # fmt: skip


@cases(
    "type_, content",
    {
        "added": ("user.human.added", CONTENT),
        "registered": ("user.human.selfregistered", CONTENT),
        "as earlier versions have it": (
            "user.human.added", base64.b64encode(json.dumps(CONTENT).encode()).decode(),
        ),
    },
)  # fmt: skip
def test_a_user_that_was_added_is_seen_after_creation(type_: str, content: Any) -> None:
    body = payload(type_, event_payload=content)
    call = read(body)
    assert (call.trigger, call.org_id, call.user_id) == (
        triggers.INTERNAL_POST_CREATION, "100", "300",
    )  # fmt: skip
    assert "a hash" not in str(call.context)
    user = seen(body, "user")
    named = ("id", "resourceOwner", "creationDate", "sequence", "state", "username")
    assert {key: user[key] for key in named} == {
        "id": "300",
        "resourceOwner": "100",
        "creationDate": "2025-03-04T05:06:07.5Z",
        "sequence": 5,
        "state": 1,
        "username": "ada",
    }
    human = user["human"]
    assert (human["firstName"], human["gender"], human["email"], human["phone"]) == (
        "Ada", 1, "ada@example.com", "",
    )  # fmt: skip


def test_a_user_is_seen_without_the_content_that_earlier_versions_leave_out() -> None:
    assert seen(payload("user.human.added"), "user")["id"] == "300"


@cases("type_", {"another": "user.locked", "of a machine": "user.machine.added"})
def test_other_events_change_nothing(type_: str) -> None:
    assert read_call(payload(type_)) == Ignored(b"{}")


def test_effects_are_left_as_answers_to_events_are_ignored() -> None:
    answers = read(payload("user.human.added")).answers
    failed = read(payload("user.human.password.check.failed")).answers
    effects = Effects(
        claims={}, fields={}, metadata=(MetadataEffect("k", b"1"),),
        grants=(GrantEffect("1", "", ()),), attributes=(),
    )  # fmt: skip
    assert (answers.unchanged, answers.made(effects)) == (b"{}", b"{}")
    assert answers.left(effects) == Leftover(metadata=effects.metadata, grants=effects.grants)
    assert failed.left(effects) == Leftover()


@cases(
    "members, reason",
    {
        "no user": ({"aggregateID": None}, "aggregateID: expected text, got nothing"),
        "no organisation": ({"resourceOwner": ""}, "resourceOwner: expected text, got empty text"),
        "a content that is no object": (
            {"event_payload": [1]}, "event_payload: expected an object, got an array",
        ),
        "a content that is no base64": (
            {"event_payload": "!"}, "event_payload: expected an object, or its base64",
        ),
        "a content of another JSON": (
            {"event_payload": "W10="}, "event_payload: expected an object, got an array",
        ),
        "a type that is no text": ({"event_type": 1}, "event_type: expected text, got a number"),
    },
)  # fmt: skip
def test_a_payload_of_the_wrong_form_is_refused(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadPayload) as refused:
        read_call(payload("user.human.added", **members))
    assert str(refused.value) == reason
