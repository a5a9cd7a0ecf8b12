"""Collects the effects of all actions of a run, and applies the rules for them.

Follows docs/scripts.md "Rules of effects": an existing claim stays, the first attribute of a name
stays, a verification without an address has no effect.

Rule: effects come from a process that runs foreign code, so their form, their size and the trigger
they belong to are checked again here.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
import orjson

from server import triggers
from server.scripts.contract import (
    AttributeEffect,
    Effects,
    GrantEffect,
    JsonValue,
    MetadataEffect,
    PackedContext,
)
from server.scripts.host import contexts
from server.scripts.host.claims import RESERVED_PREFIX, STANDARD, TOKEN_OWN
from server.triggers import Trigger

EFFECTS_MAX_BYTES: Final = 4 << 20
"""Max bytes of effects of a run; the worker already limits an action to 1 MiB of characters."""

LIST_MAX: Final = 1000
"""Max entries of a list that `api` has."""


class _SetField(msgspec.Struct, tag_field="op", tag="field", frozen=True):
    name: str
    value: str | bool | int


class _PutMetadata(msgspec.Struct, tag_field="op", tag="entry", frozen=True):
    """Sets an entry of the list `api.metadata`, to a text or to octets."""

    at: int
    key: str
    value: str = ""
    octets: tuple[Annotated[int, msgspec.Meta(ge=0, le=255)], ...] = ()


class _PutGrant(msgspec.Struct, tag_field="op", tag="grant", frozen=True):
    at: int
    project_id: str
    project_grant_id: str
    roles: list[str]


class _TruncateLists(msgspec.Struct, tag_field="op", tag="shorten", frozen=True):
    length: int


class _SetClaim(msgspec.Struct, tag_field="op", tag="claim", frozen=True):
    key: str
    value: msgspec.Raw


class _LogIntoClaims(msgspec.Struct, tag_field="op", tag="claim_log", frozen=True):
    entry: str


class _SetMetadata(msgspec.Struct, tag_field="op", tag="metadata", frozen=True):
    key: str
    value: str


class _SetAttribute(msgspec.Struct, tag_field="op", tag="attribute", frozen=True):
    name: str
    name_format: str
    values: list[str]


_Operation: TypeAlias = (
    _SetField
    | _PutMetadata
    | _PutGrant
    | _TruncateLists
    | _SetClaim
    | _LogIntoClaims
    | _SetMetadata
    | _SetAttribute
)

_Shown: TypeAlias = "JsonValue | orjson.Fragment"

_decode_effect: Final = msgspec.json.Decoder(_Operation).decode
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_LOGIN_OPERATIONS: Final = (_SetField, _PutMetadata, _TruncateLists)
_TOKEN_OPERATIONS: Final = (_SetClaim, _LogIntoClaims, _SetMetadata)
_GRANT_OPERATIONS: Final = (_PutGrant, _TruncateLists)
_OPERATIONS: Final[dict[Trigger, tuple[type[_Operation], ...]]] = {
    triggers.EXTERNAL_POST_AUTHENTICATION: _LOGIN_OPERATIONS,
    triggers.EXTERNAL_PRE_CREATION: _LOGIN_OPERATIONS,
    triggers.EXTERNAL_POST_CREATION: _GRANT_OPERATIONS,
    triggers.PRE_USERINFO: _TOKEN_OPERATIONS,
    triggers.PRE_ACCESS_TOKEN: _TOKEN_OPERATIONS,
    triggers.INTERNAL_POST_AUTHENTICATION: (_PutMetadata, _TruncateLists),
    triggers.INTERNAL_PRE_CREATION: _LOGIN_OPERATIONS,
    triggers.INTERNAL_POST_CREATION: _GRANT_OPERATIONS,
    triggers.PRE_SAML_RESPONSE: (_SetAttribute, _SetMetadata),
}

_BEFORE_CREATION: Final = (triggers.EXTERNAL_PRE_CREATION, triggers.INTERNAL_PRE_CREATION)
"""Triggers whose context has a user to be created; the others have an external user."""

_USER_TEXTS: Final = (
    "firstName",
    "lastName",
    "nickName",
    "displayName",
    "preferredLanguage",
    "email",
    "phone",
)
_USER_FIELDS: Final[dict[str, type]] = dict.fromkeys(_USER_TEXTS, str) | {
    "isEmailVerified": bool,
    "isPhoneVerified": bool,
}
_FIELD_TYPES: Final[dict[Trigger, dict[str, type]]] = {
    triggers.EXTERNAL_POST_AUTHENTICATION: _USER_FIELDS | {"preferredUsername": str},
    triggers.EXTERNAL_PRE_CREATION: _USER_FIELDS | {"username": str, "gender": int},
    triggers.INTERNAL_PRE_CREATION: _USER_FIELDS | {"username": str, "gender": int},
}
_ADDRESS_FIELD: Final = {"isEmailVerified": "email", "isPhoneVerified": "phone"}


class EffectError(Exception):
    """The worker sent an effect that a script cannot ask for."""


class TooMuch(EffectError):
    """The effects exceed a limit; the text is for the author of the script."""


class Collector:
    """Collects the effects of a run.

    The context stays packed. An effect that later actions must see unpacks the part of the context
    that it changes; `pack` packs it again. Claims may have many MB: only their names are unpacked.
    """

    def __init__(
        self,
        trigger: Trigger,
        context: PackedContext,
        *,
        elsewhere: Mapping[str, bool] | None = None,
    ) -> None:
        """Takes the context, and the parts of it that scripts ask for instead, each as true."""
        self._trigger = trigger
        self._elsewhere = {"elsewhere": elsewhere} if elsewhere else {}
        self._ops = _OPERATIONS[trigger]
        self._parts = dict(context.parts)
        self._changed: dict[str, JsonValue] = {}
        self._given_claims: dict[str, msgspec.Raw] | None = None
        self._bytes = 0
        self._claims: dict[str, JsonValue] = {}
        # Standard claims that a scope filled, which stay; None until they are unpacked.
        self._filled: frozenset[str] | None = None
        self._claim_log: list[JsonValue] = []
        self._left_out: set[str] = set()
        self._fields: dict[str, str | bool | int] = {}
        self._metadata: list[MetadataEffect] = []
        self._written: dict[str, MetadataEffect] = {}
        self._grants: list[GrantEffect] = []
        self._attributes: dict[str, AttributeEffect] = {}

    def apply(self, payload: bytes) -> str | None:
        """Applies one effect; returns a warning for the log of its action, if any.

        Raises:
            EffectError: the effect is invalid, or the trigger does not have it.
            TooMuch: the effects of the run exceed the limit.
        """
        self._bytes += len(payload)
        if self._bytes > EFFECTS_MAX_BYTES:
            raise TooMuch(f"the effects of the run are more than {EFFECTS_MAX_BYTES} bytes")
        try:
            op = _decode_effect(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EffectError(f"an effect that cannot be read: {error}") from error
        if not isinstance(op, self._ops):
            raise EffectError(f"an effect that the trigger does not have: {type(op).__name__}")
        match op:
            case _SetField():
                self._set_field(op)
            case _PutMetadata():
                value = bytes(op.octets) if op.octets else op.value.encode()
                _put(self._metadata, op.at, MetadataEffect(op.key, value))
            case _PutGrant():
                grant = GrantEffect(op.project_id, op.project_grant_id, tuple(op.roles))
                _put(self._grants, op.at, grant)
            case _TruncateLists():
                del self._metadata[max(op.length, 0) :], self._grants[max(op.length, 0) :]
            case _SetClaim():
                return self._set_claim(op)
            case _LogIntoClaims():
                self._claim_log.append(op.entry)
            case _SetMetadata():
                self._set_metadata(op)
            case _SetAttribute():
                attribute = AttributeEffect(op.name, op.name_format, tuple(op.values))
                self._attributes.setdefault(op.name, attribute)
        return None

    def action_done(self, name: str) -> None:
        """Makes the claim of what an action logged into claims; call it after each action."""
        self._left_out.clear()
        if self._claim_log:
            self._write_claim(f"{RESERVED_PREFIX}:action:{name}:log", self._claim_log)
            self._claim_log = []

    def setup(self) -> bytes:
        """Returns the input of the next action: the context and the lists of `api`."""
        self.pack()
        context = {name: orjson.Fragment(part) for name, part in self._parts.items()}
        return orjson.dumps({"context": context, **self._elsewhere, **self._lists()})

    def pack(self) -> None:
        """Packs the parts of the context that effects changed."""
        for name, value in self._changed.items():
            self._parts[name] = contexts.encode_for_script(value)
        self._changed.clear()
        if self._given_claims is not None:
            self._parts["claims"] = contexts.quote_json(msgspec.json.encode(self._given_claims))
            self._given_claims = None

    def _lists(self) -> dict[str, object]:
        metadata = [
            {"key": entry.key, "value": _shown(entry.value), "stored": _stored(entry.value)}
            for entry in self._metadata
        ]
        grants: list[JsonValue] = [
            {
                "projectID": grant.project_id,
                "projectGrantID": grant.project_grant_id,
                "roles": [*grant.roles],
            }
            for grant in self._grants
        ]
        return {"metadata": metadata, "grants": grants}

    def effects(self) -> Effects:
        return Effects(
            claims={
                key: value for key, value in self._claims.items() if key not in (self._filled or ())
            },
            fields=self._fields,
            metadata=(*self._metadata, *self._written.values()),
            grants=tuple(self._grants),
            attributes=tuple(self._attributes.values()),
        )

    def _set_field(self, op: _SetField) -> None:
        fields = _FIELD_TYPES.get(self._trigger, {})
        if type(op.value) is not fields.get(op.name):
            raise EffectError(f"no field {op.name[:40]!r} that takes {type(op.value).__name__}")
        user = self._changing("user" if self._trigger in _BEFORE_CREATION else "externalUser")
        human = user.get("human") if isinstance(user, dict) else None
        if isinstance(human, dict):
            address = _ADDRESS_FIELD.get(op.name)
            if self._trigger in _BEFORE_CREATION and address and not human.get(address):
                return
            if op.name in human:
                human[op.name] = op.value
        if op.name == "username" and isinstance(user, dict):
            user["username"] = op.value
        self._fields[op.name] = op.value

    def _set_claim(self, op: _SetClaim) -> str | None:
        if op.key.startswith(RESERVED_PREFIX):
            return None
        if op.key in TOKEN_OWN:
            return self._leave_out(op.key)
        given = self._unpacked_claims().get(op.key) if op.key not in STANDARD else None
        is_given = given is not None and bytes(given) != b"null"
        if is_given or self._claims.get(op.key) is not None:
            self._claim_log.append(f"key {json.dumps(op.key, ensure_ascii=False)} already exists")
            return None
        self._write_claim(op.key, _value_of(op))
        return None

    def _leave_out(self, key: str) -> str | None:
        """Returns a warning, once for each claim and action."""
        if key in self._left_out:
            return None
        self._left_out.add(key)
        return f'claim "{key}" is the token\'s own'

    def _write_claim(self, key: str, value: JsonValue) -> None:
        self._claims[key] = value
        given = self._unpacked_claims()
        if key not in (self._filled or ()):
            given[key] = msgspec.Raw(orjson.dumps(value))

    def _unpacked_claims(self) -> dict[str, msgspec.Raw]:
        """Returns the claims in the context, by name; they may be changed."""
        if self._given_claims is None:
            self._given_claims = _members(orjson.loads(self._parts["claims"]))
            if self._filled is None:
                self._filled = STANDARD.intersection(self._given_claims)
        return self._given_claims

    def _set_metadata(self, op: _SetMetadata) -> None:
        self._written[op.key] = MetadataEffect(op.key, op.value.encode())
        if self._trigger == triggers.PRE_SAML_RESPONSE:
            contexts.write_metadata(self._changing("userMetadata"), op.key, op.value)

    def _changing(self, part: str) -> JsonValue:
        """Returns a part of the context, unpacked; it may be changed."""
        if part not in self._changed:
            self._changed[part] = contexts.decode_part(self._parts[part])
        return self._changed[part]


def _shown(octets: bytes) -> _Shown:
    """Returns a value of metadata as scripts read it: parsed JSON, else text, else octets."""
    try:
        orjson.loads(octets)
    except ValueError:
        text = _text_of(octets)
        return [*octets] if text is None else text
    return orjson.Fragment(octets)


def _stored(octets: bytes) -> str:
    """Returns the member of an effect that would set this value."""
    text = _text_of(octets)
    member: dict[str, JsonValue] = {"octets": [*octets]} if text is None else {"value": text}
    return orjson.dumps(member)[1:-1].decode()


def _text_of(octets: bytes) -> str | None:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return None


def _value_of(claim: _SetClaim) -> JsonValue:
    """Returns the value of a claim; an integer of more than 64 bits becomes a float."""
    try:
        value: JsonValue = orjson.loads(memoryview(claim.value))
        orjson.dumps(value)  # refuses deeper nesting than it can write
    except (ValueError, TypeError) as error:
        raise EffectError(f"a claim that cannot be read: {error}") from error
    return value


_T = TypeVar("_T")


def _put(items: list[_T], at: int, item: _T) -> None:
    if not 0 <= at <= len(items) or at >= LIST_MAX:
        raise EffectError(f"an entry at {at} of a list of {len(items)}")
    items[at : at + 1] = [item]
