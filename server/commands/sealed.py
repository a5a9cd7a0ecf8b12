"""Defines the commands on sealed values, whose content was sealed before."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts, R
from server.domain import sealed as domain
from server.domain.aggregates import Key, org_key, sealed_key
from server.domain.org import Org
from server.domain.sealed import Place, Sealed, SealedValue


@dataclass(frozen=True, slots=True)
class _SealedCommand(Command[R]):
    """Shares the place among commands on one value."""

    place: Place

    @property
    def key(self) -> Key:
        return sealed_key(self.place)

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key, org_key(self.place.org_id))


@dataclass(frozen=True, slots=True)
class SetSealed(_SealedCommand[SealedValue]):
    """Sets a value, or replaces it.

    Attributes:
        sealed: its content.
        most: max values of its organisation and purpose.
    """

    sealed: Sealed
    most: int
    editor: str

    @property
    def dependants_of(self) -> tuple[Key, ...]:
        return (org_key(self.place.org_id),)

    @property
    def cost_chars(self) -> int:
        return len(self.sealed.content)

    def decide(self, facts: Facts) -> Sequence[Change]:
        place, org = self.place, org_key(self.place.org_id)
        held = facts.find(SealedValue, self.key)
        event = domain.put(held, place=place, org=facts.find(Org, org))
        if held is None:
            values = (each for each in facts.dependants(org) if isinstance(each, SealedValue))
            domain.require_room(sum(each.purpose == place.purpose for each in values), self.most)
        return (Change(self.key, place.org_id, event, self.sealed),)

    def outcome(self, facts: Facts) -> SealedValue:
        return facts.require(SealedValue, self.key)


@dataclass(frozen=True, slots=True)
class DeleteSealed(_SealedCommand[None]):
    editor: str

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.remove(facts.find(SealedValue, self.key), place=self.place)
        return (Change(self.key, self.place.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None
