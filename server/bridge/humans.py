"""Reads human users in messages of ZITADEL's UserService, and writes into them what actions set.

Follows docs/bridge.md, and zitadel.user.v2 in ProtoJSON: AddHumanUserRequest, CreateUserRequest,
UpdateHumanUserRequest, UpdateUserRequest.

Rule 1: only the members that are named here are read: never a password.
Rule 2: a member that no action set stays as it is.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from server.bridge.calls import JsonObject
from server.bridge.payload_values import list_of, object_of, part_of
from server.scripts.contract import JsonValue, MetadataEffect

_PROFILE: Final = {
    "firstName": "givenName",
    "lastName": "familyName",
    "nickName": "nickName",
    "displayName": "displayName",
    "preferredLanguage": "preferredLanguage",
}
"""Members of a profile by the names that scripts have."""

_GENDERS: Final = ("GENDER_UNSPECIFIED", "GENDER_FEMALE", "GENDER_MALE", "GENDER_DIVERSE")
"""By their numbers."""

_VERIFICATIONS: Final = ("sendCode", "returnCode", "isVerified")
"""Members of an address, of which there is one."""


@dataclass(frozen=True, slots=True)
class HumanMessage:
    """Holds a message that makes or changes a human user.

    Attributes:
        message: the whole; it has the username.
        human: the part with the profile and the addresses, or the whole again.
        makes_user: True if it makes the user, and so takes metadata.
    """

    message: JsonObject
    human: JsonObject
    makes_user: bool

    @property
    def is_external(self) -> bool:
        """True if the user has a link to an identity provider."""
        return bool(list_of(self.human, "idpLinks"))

    @property
    def username(self) -> JsonValue:
        """Returns the username; ZITADEL takes the email where there is none."""
        return self.message.get("username") or part_of(self.human, "email").get("email")

    def context(self) -> JsonObject:
        """Returns the profile and the addresses as scripts see them, without the gender."""
        profile = part_of(self.human, "profile")
        email, phone = part_of(self.human, "email"), part_of(self.human, "phone")
        found = {ours: profile.get(theirs) for ours, theirs in _PROFILE.items()}
        found["email"] = email.get("email")
        found["isEmailVerified"] = email.get("isVerified")
        found["phone"] = phone.get("phone")
        found["isPhoneVerified"] = phone.get("isVerified")
        return {key: value for key, value in found.items() if value is not None}

    def gender(self) -> int:
        """Returns the number of the gender."""
        value = part_of(self.human, "profile").get("gender")
        return _GENDERS.index(value) if isinstance(value, str) and value in _GENDERS else 0

    def set_fields(self, fields: Mapping[str, str | bool | int]) -> None:
        """Writes what actions set, by the names that scripts have."""
        for name, value in fields.items():
            if name in _PROFILE:
                self._made("profile")[_PROFILE[name]] = value
            elif name == "gender" and isinstance(value, int):
                known = 0 <= value < len(_GENDERS)
                self._made("profile")["gender"] = _GENDERS[value if known else 0]
            elif name in {"username", "preferredUsername"}:
                self.message["username"] = value
            elif name == "email":
                self._made("email")["email"] = value
            elif name == "phone":
                self._set_phone(value)
        for name, address in (("isEmailVerified", "email"), ("isPhoneVerified", "phone")):
            if name in fields and address in self.human:
                _verify(part_of(self.human, address), is_verified=bool(fields[name]))

    def add_metadata(self, entries: Sequence[MetadataEffect]) -> None:
        """Writes metadata; an entry replaces one with its key."""
        keys = {entry.key for entry in entries}
        kept = [
            each
            for each in list_of(self.human, "metadata")
            if not isinstance(each, dict) or each.get("key") not in keys
        ]
        last = {entry.key: entry.value for entry in entries}
        new: list[JsonValue] = [
            {"key": key, "value": base64.b64encode(value).decode()} for key, value in last.items()
        ]
        self.human["metadata"] = kept + new

    def _set_phone(self, value: JsonValue) -> None:
        if value:
            self._made("phone")["phone"] = value
        else:
            self.human.pop("phone", None)

    def _made(self, key: str) -> JsonObject:
        return object_of(self.human.setdefault(key, {}), key)


def adding(message: JsonObject) -> HumanMessage:
    """Returns the user of an AddHumanUserRequest."""
    return HumanMessage(message, message, makes_user=True)


def creating(message: JsonObject) -> HumanMessage | None:
    """Returns the user of a CreateUserRequest; None for a machine."""
    return _inner(message, makes_user=True)


def changing(message: JsonObject) -> HumanMessage:
    """Returns the user of an UpdateHumanUserRequest."""
    return HumanMessage(message, message, makes_user=False)


def updating(message: JsonObject) -> HumanMessage | None:
    """Returns the user of an UpdateUserRequest; None for a machine."""
    return _inner(message, makes_user=False)


def _inner(message: JsonObject, *, makes_user: bool) -> HumanMessage | None:
    human = message.get("human")
    if human is None:
        return None
    return HumanMessage(message, object_of(human, "human"), makes_user)


def _verify(address: JsonObject, *, is_verified: bool) -> None:
    """Writes if an address is verified; one that is not gets a code, as it would by itself."""
    if is_verified:
        for key in _VERIFICATIONS:
            address.pop(key, None)
        address["isVerified"] = True
    else:
        address.pop("isVerified", None)
