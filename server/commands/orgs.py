"""Defines the commands on organisations and their members."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from server.commands.base import Change, Command, Facts, R
from server.commands.owners import RemainingOwner, is_owned_without, keys_of
from server.domain import org as domain
from server.domain.aggregates import Key, Name, member_key, org_key, org_name, user_key
from server.domain.org import Member, Org, member_id
from server.domain.user import User


@dataclass(frozen=True, slots=True)
class _NamesOrg(Command[Org]):
    """Shares the name among commands that set it; they return the organisation."""

    org_id: str
    name: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (org_key(self.org_id),)

    @property
    def names(self) -> tuple[Name, ...]:
        return (org_name(self.name),)

    def outcome(self, facts: Facts) -> Org:
        return facts.require(Org, org_key(self.org_id))


@dataclass(frozen=True, slots=True)
class CreateOrg(_NamesOrg):
    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.create(name=self.name, name_owner=facts.owner(org_name(self.name)))
        return (Change(org_key(self.org_id), self.org_id, event),)


@dataclass(frozen=True, slots=True)
class RenameOrg(_NamesOrg):
    def decide(self, facts: Facts) -> Sequence[Change]:
        key = org_key(self.org_id)
        name_owner = facts.owner(org_name(self.name))
        event = domain.rename(facts.find(Org, key), name=self.name, name_owner=name_owner)
        return (Change(key, self.org_id, event),)


@dataclass(frozen=True, slots=True)
class _MemberCommand(Command[R]):
    """Shares the key among commands on one membership.

    Attributes:
        key: of the membership.
    """

    org_id: str
    user_id: str
    key: Key = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", member_key(member_id(self.org_id, self.user_id)))


@dataclass(frozen=True, slots=True)
class AddMember(_MemberCommand[Member]):
    roles: tuple[str, ...]
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key, org_key(self.org_id), user_key(self.user_id))

    def decide(self, facts: Facts) -> Sequence[Change]:
        user = facts.find(User, user_key(self.user_id))
        event = domain.add_member(
            facts.find(Member, self.key),
            org=facts.find(Org, org_key(self.org_id)),
            user_id=None if user is None else user.id,
            roles=self.roles,
        )
        return (Change(self.key, self.org_id, event),)

    def outcome(self, facts: Facts) -> Member:
        return facts.require(Member, self.key)


@dataclass(frozen=True, slots=True)
class SetRoles(_MemberCommand[Member]):
    """Sets the roles of a member; `owner` as in `RemoveMember`."""

    roles: tuple[str, ...]
    owner: RemainingOwner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key, *keys_of(self.owner))

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.set_roles(
            facts.find(Member, self.key),
            roles=self.roles,
            is_owned_otherwise=is_owned_without(self.key, self.owner, facts),
        )
        return (Change(self.key, self.org_id, event),)

    def outcome(self, facts: Facts) -> Member:
        return facts.require(Member, self.key)


@dataclass(frozen=True, slots=True)
class RemoveMember(_MemberCommand[None]):
    """Removes the membership.

    Attributes:
        owner: as `owners.is_owned_without` takes it.
    """

    owner: RemainingOwner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key, *keys_of(self.owner))

    def decide(self, facts: Facts) -> Sequence[Change]:
        is_owned = is_owned_without(self.key, self.owner, facts)
        event = domain.remove_member(facts.find(Member, self.key), is_owned_otherwise=is_owned)
        return (Change(self.key, self.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None
