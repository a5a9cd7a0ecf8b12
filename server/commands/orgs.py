"""The writes of organisations and their members."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts, R, present
from server.commands.owners import Owner, is_owned_without, needs_of
from server.domain import org as domain
from server.domain.aggregates import Key, Name, member_key, org_key, org_name, user_key
from server.domain.events import Event
from server.domain.org import Member, Org, member_id


@dataclass(frozen=True, slots=True)
class _Named(Command[Org]):
    """A command that gives the organisation its name."""

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
        event = self.event(facts, facts.owner(org_name(self.name)))
        return (Change(org_key(self.org_id), self.org_id, event),)

    @abstractmethod
    def event(self, facts: Facts, name_owner: str | None) -> Event:
        """What happens to the organisation.

        Raises:
            Refusal: the rules say no.
        """

    def outcome(self, facts: Facts) -> Org:
        return present(facts.org(self.org_id))


@dataclass(frozen=True, slots=True)
class CreateOrg(_Named):
    def event(self, facts: Facts, name_owner: str | None) -> Event:
        return domain.create(name=self.name, name_owner=name_owner)


@dataclass(frozen=True, slots=True)
class RenameOrg(_Named):
    def event(self, facts: Facts, name_owner: str | None) -> Event:
        return domain.rename(facts.org(self.org_id), name=self.name, name_owner=name_owner)


@dataclass(frozen=True, slots=True)
class _OfMember(Command[R]):
    """A command about one user's membership in an organisation."""

    org_id: str
    user_id: str

    @property
    def member_id(self) -> str:
        return member_id(self.org_id, self.user_id)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = self.event(facts, facts.member(self.member_id))
        return (Change(member_key(self.member_id), self.org_id, event),)

    @abstractmethod
    def event(self, facts: Facts, member: Member | None) -> Event:
        """What happens to the membership.

        Raises:
            Refusal: the rules say no.
        """


@dataclass(frozen=True, slots=True)
class AddMember(_OfMember[Member]):
    roles: tuple[str, ...]
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (member_key(self.member_id), org_key(self.org_id), user_key(self.user_id))

    def event(self, facts: Facts, member: Member | None) -> Event:
        user = facts.user(self.user_id)
        return domain.add_member(
            member,
            org=facts.org(self.org_id),
            user_id=None if user is None else user.id,
            roles=self.roles,
        )

    def outcome(self, facts: Facts) -> Member:
        return present(facts.member(self.member_id))


@dataclass(frozen=True, slots=True)
class SetRoles(_OfMember[Member]):
    """Gives these roles instead of those that there are; `owner` as in `RemoveMember`."""

    roles: tuple[str, ...]
    owner: Owner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (member_key(self.member_id), *needs_of(self.owner))

    def event(self, facts: Facts, member: Member | None) -> Event:
        is_owned = is_owned_without(member_key(self.member_id), self.owner, facts)
        return domain.set_roles(member, roles=self.roles, is_owned_otherwise=is_owned)

    def outcome(self, facts: Facts) -> Member:
        return present(facts.member(self.member_id))


@dataclass(frozen=True, slots=True)
class RemoveMember(_OfMember[None]):
    """Takes the membership away.

    Attributes:
        owner: as `owners.is_owned_without` takes it.
    """

    owner: Owner | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (member_key(self.member_id), *needs_of(self.owner))

    def event(self, facts: Facts, member: Member | None) -> Event:
        is_owned = is_owned_without(member_key(self.member_id), self.owner, facts)
        return domain.remove_member(member, is_owned_otherwise=is_owned)

    def outcome(self, facts: Facts) -> None:
        return None
