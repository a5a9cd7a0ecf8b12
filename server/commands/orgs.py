"""The writes of organisations and their members."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts, present
from server.commands.owners import Owner, is_owned_without, needs_of
from server.domain import org as domain
from server.domain.aggregates import Key, Name, member_key, org_key, org_name, user_key
from server.domain.org import Member, Org, member_id


@dataclass(frozen=True, slots=True)
class CreateOrg(Command[Org]):
    org_id: str
    name: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (org_key(self.org_id),)

    @property
    def names(self) -> tuple[Name, ...]:
        return (org_name(self.name),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.create(name=self.name, name_owner=facts.owner(org_name(self.name)))
        return (Change(org_key(self.org_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> Org:
        return present(facts.org(self.org_id))


@dataclass(frozen=True, slots=True)
class RenameOrg(Command[Org]):
    org_id: str
    name: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (org_key(self.org_id),)

    @property
    def names(self) -> tuple[Name, ...]:
        return (org_name(self.name),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.rename(
            facts.org(self.org_id), name=self.name, name_owner=facts.owner(org_name(self.name))
        )
        return (Change(org_key(self.org_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> Org:
        return present(facts.org(self.org_id))


@dataclass(frozen=True, slots=True)
class AddMember(Command[Member]):
    org_id: str
    user_id: str
    roles: tuple[str, ...]
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        member = member_key(member_id(self.org_id, self.user_id))
        return (member, org_key(self.org_id), user_key(self.user_id))

    def decide(self, facts: Facts) -> Sequence[Change]:
        member = member_id(self.org_id, self.user_id)
        user = facts.user(self.user_id)
        event = domain.add_member(
            facts.member(member),
            org=facts.org(self.org_id),
            user_id=None if user is None else user.id,
            roles=self.roles,
        )
        return (Change(member_key(member), self.org_id, event),)

    def outcome(self, facts: Facts) -> Member:
        return present(facts.member(member_id(self.org_id, self.user_id)))


@dataclass(frozen=True, slots=True)
class SetRoles(Command[Member]):
    """Gives these roles instead of those that there are; `owner` as in `RemoveMember`."""

    org_id: str
    user_id: str
    roles: tuple[str, ...]
    owner: Owner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (member_key(member_id(self.org_id, self.user_id)), *needs_of(self.owner))

    def decide(self, facts: Facts) -> Sequence[Change]:
        member = member_id(self.org_id, self.user_id)
        key = member_key(member)
        is_owned = is_owned_without(key, self.owner, facts)
        event = domain.set_roles(
            facts.member(member), roles=self.roles, is_owned_otherwise=is_owned
        )
        return (Change(key, self.org_id, event),)

    def outcome(self, facts: Facts) -> Member:
        return present(facts.member(member_id(self.org_id, self.user_id)))


@dataclass(frozen=True, slots=True)
class RemoveMember(Command[None]):
    """Takes the membership away.

    Attributes:
        owner: as `owners.is_owned_without` takes it.
    """

    org_id: str
    user_id: str
    owner: Owner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (member_key(member_id(self.org_id, self.user_id)), *needs_of(self.owner))

    def decide(self, facts: Facts) -> Sequence[Change]:
        member = member_id(self.org_id, self.user_id)
        key = member_key(member)
        is_owned = is_owned_without(key, self.owner, facts)
        event = domain.remove_member(facts.member(member), is_owned_otherwise=is_owned)
        return (Change(key, self.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None
