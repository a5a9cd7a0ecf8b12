"""Reads payloads of requests and responses: what runs at a method of ZITADEL, and its context.

Follows docs/bridge.md, and zitadel.user.v2 and zitadel.session.v2 in ProtoJSON.

Rule 1: an answer is the whole message; an empty one leaves it as it is. So a message is answered
only if actions changed it, with all that it had.
Rule 2: what no v1 trigger has an equivalent for changes nothing: targets may be called for all
methods.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from server import triggers
from server.bridge import intents
from server.bridge.calls import Ignored, JsonObject, Leftover, TargetCall
from server.bridge.http_requests import http_request_of
from server.bridge.humans import HumanMessage, adding, creating
from server.bridge.payload_values import object_of, part_of, text_of
from server.scripts.contract import Effects, JsonValue

_METHOD: Final = re.compile(r"/zitadel\.(?:user|session)\.v2(?:beta)?\.(\w+)/(\w+)", re.ASCII)

_AUTH_METHODS: Final = {
    "password": "password",
    "totp": "OTP",
    "otpSms": "OTP SMS",
    "otpEmail": "OTP Email",
    "webAuthN": "U2F",
}
"""Names of v1 by the checks of a session, in the order of their precedence."""

UNCHANGED: Final = b""


@dataclass(frozen=True, slots=True)
class MessageAnswers:
    """Answers a request or a response; implements `Answers`.

    Attributes:
        message: the whole message.
        humans: the users in it, into which effects are written.
    """

    message: JsonObject
    humans: tuple[HumanMessage, ...] = ()

    @property
    def unchanged(self) -> bytes:
        return UNCHANGED

    def made(self, effects: Effects) -> bytes:
        takes_metadata = [each for each in self.humans if each.makes_user]
        if not (effects.fields and self.humans) and not (effects.metadata and takes_metadata):
            return UNCHANGED
        for human in self.humans:
            human.set_fields(effects.fields)
        if effects.metadata:
            for human in takes_metadata:
                human.add_metadata(effects.metadata)
        return msgspec.json.encode(self.message)

    def left(self, effects: Effects) -> Leftover:
        takes_metadata = any(each.makes_user for each in self.humans)
        return Leftover(
            has_fields=bool(effects.fields) and not self.humans,
            metadata=() if takes_metadata else effects.metadata,
            grants=effects.grants,
        )


_Read: TypeAlias = Callable[[JsonObject, JsonObject], TargetCall | None]
"""Returns the call of a payload and its request; None if nothing runs."""


def read_message(payload: JsonObject) -> TargetCall | Ignored:
    """Returns the call of a request's or a response's payload.

    Raises:
        BadPayload: a value has the wrong type.
    """
    found = _METHOD.fullmatch(text_of(payload, "fullMethod"))
    readers = _AT_RESPONSES if payload.get("response") is not None else _AT_REQUESTS
    read = readers.get(f"{found[1]}/{found[2]}") if found else None
    request = part_of(payload, "request")
    call = read(payload, request) if read else None
    if call is None:
        return Ignored(UNCHANGED)
    call.context["httpRequest"] = http_request_of(payload, part_of(request, "userAgent"))
    return call


def _adding(payload: JsonObject, request: JsonObject) -> TargetCall:
    return _before_creation(request, adding(request), _organization(payload, request))


def _creating(payload: JsonObject, request: JsonObject) -> TargetCall | None:
    human = creating(request)
    if human is None:
        return None
    org_id = _first(request.get("organizationId"), payload.get("orgID"))
    return _before_creation(request, human, org_id)


def _before_creation(request: JsonObject, human: HumanMessage, org_id: str) -> TargetCall:
    is_external = human.is_external
    user_id = _first(request.get("userId"))
    context: JsonObject = {
        "user": {
            "id": user_id,
            "resourceOwner": org_id,
            "username": human.username,
            "human": human.context(),
        }
    }
    return TargetCall(
        trigger=triggers.EXTERNAL_PRE_CREATION if is_external else triggers.INTERNAL_PRE_CREATION,
        org_id=org_id,
        user_id=user_id,
        context=context,
        answers=MessageAnswers(request, (human,)),
    )


def _added(payload: JsonObject, request: JsonObject) -> TargetCall:
    details = part_of(part_of(payload, "response"), "details")
    org_id = _first(details.get("resourceOwner"), _organization(payload, request))
    return _after_creation(payload, adding(request), org_id, "userId", details)


def _created(payload: JsonObject, request: JsonObject) -> TargetCall | None:
    human = creating(request)
    if human is None:
        return None
    org_id = _first(request.get("organizationId"), payload.get("orgID"))
    return _after_creation(payload, human, org_id, "id", part_of(payload, "response"))


def _after_creation(
    payload: JsonObject, human: HumanMessage, org_id: str, id_key: str, details: JsonObject
) -> TargetCall:
    response = part_of(payload, "response")
    user_id = text_of(response, id_key, of="response.")
    created_at = details.get("creationDate")
    context: JsonObject = {
        "user": {
            "id": user_id,
            "resourceOwner": org_id,
            "creationDate": created_at,
            "changeDate": details.get("changeDate") or created_at,
            "sequence": details.get("sequence"),
            "state": intents.ACTIVE,
            "username": human.username,
            "human": {**human.context(), "gender": human.gender()},
        }
    }
    is_external = human.is_external
    return TargetCall(
        trigger=triggers.EXTERNAL_POST_CREATION if is_external else triggers.INTERNAL_POST_CREATION,
        org_id=org_id,
        user_id=user_id,
        context=context,
        answers=MessageAnswers(response),
    )


def _identified(payload: JsonObject, _: JsonObject) -> TargetCall:
    response = part_of(payload, "response")
    humans = intents.humans_of(response)
    created = part_of(response, "createUser").get("organizationId")
    return TargetCall(
        trigger=triggers.EXTERNAL_POST_AUTHENTICATION,
        org_id=_first(created, _organization(payload, part_of(response, "addHumanUser"))),
        user_id=_first(response.get("userId")),
        context=intents.context_of(response, humans),
        answers=MessageAnswers(response, humans),
    )


def _checked(payload: JsonObject, request: JsonObject) -> TargetCall | None:
    checks = part_of(request, "checks")
    done = [name for check, name in _AUTH_METHODS.items() if checks.get(check) is not None]
    if not done:
        return None
    response = part_of(payload, "response")
    return TargetCall(
        trigger=triggers.INTERNAL_POST_AUTHENTICATION,
        org_id=_first(payload.get("orgID")),
        user_id=_first(part_of(checks, "user").get("userId")),
        context={"authMethod": done[0], "authError": "none"},
        answers=MessageAnswers(response),
        session_id=_first(response.get("sessionId"), request.get("sessionId")),
    )


def _organization(payload: JsonObject, request: JsonObject) -> str:
    """Returns the id of the organisation of an AddHumanUserRequest.

    It is the call's if the request names none; empty if the request names it by its domain.
    """
    value = request.get("organization")
    if value is None:
        return _first(payload.get("orgID"))
    return _first(object_of(value, "organization").get("orgId"))


def _first(*values: JsonValue) -> str:
    """Returns the first value that is text and not empty; empty text without one."""
    return next((value for value in values if isinstance(value, str) and value), "")


_AT_REQUESTS: Final[Mapping[str, _Read]] = {
    "UserService/AddHumanUser": _adding,
    "UserService/CreateUser": _creating,
}
_AT_RESPONSES: Final[Mapping[str, _Read]] = {
    "UserService/AddHumanUser": _added,
    "UserService/CreateUser": _created,
    "UserService/RetrieveIdentityProviderIntent": _identified,
    "SessionService/CreateSession": _checked,
    "SessionService/SetSession": _checked,
}
