"""A user of an organisation, and the personal access tokens that speak for it."""

from dataclasses import dataclass, replace
from typing import Final

from server.domain.events import Event, RecordedEvent
from server.domain.names import is_label, is_name
from server.domain.org import Org
from server.domain.refusals import already_exists, invalid, not_found

ADDED: Final = "user.added"
TOKEN_ADDED: Final = "token.added"
TOKEN_REMOVED: Final = "token.removed"

_TOKEN_REMOVED: Final = Event(TOKEN_REMOVED)


@dataclass(frozen=True, slots=True)
class User:
    """One row of `users`."""

    id: str
    org_id: str
    name: str
    sequence: int
    created_at: int
    changed_at: int
    position: int


@dataclass(frozen=True, slots=True)
class Token:
    """One row of `tokens`; absent once it is revoked.

    Attributes:
        org_id: the organisation of its user.
        secret_hash: the SHA-256 of the secret, 32 bytes; the secret itself is stored nowhere.
        expires_at: the first moment at which it is refused; None if it never expires.
    """

    id: str
    org_id: str
    user_id: str
    secret_hash: bytes
    description: str
    expires_at: int | None
    sequence: int
    created_at: int
    changed_at: int
    position: int


def create(*, org: Org | None, name: str, name_owner: str | None) -> Event:
    """A user's name is unique in its organisation."""
    if not is_name(name):
        raise invalid("Errors.User.Invalid", "COMMAND-Uf4nv")
    if org is None:
        raise not_found("Errors.Org.NotFound", "COMMAND-Uc2no")
    if name_owner is not None:
        raise already_exists("Errors.User.AlreadyExists", "V3-DKcYh")
    return Event(ADDED, {"name": name})


def evolve(user: User | None, event: RecordedEvent) -> User | None:
    if event.type == ADDED:
        return User(
            id=event.aggregate_id,
            org_id=event.org_id,
            name=event.text("name"),
            sequence=event.sequence,
            created_at=event.created_at,
            changed_at=event.created_at,
            position=event.position,
        )
    if user is None:
        return None
    return replace(user, sequence=event.sequence, changed_at=event.created_at)


def create_token(
    user: User | None,
    *,
    secret_hash: bytes,
    description: str,
    expires_at: int | None,
    now: int,
) -> tuple[User, Event]:
    """Give the user another token; the user comes back with the event, known to exist."""
    if user is None:
        raise not_found("Errors.User.NotFound", "COMMAND-Tu3nf")
    if not is_label(description):
        raise invalid("Errors.Token.DescriptionInvalid", "COMMAND-Td5nv")
    if expires_at is not None and expires_at <= now:
        raise invalid("Errors.Token.ExpiryPast", "COMMAND-Te7ps")
    return user, Event(
        TOKEN_ADDED,
        {
            "userId": user.id,
            "secretHash": secret_hash.hex(),
            "description": description,
            **({} if expires_at is None else {"expiresAt": expires_at}),
        },
    )


def revoke_token(token: Token | None) -> tuple[Token, Event]:
    if token is None:
        raise not_found("Errors.Token.NotFound", "COMMAND-Tr9nf")
    return token, _TOKEN_REMOVED


def evolve_token(token: Token | None, event: RecordedEvent) -> Token | None:
    if event.type == TOKEN_ADDED:
        return Token(
            id=event.aggregate_id,
            org_id=event.org_id,
            user_id=event.text("userId"),
            secret_hash=bytes.fromhex(event.text("secretHash")),
            description=event.text("description"),
            expires_at=event.number("expiresAt") if "expiresAt" in event.payload else None,
            sequence=event.sequence,
            created_at=event.created_at,
            changed_at=event.created_at,
            position=event.position,
        )
    if token is None or event.type == TOKEN_REMOVED:
        return None
    return replace(token, sequence=event.sequence, changed_at=event.created_at)
