"""Reads the payload of a function: which trigger it is, of which user, and its context.

Follows docs/bridge.md and docs/contexts.md. Keys are in snake case; grants may be in camel case, as
some versions document them.

Rule 1: unknown keys are ignored, as later versions have more; null is as missing.
Rule 2: a value of the wrong type is an error that names its path. The values of a context are
checked where the context is packed.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from server import triggers
from server.bridge.answers import PreviousAnswer, answer_of, previous_answer
from server.bridge.calls import JsonObject, Leftover, TargetCall
from server.bridge.payload_values import BadPayload, kind_of, list_of, object_of, part_of, text_of
from server.scripts.contract import Effects, JsonValue
from server.scripts.host.claims import RESERVED_PREFIX
from server.triggers import Trigger

FUNCTIONS: Final[Mapping[str, Trigger]] = {
    "function/preuserinfo": triggers.PRE_USERINFO,
    "function/preaccesstoken": triggers.PRE_ACCESS_TOKEN,
    "function/presamlresponse": triggers.PRE_SAML_RESPONSE,
}

_GRANT_KEYS: Final = {
    "grantId": "projectGrantId",
    "resourceOwner": "userGrantResourceOwner",
    "orgName": "userGrantResourceOwnerName",
}
"""Keys of a grant that have another name in the context."""

_UNDERLINED: Final = re.compile(r"_([a-z0-9])")


@dataclass(frozen=True, slots=True)
class FunctionAnswers:
    """Answers a function; implements `Answers`.

    Attributes:
        previous: what targets before this one answered.
        is_saml: True for the function of SAML responses.
    """

    previous: PreviousAnswer
    is_saml: bool

    @property
    def unchanged(self) -> bytes:
        return b"{}"

    def made(self, effects: Effects) -> bytes:
        return orjson.dumps(answer_of(effects, self.previous, is_saml=self.is_saml))

    def left(self, _: Effects) -> Leftover:
        return Leftover()


def read_function(payload: JsonObject) -> TargetCall:
    """Returns the call of a function's payload.

    Raises:
        BadPayload: the payload is not one of a function known here.
    """
    function = text_of(payload, "function")
    trigger = FUNCTIONS.get(function)
    if trigger is None:
        known = ", ".join(FUNCTIONS)
        raise BadPayload(f"function: expected one of {known}, got {function[:40]!r}")
    user = object_of(payload.get("user"), "user")
    previous = previous_answer(part_of(payload, "response"))
    is_saml = trigger == triggers.PRE_SAML_RESPONSE
    context = _saml_context(payload) if is_saml else _token_context(payload, previous)
    context["user"] = _user(user)
    return TargetCall(
        trigger=trigger,
        org_id=text_of(user, "resource_owner", of="user."),
        user_id=text_of(user, "id", of="user."),
        context=context,
        answers=FunctionAnswers(previous, is_saml),
        granting_org_ids=_granting(context["userGrants"]),
    )


def _token_context(payload: JsonObject, previous: PreviousAnswer) -> JsonObject:
    application = part_of(payload, "application")
    return {
        "claims": _claims(part_of(payload, "userinfo"), previous),
        "userMetadata": [
            _metadata(entry, f"user_metadata[{at}]")
            for at, entry in enumerate(list_of(payload, "user_metadata"))
        ],
        "userGrants": _grants(payload) or None,
        "application": {"clientId": application.get("client_id")},
        "actor": _camel_all(payload.get("actor")),
    }


def _saml_context(payload: JsonObject) -> JsonObject:
    return {"userGrants": _grants(payload)}


def _claims(claims: JsonObject, previous: PreviousAnswer) -> JsonObject:
    """Returns the claims that scripts see: the token's, and those of targets before."""
    custom = {
        key: value
        for key, value in previous.claims().items()
        if not key.startswith(RESERVED_PREFIX) and claims.get(key) is None
    }
    return {**claims, **custom}


def _user(user: JsonObject) -> JsonObject:
    known = _camel(user)
    for kind in ("human", "machine"):
        part = user.get(kind)
        known.pop(kind, None)
        if part is not None:
            known[kind] = _camel(object_of(part, f"user.{kind}"))
    return known


def _metadata(value: JsonValue, path: str) -> JsonObject:
    entry = object_of(value, path)
    encoded = entry.get("value") or ""
    try:
        if not isinstance(encoded, str):
            raise BadPayload(f"{path}.value: expected base64, got {kind_of(encoded)}")
        octets = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadPayload(f"{path}.value: expected base64, got {str(encoded)[:40]!r}") from None
    return {**_camel(entry), "value": octets.decode(errors="replace")}


def _grants(payload: JsonObject) -> list[JsonValue]:
    grants: list[JsonValue] = []
    for at, value in enumerate(list_of(payload, "user_grants") or list_of(payload, "userGrants")):
        grant = _camel(object_of(value, f"user_grants[{at}]"))
        for theirs, ours in _GRANT_KEYS.items():
            if theirs in grant:
                grant.setdefault(ours, grant.pop(theirs))
        grants.append(grant)
    return grants


def _camel(value: JsonObject) -> JsonObject:
    """Returns an object with its own keys in camel case, without those that are null."""
    return {_camel_key(key): each for key, each in value.items() if each is not None}


def _camel_all(value: JsonValue) -> JsonValue:
    """Returns a value with the keys of all its objects in camel case."""
    if isinstance(value, dict):
        return {_camel_key(key): _camel_all(each) for key, each in value.items()}
    return value


def _camel_key(key: str) -> str:
    return _UNDERLINED.sub(lambda found: found[1].upper(), key)


def _granting(grants: JsonValue) -> frozenset[str]:
    owners = [
        grant.get(_GRANT_KEYS["resourceOwner"])
        for grant in (grants if isinstance(grants, list) else ())
        if isinstance(grant, dict)
    ]
    return frozenset(owner for owner in owners if isinstance(owner, str))
