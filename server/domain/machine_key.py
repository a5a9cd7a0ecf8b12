"""Decides what happens to a machine key, by which a user asks for access tokens.

A key of kind `JSON` is a pair: the user signs by the private half, which is not stored. A client
secret is compared by its hash.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from server.domain.events import Event, RecordedEvent
from server.domain.org import Org
from server.domain.refusals import invalid, not_found
from server.domain.user import User

ADDED: Final = "machine_key.added"
REMOVED: Final = "machine_key.removed"
EVENT_TYPES: Final = frozenset({ADDED, REMOVED})

_REMOVED: Final = Event(REMOVED)


class KeyKind(StrEnum):
    JSON = "json"
    CLIENT_SECRET = "client_secret"  # noqa: S105 - a name, not a secret


@dataclass(frozen=True, slots=True)
class MachineKey:
    """Holds one row of `machine_keys`; a deleted key is absent.

    Attributes:
        org_id: the organisation of its user.
        kind: a value of `KeyKind`.
        verifier: of a pair the public key (SubjectPublicKeyInfo, DER); of a secret its SHA-256.
        expires_at: time from which on it is refused; None if it never expires.
    """

    id: str
    org_id: str
    user_id: str
    kind: str
    verifier: bytes
    expires_at: int | None
    sequence: int
    created_at: int
    changed_at: int
    position: int


def create(
    user: User | None,
    *,
    org: Org | None,
    kind: KeyKind,
    verifier: bytes,
    expires_at: int | None,
    now: int,
) -> tuple[User, Event]:
    """Returns the user, which exists as its organisation does, and the event of a new key."""
    if user is None or org is None:
        raise not_found("Errors.User.NotFound", "COMMAND-Ku3nf")
    if expires_at is not None and expires_at <= now:
        raise invalid("Errors.Key.ExpiryPast", "COMMAND-Ke7ps")
    return user, Event(
        ADDED,
        {
            "userId": user.id,
            "kind": kind.value,
            "verifier": verifier.hex(),
            **({} if expires_at is None else {"expiresAt": expires_at}),
        },
    )


def remove(key: MachineKey | None) -> tuple[MachineKey, Event]:
    if key is None:
        raise not_found("Errors.Key.NotFound", "COMMAND-Kr9nf")
    return key, _REMOVED


def evolve(key: MachineKey | None, event: RecordedEvent) -> MachineKey | None:
    if event.type == ADDED:
        return MachineKey(
            id=event.aggregate_id,
            org_id=event.org_id,
            user_id=event.text("userId"),
            kind=event.text("kind"),
            verifier=bytes.fromhex(event.text("verifier")),
            expires_at=event.number("expiresAt") if "expiresAt" in event.payload else None,
            sequence=event.sequence,
            created_at=event.created_at,
            changed_at=event.created_at,
            position=event.position,
        )
    if key is None or event.type == REMOVED:
        return None
    return replace(key, sequence=event.sequence, changed_at=event.created_at)
