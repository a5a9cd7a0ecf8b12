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
from typing import Final, TypeAlias

import msgspec

from server import triggers
from server.bridge.answers import PreviousAnswer, previous_answer
from server.scripts.contract import JsonValue
from server.scripts.host.claims import RESERVED_PREFIX
from server.triggers import Trigger

JsonObject: TypeAlias = dict[str, JsonValue]

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
_decode: Final = msgspec.json.Decoder().decode


class BadPayload(Exception):
    """The payload is not one that a function has; the text names the path."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """Describes a call of a function.

    Attributes:
        function: "function/preuserinfo", ...
        org_id: the user's organisation there, whose actions run.
        user_id: the user there.
        context: of the trigger; its values are not checked yet.
        previous: what targets before this one answered.
    """

    function: str
    trigger: Trigger
    org_id: str
    user_id: str
    context: JsonObject
    previous: PreviousAnswer

    @property
    def granting_org_ids(self) -> frozenset[str]:
        """Ids of the organisations there that granted to the user."""
        grants = self.context.get("userGrants")
        owners = [
            grant.get(_GRANT_KEYS["resourceOwner"])
            for grant in (grants if isinstance(grants, list) else ())
            if isinstance(grant, dict)
        ]
        return frozenset(owner for owner in owners if isinstance(owner, str))


def read_call(body: bytes) -> FunctionCall:
    """Returns the call of a payload.

    Raises:
        BadPayload: the body is not JSON, or not the payload of a function known here.
    """
    try:
        payload = _object(_decode(body), "payload")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadPayload("payload: expected JSON") from None
    function = _text(payload, "function")
    trigger = FUNCTIONS.get(function)
    if trigger is None:
        known = ", ".join(FUNCTIONS)
        raise BadPayload(f"function: expected one of {known}, got {function[:40]!r}")
    user = _object(payload.get("user"), "user")
    previous = previous_answer(_part(payload, "response"))
    is_saml = trigger == triggers.PRE_SAML_RESPONSE
    context = _saml_context(payload) if is_saml else _token_context(payload, previous)
    context["user"] = _user(user)
    return FunctionCall(
        function=function,
        trigger=trigger,
        org_id=_text(user, "resource_owner", of="user."),
        user_id=_text(user, "id", of="user."),
        context=context,
        previous=previous,
    )


def _token_context(payload: JsonObject, previous: PreviousAnswer) -> JsonObject:
    application = _part(payload, "application")
    return {
        "claims": _claims(_part(payload, "userinfo"), previous),
        "userMetadata": [
            _metadata(entry, f"user_metadata[{at}]")
            for at, entry in enumerate(_list(payload, "user_metadata"))
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
            known[kind] = _camel(_object(part, f"user.{kind}"))
    return known


def _metadata(value: JsonValue, path: str) -> JsonObject:
    entry = _object(value, path)
    encoded = entry.get("value") or ""
    try:
        if not isinstance(encoded, str):
            raise BadPayload(f"{path}.value: expected base64, got {_kind(encoded)}")
        octets = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadPayload(f"{path}.value: expected base64, got {str(encoded)[:40]!r}") from None
    return {**_camel(entry), "value": octets.decode(errors="replace")}


def _grants(payload: JsonObject) -> list[JsonValue]:
    grants: list[JsonValue] = []
    for at, value in enumerate(_list(payload, "user_grants") or _list(payload, "userGrants")):
        grant = _camel(_object(value, f"user_grants[{at}]"))
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


def _part(payload: JsonObject, key: str) -> JsonObject:
    value = payload.get(key)
    return {} if value is None else _object(value, key)


def _list(payload: JsonObject, key: str) -> list[JsonValue]:
    value = payload.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadPayload(f"{key}: expected an array, got {_kind(value)}")
    return value


def _object(value: JsonValue, path: str) -> JsonObject:
    if not isinstance(value, dict):
        raise BadPayload(f"{path}: expected an object, got {_kind(value)}")
    return value


def _text(value: JsonObject, key: str, *, of: str = "") -> str:
    text = value.get(key)
    if not isinstance(text, str) or not text:
        raise BadPayload(f"{of}{key}: expected text, got {_kind(text)}")
    return text


def _kind(value: JsonValue) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text" if value else "empty text"
    return "an array" if isinstance(value, list) else "an object"
