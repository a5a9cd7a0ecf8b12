"""The writes of organisations and their members."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts, present
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
    org_id: str
    user_id: str
    roles: tuple[str, ...]
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (member_key(member_id(self.org_id, self.user_id)),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        member = member_id(self.org_id, self.user_id)
        event = domain.set_roles(facts.member(member), roles=self.roles)
        return (Change(member_key(member), self.org_id, event),)

    def outcome(self, facts: Facts) -> Member:
        return present(facts.member(member_id(self.org_id, self.user_id)))


@dataclass(frozen=True, slots=True)
class RemoveMember(Command[None]):
    org_id: str
    user_id: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (member_key(member_id(self.org_id, self.user_id)),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        member = member_id(self.org_id, self.user_id)
        event = domain.remove_member(facts.member(member))
        return (Change(member_key(member), self.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None
