"""Describes a target: what this service keeps of a ZITADEL that calls it.

Rule: the form in which a target is stored has its keys and its account; it is sealed before it is
stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from server.bridge.encryption_keys import EncryptionKey, KeyType
from server.bridge.service_accounts import ServiceAccount

MARGIN_MS: Final = 500
"""Milliseconds of a target's time limit that are left for the answer's way; half of it at most."""

_FORM: Final = 1
_Ms = Annotated[int, msgspec.Meta(gt=0)]


class PayloadType(StrEnum):
    """Names the form of a target's payloads; as ZITADEL's `payloadType`."""

    JSON = "json"
    JWT = "jwt"
    JWE = "jwe"


@dataclass(frozen=True, slots=True)
class Target:
    """Holds a target.

    Attributes:
        signing_key: as ZITADEL shows it when the target is made there; empty until it is set.
        timeout_ms: the time limit of the target there.
        ignores_failures: True if a login goes on without a run that failed; else it fails, too.
        orgs: organisations here, whose actions run, by the id of the user's organisation there.
        payload: the form in which ZITADEL sends payloads.
        issuer: URL of the ZITADEL whose keys sign them, without a slash at its end; may be
            empty for JSON.
        keys: to which payloads may be encrypted, in order of creation.
        account: reads there what payloads lack; None without one.
    """

    id: str
    name: str
    signing_key: str = field(repr=False)
    timeout_ms: int
    ignores_failures: bool
    orgs: Mapping[str, str]
    payload: PayloadType = PayloadType.JSON
    issuer: str = ""
    keys: tuple[EncryptionKey, ...] = ()
    account: ServiceAccount | None = None

    @property
    def deadline_s(self) -> float:
        """Seconds after which a call is answered without its run's result."""
        return (self.timeout_ms - min(MARGIN_MS, self.timeout_ms // 2)) / 1000


class _StoredKey(msgspec.Struct, frozen=True):
    id: str
    type: KeyType
    created_at: int
    private: bytes


class _Stored(msgspec.Struct, frozen=True):
    form: int
    name: str
    signing_key: str
    timeout_ms: _Ms
    ignores_failures: bool
    orgs: dict[str, str]
    payload: PayloadType = PayloadType.JSON
    issuer: str = ""
    keys: tuple[_StoredKey, ...] = ()
    account: ServiceAccount | None = None


_decode: Final = msgspec.json.Decoder(_Stored).decode


class UnreadableTarget(Exception):
    """A stored target is of a later version of this service."""


def write(target: Target) -> bytes:
    """Returns the form of a target that is sealed and stored."""
    return msgspec.json.encode(
        _Stored(
            _FORM,
            target.name,
            target.signing_key,
            target.timeout_ms,
            target.ignores_failures,
            {**target.orgs},
            target.payload,
            target.issuer,
            tuple(_StoredKey(key.id, key.type, key.created_at, key.private) for key in target.keys),
            target.account,
        )
    )


def read(id: str, stored: bytes) -> Target:
    """Returns a stored target.

    Raises:
        UnreadableTarget: its form is another.
    """
    try:
        found = _decode(stored)
    except msgspec.DecodeError:
        raise UnreadableTarget(f"target {id}: unknown form") from None
    if found.form != _FORM:
        raise UnreadableTarget(f"target {id}: expected form {_FORM}, got {found.form}")
    return Target(
        id=id,
        name=found.name,
        signing_key=found.signing_key,
        timeout_ms=found.timeout_ms,
        ignores_failures=found.ignores_failures,
        orgs=found.orgs,
        payload=found.payload,
        issuer=found.issuer,
        keys=tuple(
            EncryptionKey(key.id, key.type, key.created_at, key.private) for key in found.keys
        ),
        account=found.account,
    )
