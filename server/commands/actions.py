"""The writes of actions; each answers the action as it then is."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.commands.base import Change, Command, Facts, R, present
from server.domain import action as domain
from server.domain.action import Action
from server.domain.aggregates import Key, Name, action_key, action_name, flow_keys, org_key
from server.domain.events import Event
from server.domain.flow import FlowType
from server.domain.flow import remove_action as remove_from_flow

FLOWS_CHARS: Final = 64 << 10
"""What it costs to go through an organisation's flows at their fullest, in characters written."""


@dataclass(frozen=True, slots=True)
class _OfAction(Command[R]):
    """A command about one action of an organisation."""

    org_id: str
    action_id: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (action_key(self.action_id),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        return (Change(action_key(self.action_id), self.org_id, self.event(facts)),)

    @abstractmethod
    def event(self, facts: Facts) -> Event:
        """What happens to the action.

        Raises:
            Refusal: the rules say no.
        """


@dataclass(frozen=True, slots=True)
class _Living(_OfAction[Action]):
    """A command after which the action lives, and which is answered with it."""

    def outcome(self, facts: Facts) -> Action:
        return present(facts.action(self.action_id))


@dataclass(frozen=True, slots=True)
class _Written(_Living):
    """A command that gives the action its name and its script."""

    name: str
    script: str
    timeout_ns: int
    allowed_to_fail: bool
    editor: str

    @property
    def names(self) -> tuple[Name, ...]:
        return (action_name(self.org_id, self.name),)

    @property
    def chars(self) -> int:
        return len(self.script)


@dataclass(frozen=True, slots=True)
class CreateAction(_Written):
    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (action_key(self.action_id), org_key(self.org_id))

    def event(self, facts: Facts) -> Event:
        return domain.create(
            facts.org(self.org_id),
            org_id=self.org_id,
            name=self.name,
            script=self.script,
            timeout_ns=self.timeout_ns,
            allowed_to_fail=self.allowed_to_fail,
            name_owner=facts.owner(action_name(self.org_id, self.name)),
        )


@dataclass(frozen=True, slots=True)
class UpdateAction(_Written):
    def event(self, facts: Facts) -> Event:
        return domain.update(
            facts.action(self.action_id),
            action_id=self.action_id,
            org_id=self.org_id,
            name=self.name,
            script=self.script,
            timeout_ns=self.timeout_ns,
            allowed_to_fail=self.allowed_to_fail,
            name_owner=facts.owner(action_name(self.org_id, self.name)),
        )


@dataclass(frozen=True, slots=True)
class DeactivateAction(_Living):
    editor: str

    def event(self, facts: Facts) -> Event:
        action = facts.action(self.action_id)
        return domain.deactivate(action, action_id=self.action_id, org_id=self.org_id)


@dataclass(frozen=True, slots=True)
class ReactivateAction(_Living):
    editor: str

    def event(self, facts: Facts) -> Event:
        action = facts.action(self.action_id)
        return domain.reactivate(action, action_id=self.action_id, org_id=self.org_id)


@dataclass(frozen=True, slots=True)
class DeleteAction(_OfAction[None]):
    """Takes it out of its flows, too. Answers nothing: what is removed has no state."""

    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (action_key(self.action_id), org_key(self.org_id), *flow_keys(self.org_id))

    @property
    def chars(self) -> int:
        return FLOWS_CHARS

    def decide(self, facts: Facts) -> Sequence[Change]:
        removed = Change(action_key(self.action_id), self.org_id, self.event(facts))
        taken_out = (
            Change(org_key(self.org_id), self.org_id, event)
            for type in FlowType
            for event in remove_from_flow(facts.flow(self.org_id, type), action_id=self.action_id)
        )
        return (removed, *taken_out)

    def event(self, facts: Facts) -> Event:
        action = facts.action(self.action_id)
        return domain.remove(action, action_id=self.action_id, org_id=self.org_id)

    def outcome(self, facts: Facts) -> None:
        return None
