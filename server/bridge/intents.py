"""Reads what an identity provider said of a user: the response of RetrieveIdentityProviderIntent.

Follows docs/bridge.md, and zitadel.user.v2 RetrieveIdentityProviderIntentResponse in ProtoJSON. Its
`rawInformation` is what ZITADEL has of the user, in the names of the provider's kind.
"""

import re
from typing import Final

import msgspec
from jwt.utils import base64url_decode

from server.bridge.calls import JsonObject
from server.bridge.humans import HumanMessage, adding, changing, creating, updating
from server.bridge.payload_values import part_of
from server.scripts.contract import JsonValue
from server.scripts.host.claims import STANDARD

ACTIVE: Final = 1
"""The state of a user that is active."""

_RENAMED: Final = {"sub": "subject", "id": "iD", "ID": "iD"}
_UNDERLINED: Final = re.compile(r"_([a-z0-9])")
_INTEGER_END: Final = 1 << 63


def humans_of(response: JsonObject) -> tuple[HumanMessage, ...]:
    """Returns the users that the response proposes to make or to change."""
    found = [
        read(part_of(response, key))
        for key, read in (
            ("addHumanUser", adding),
            ("createUser", creating),
            ("updateHumanUser", changing),
            ("updateUser", updating),
        )
        if response.get(key) is not None
    ]
    return tuple(each for each in found if each is not None)


def context_of(response: JsonObject, humans: tuple[HumanMessage, ...]) -> JsonObject:
    """Returns the context of the trigger."""
    said = part_of(response, "idpInformation")
    oauth = part_of(said, "oauth")
    raw = said.get("rawInformation")
    return {
        "accessToken": oauth.get("accessToken"),
        "idToken": oauth.get("idToken"),
        "idTokenClaims": _claims(oauth.get("idToken")),
        "externalUser": {
            "externalId": said.get("userId"),
            "externalIdpId": said.get("idpId"),
            "human": humans[0].context() if humans else {},
        },
        "providerInfo": _provider_info(raw) if isinstance(raw, dict) else None,
    }


def _claims(id_token: JsonValue) -> JsonValue:
    """Returns the claims of an id token, which ZITADEL has verified; None if it has none."""
    if not isinstance(id_token, str) or id_token.count(".") != 2:
        return None
    try:
        claims: JsonValue = msgspec.json.decode(base64url_decode(id_token.split(".")[1]))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return _plain(claims) if isinstance(claims, dict) else None


def _provider_info(raw: JsonObject) -> JsonObject:
    """Returns the names of the provider, and beside them those that v1 had."""
    info = {**raw}
    for key, value in raw.items():
        info.setdefault(_v1_name(key), value)
    # Those of the standard have members of their own in v1.
    info.setdefault("claims", {key: value for key, value in raw.items() if key not in STANDARD})
    return {key: _plain(value) for key, value in info.items()}


def _v1_name(key: str) -> str:
    """Returns the name that v1 has: `rawInfo` of "RawInfo", `givenName` of "given_name"."""
    if key in _RENAMED:
        return _RENAMED[key]
    camel = _UNDERLINED.sub(lambda found: found[1].upper(), key)
    return camel[:1].lower() + camel[1:]


def _plain(value: JsonValue) -> JsonValue:
    """Returns a value without integers of more than 64 bits, which are floats there anyhow."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, int) and not -_INTEGER_END <= value < _INTEGER_END:
        return float(value)
    return value
