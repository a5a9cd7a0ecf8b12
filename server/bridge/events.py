"""Reads payloads of events: what runs at an event of ZITADEL, and its context.

Follows docs/bridge.md.
Rule: answers to events are ignored, so no effect is in one.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

import msgspec

from server import triggers
from server.bridge import intents
from server.bridge.calls import Ignored, JsonObject, Leftover, TargetCall
from server.bridge.payload_values import BadPayload, object_of, text_of
from server.scripts.contract import Effects, JsonValue

PASSWORD_FAILED: Final = "user.human.password.check.failed"  # noqa: S105  the name of an event
CREATED: Final = frozenset({"user.human.added", "user.human.selfregistered"})

UNCHANGED: Final = b"{}"

_INVALID: Final = "Errors.User.Password.Invalid"
_HUMAN: Final = (
    *("firstName", "lastName", "nickName", "displayName", "preferredLanguage", "gender"),
    *("email", "phone"),
)
"""Members of an event that are those of a user; there are others, as the password's hash."""


@dataclass(frozen=True, slots=True)
class EventAnswers:
    """Answers an event; implements `Answers`.

    Attributes:
        has_failed: True if it is a login that failed, whose effects v1 drops, too.
    """

    has_failed: bool = False

    @property
    def unchanged(self) -> bytes:
        return UNCHANGED

    def made(self, _: Effects) -> bytes:
        return UNCHANGED

    def left(self, effects: Effects) -> Leftover:
        if self.has_failed:
            return Leftover()
        return Leftover(metadata=effects.metadata, grants=effects.grants)


def read_event(payload: JsonObject) -> TargetCall | Ignored:
    """Returns the call of an event's payload.

    Raises:
        BadPayload: a value has the wrong type.
    """
    type_ = text_of(payload, "event_type")
    if type_ == PASSWORD_FAILED:
        trigger = triggers.INTERNAL_POST_AUTHENTICATION
        context: JsonObject = {"authMethod": "password", "authError": _INVALID}
    elif type_ in CREATED:
        trigger = triggers.INTERNAL_POST_CREATION
        context = {"user": _user(payload)}
    else:
        return Ignored(UNCHANGED)
    return TargetCall(
        trigger=trigger,
        org_id=text_of(payload, "resourceOwner"),
        user_id=text_of(payload, "aggregateID"),
        context=context,
        answers=EventAnswers(has_failed=type_ == PASSWORD_FAILED),
    )


def _user(payload: JsonObject) -> JsonObject:
    event = _content(payload.get("event_payload"))
    return {
        "id": payload.get("aggregateID"),
        "resourceOwner": payload.get("resourceOwner"),
        "creationDate": payload.get("created_at"),
        "changeDate": payload.get("created_at"),
        "sequence": payload.get("sequence"),
        "state": intents.ACTIVE,
        "username": event.get("userName"),
        "human": {key: event[key] for key in _HUMAN if event.get(key) is not None},
    }


def _content(value: JsonValue) -> JsonObject:
    """Returns the content of an event: an object, or as earlier versions have it, its base64."""
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(base64.b64decode(value, validate=True))
        except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
            raise BadPayload("event_payload: expected an object, or its base64") from None
    return object_of(value, "event_payload")
