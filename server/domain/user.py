"""Decides what happens to a user of an organisation, and to its personal access tokens.

A JWT identifies a user too, by its subject.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from server.domain.events import Event, RecordedEvent
from server.domain.names import is_label, is_language, is_name, is_subject
from server.domain.org import Member, Org, is_owner
from server.domain.refusals import already_exists, failed_precondition, invalid, not_found

ADDED: Final = "user.added"
CHANGED: Final = "user.changed"
REMOVED: Final = "user.removed"
EVENT_TYPES: Final = frozenset({ADDED, CHANGED, REMOVED})
TOKEN_ADDED: Final = "token.added"
TOKEN_REMOVED: Final = "token.removed"
TOKEN_EVENT_TYPES: Final = frozenset({TOKEN_ADDED, TOKEN_REMOVED})

_REMOVED: Final = Event(REMOVED)
_TOKEN_REMOVED: Final = Event(TOKEN_REMOVED)


@dataclass(frozen=True, slots=True)
class User:
    """Holds one row of `users`.

    Attributes:
        language: the tag of the preferred language; empty for none.
        subject: the `sub` of its JWTs, unique in the instance; empty for none.
    """

    id: str
    org_id: str
    name: str
    language: str
    subject: str
    sequence: int
    created_at: int
    changed_at: int
    position: int


@dataclass(frozen=True, slots=True)
class Token:
    """Holds one row of `tokens`; a revoked token is absent.

    Attributes:
        org_id: the organisation of its user.
        secret_hash: the SHA-256 of the secret, 32 bytes; the secret is not stored.
        expires_at: time from which on it is refused; None if it never expires.
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


def create(
    *,
    org: Org | None,
    name: str,
    language: str,
    subject: str,
    name_owner: str | None,
    subject_owner: str | None,
) -> Event:
    """Returns the event that creates a user.

    The name is unique in the organisation, the subject in the instance.
    """
    _check(name, language, subject)
    if org is None:
        raise not_found("Errors.Org.NotFound", "COMMAND-Uc2no")
    _check_free("", name_owner, subject_owner)
    optional = {"language": language, "subject": subject}
    return Event(ADDED, {"name": name, **{key: text for key, text in optional.items() if text}})


def update(
    user: User | None,
    *,
    org: Org | None,
    name: str | None,
    language: str | None,
    subject: str | None,
    name_owner: str | None,
    subject_owner: str | None,
) -> tuple[User, Event]:
    """Returns the user, which exists, and the change of the given fields.

    None leaves a field as it is; an empty language or subject clears it. A user counts as absent
    once its organisation is removed, also before it is purged.
    """
    if user is None or org is None:
        raise not_found("Errors.User.NotFound", "COMMAND-Uu2nf")
    now = {"name": user.name, "language": user.language, "subject": user.subject}
    given = {"name": name, "language": language, "subject": subject}
    wanted = {key: now[key] if text is None else text for key, text in given.items()}
    _check(**wanted)
    if wanted == now:
        raise failed_precondition("Errors.NoChangesFound", "COMMAND-Uu6nc")
    _check_free(user.id, name_owner, subject_owner)
    return user, Event(CHANGED, {key: text for key, text in wanted.items() if text != now[key]})


def remove(
    user: User | None, *, memberships: Iterable[Member], is_owned_otherwise: bool
) -> tuple[User, Event]:
    """Returns the user, which exists, and the event that ends it.

    Args:
        user: None if there is none.
        memberships: of the user; they end with it.
        is_owned_otherwise: True if the instance has an owner without this user.
    """
    if user is None:
        raise not_found("Errors.User.NotFound", "COMMAND-Ur8nf")
    if any(map(is_owner, memberships)) and not is_owned_otherwise:
        raise failed_precondition("Errors.Member.LastOwner", "COMMAND-Ur9lo")
    return user, _REMOVED


def evolve(user: User | None, event: RecordedEvent) -> User | None:
    if event.type == ADDED:
        return User(
            id=event.aggregate_id,
            org_id=event.org_id,
            name=event.text("name"),
            language=event.text("language"),
            subject=event.text("subject"),
            sequence=event.sequence,
            created_at=event.created_at,
            changed_at=event.created_at,
            position=event.position,
        )
    if user is None or event.type == REMOVED:
        return None
    return replace(
        user,
        name=event.text("name", user.name),
        language=event.text("language", user.language),
        subject=event.text("subject", user.subject),
        sequence=event.sequence,
        changed_at=event.created_at,
    )


def create_token(
    user: User | None,
    *,
    org: Org | None,
    secret_hash: bytes,
    description: str,
    expires_at: int | None,
    now: int,
) -> tuple[User, Event]:
    """Returns the user, which exists as its organisation does, and the event of a new token."""
    if user is None or org is None:
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


def _check(name: str, language: str, subject: str) -> None:
    if not is_name(name):
        raise invalid("Errors.User.Invalid", "COMMAND-Uf4nv")
    if not is_language(language):
        values = {"language": ascii(language[:40])}
        raise invalid("Errors.User.LanguageInvalid", "COMMAND-Ul3nv", values=values)
    if not is_subject(subject):
        raise invalid("Errors.User.SubjectInvalid", "COMMAND-Us5nv")


def _check_free(user_id: str, name_owner: str | None, subject_owner: str | None) -> None:
    if name_owner not in (None, user_id):
        raise already_exists("Errors.User.AlreadyExists", "V3-DKcYh")
    if subject_owner not in (None, user_id):
        raise already_exists("Errors.User.SubjectTaken", "V3-DKcYh")
