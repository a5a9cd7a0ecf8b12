"""The writes of users and their personal access tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts, present
from server.domain import user as domain
from server.domain.aggregates import Key, Name, org_key, token_key, user_key, user_name
from server.domain.user import Token, User


@dataclass(frozen=True, slots=True)
class CreateUser(Command[User]):
    org_id: str
    user_id: str
    name: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (user_key(self.user_id), org_key(self.org_id))

    @property
    def names(self) -> tuple[Name, ...]:
        return (user_name(self.org_id, self.name),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.create(
            org=facts.org(self.org_id),
            name=self.name,
            name_owner=facts.owner(user_name(self.org_id, self.name)),
        )
        return (Change(user_key(self.user_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> User:
        return present(facts.user(self.user_id))


@dataclass(frozen=True, slots=True)
class CreateToken(Command[Token]):
    """A token of the user's own organisation.

    Attributes:
        secret_hash: the SHA-256 of the secret, 32 bytes.
        expires_at: microseconds since the epoch; None if it never expires.
    """

    user_id: str
    token_id: str
    secret_hash: bytes
    description: str
    expires_at: int | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (token_key(self.token_id), user_key(self.user_id))

    def decide(self, facts: Facts) -> Sequence[Change]:
        user, event = domain.create_token(
            facts.user(self.user_id),
            secret_hash=self.secret_hash,
            description=self.description,
            expires_at=self.expires_at,
            now=facts.now,
        )
        return (Change(token_key(self.token_id), user.org_id, event),)

    def outcome(self, facts: Facts) -> Token:
        return present(facts.token(self.token_id))


@dataclass(frozen=True, slots=True)
class RevokeToken(Command[None]):
    token_id: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (token_key(self.token_id),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        token, event = domain.revoke_token(facts.token(self.token_id))
        return (Change(token_key(self.token_id), token.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None
