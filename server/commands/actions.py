"""The writes of actions; each answers the action as it then is."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts, R, present
from server.domain import action as domain
from server.domain.action import Action
from server.domain.aggregates import Key, Name, action_key, action_name
from server.domain.events import Event


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
class _Written(_OfAction[Action]):
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

    def outcome(self, facts: Facts) -> Action:
        return present(facts.action(self.action_id))


@dataclass(frozen=True, slots=True)
class CreateAction(_Written):
    def event(self, facts: Facts) -> Event:
        return domain.create(
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
class DeactivateAction(_OfAction[Action]):
    editor: str

    def event(self, facts: Facts) -> Event:
        action = facts.action(self.action_id)
        return domain.deactivate(action, action_id=self.action_id, org_id=self.org_id)

    def outcome(self, facts: Facts) -> Action:
        return present(facts.action(self.action_id))


@dataclass(frozen=True, slots=True)
class ReactivateAction(_OfAction[Action]):
    editor: str

    def event(self, facts: Facts) -> Event:
        action = facts.action(self.action_id)
        return domain.reactivate(action, action_id=self.action_id, org_id=self.org_id)

    def outcome(self, facts: Facts) -> Action:
        return present(facts.action(self.action_id))


@dataclass(frozen=True, slots=True)
class DeleteAction(_OfAction[None]):
    """Answers nothing: what is removed has no state."""

    editor: str

    def event(self, facts: Facts) -> Event:
        action = facts.action(self.action_id)
        return domain.remove(action, action_id=self.action_id, org_id=self.org_id)

    def outcome(self, facts: Facts) -> None:
        return None
