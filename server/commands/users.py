"""Defines the commands on users and their personal access tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts
from server.commands.owners import RemainingOwner, is_owned_without, keys_of
from server.commands.removal import removal_of
from server.domain import user as domain
from server.domain.aggregates import (
    Key,
    Name,
    org_key,
    subject_name,
    token_key,
    user_key,
    user_name,
)
from server.domain.org import Member, Org
from server.domain.user import Token, User


@dataclass(frozen=True, slots=True)
class _ReturnsUser(Command[User]):
    """Shares the outcome among commands that return the user."""

    org_id: str
    user_id: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (user_key(self.user_id), org_key(self.org_id))

    def outcome(self, facts: Facts) -> User:
        return facts.require(User, user_key(self.user_id))


@dataclass(frozen=True, slots=True)
class CreateUser(_ReturnsUser):
    name: str
    editor: str
    language: str = ""
    subject: str = ""

    @property
    def names(self) -> tuple[Name, ...]:
        return _names(self.org_id, self.name, self.subject)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.create(
            org=facts.find(Org, org_key(self.org_id)),
            name=self.name,
            language=self.language,
            subject=self.subject,
            name_owner=_name_owner(facts, self.org_id, self.name),
            subject_owner=_subject_owner(facts, self.subject),
        )
        return (Change(user_key(self.user_id), self.org_id, event),)


@dataclass(frozen=True, slots=True)
class UpdateUser(_ReturnsUser):
    """Changes the fields that are not None.

    Attributes:
        org_id: of the user.
    """

    name: str | None
    language: str | None
    subject: str | None
    editor: str

    @property
    def names(self) -> tuple[Name, ...]:
        return _names(self.org_id, self.name, self.subject)

    def decide(self, facts: Facts) -> Sequence[Change]:
        user, event = domain.update(
            facts.find(User, user_key(self.user_id)),
            org=facts.find(Org, org_key(self.org_id)),
            name=self.name,
            language=self.language,
            subject=self.subject,
            name_owner=_name_owner(facts, self.org_id, self.name),
            subject_owner=_subject_owner(facts, self.subject),
        )
        return (Change(user_key(user.id), user.org_id, event),)


@dataclass(frozen=True, slots=True)
class RemoveUser(Command[None]):
    """Removes the user, its memberships, its tokens and its keys.

    Attributes:
        owner: as `owners.is_owned_without` takes it.
    """

    user_id: str
    owner: RemainingOwner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (user_key(self.user_id), *keys_of(self.owner))

    @property
    def dependants_of(self) -> tuple[Key, ...]:
        return (user_key(self.user_id),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        key = user_key(self.user_id)
        dependants = facts.dependants(key)
        user, event = domain.remove(
            facts.find(User, user_key(self.user_id)),
            memberships=[state for state in dependants if isinstance(state, Member)],
            is_owned_otherwise=is_owned_without(key, self.owner, facts),
        )
        return (*map(removal_of, dependants), Change(key, user.org_id, event))

    def outcome(self, facts: Facts) -> None:
        return None


@dataclass(frozen=True, slots=True)
class CreateToken(Command[Token]):
    """Creates a token of a user.

    Attributes:
        org_id: of the user, and of the token.
        secret_hash: the SHA-256 of the secret, 32 bytes.
        expires_at: microseconds since the epoch; None if it never expires.
    """

    org_id: str
    user_id: str
    token_id: str
    secret_hash: bytes
    description: str
    expires_at: int | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (token_key(self.token_id), user_key(self.user_id), org_key(self.org_id))

    def decide(self, facts: Facts) -> Sequence[Change]:
        user, event = domain.create_token(
            facts.find(User, user_key(self.user_id)),
            org=facts.find(Org, org_key(self.org_id)),
            secret_hash=self.secret_hash,
            description=self.description,
            expires_at=self.expires_at,
            now=facts.now,
        )
        return (Change(token_key(self.token_id), user.org_id, event),)

    def outcome(self, facts: Facts) -> Token:
        return facts.require(Token, token_key(self.token_id))


@dataclass(frozen=True, slots=True)
class RevokeToken(Command[None]):
    token_id: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (token_key(self.token_id),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        token, event = domain.revoke_token(facts.find(Token, token_key(self.token_id)))
        return (Change(token_key(self.token_id), token.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None


def _names(org_id: str, name: str | None, subject: str | None) -> tuple[Name, ...]:
    named = () if name is None else (user_name(org_id, name),)
    return (*named, subject_name(subject)) if subject else named


def _name_owner(facts: Facts, org_id: str, name: str | None) -> str | None:
    return None if name is None else facts.owner(user_name(org_id, name))


def _subject_owner(facts: Facts, subject: str | None) -> str | None:
    return facts.owner(subject_name(subject)) if subject else None
