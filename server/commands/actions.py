"""The writes of actions; each answers the action as it then is."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.commands.base import Change, Command, Facts, present
from server.domain import action as domain
from server.domain.action import Action
from server.domain.aggregates import Key, Name, action_key, action_name


@dataclass(frozen=True, slots=True)
class CreateAction(Command[Action]):
    org_id: str
    action_id: str
    name: str
    script: str
    timeout_ns: int
    allowed_to_fail: bool
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (action_key(self.action_id),)

    @property
    def names(self) -> tuple[Name, ...]:
        return (action_name(self.org_id, self.name),)

    @property
    def chars(self) -> int:
        return len(self.script)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.create(
            name=self.name,
            script=self.script,
            timeout_ns=self.timeout_ns,
            allowed_to_fail=self.allowed_to_fail,
            name_owner=facts.owner(action_name(self.org_id, self.name)),
        )
        return (Change(action_key(self.action_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> Action:
        return present(facts.action(self.action_id))


@dataclass(frozen=True, slots=True)
class UpdateAction(Command[Action]):
    org_id: str
    action_id: str
    name: str
    script: str
    timeout_ns: int
    allowed_to_fail: bool
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (action_key(self.action_id),)

    @property
    def names(self) -> tuple[Name, ...]:
        return (action_name(self.org_id, self.name),)

    @property
    def chars(self) -> int:
        return len(self.script)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.update(
            facts.action(self.action_id),
            action_id=self.action_id,
            org_id=self.org_id,
            name=self.name,
            script=self.script,
            timeout_ns=self.timeout_ns,
            allowed_to_fail=self.allowed_to_fail,
            name_owner=facts.owner(action_name(self.org_id, self.name)),
        )
        return (Change(action_key(self.action_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> Action:
        return present(facts.action(self.action_id))


@dataclass(frozen=True, slots=True)
class DeactivateAction(Command[Action]):
    org_id: str
    action_id: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (action_key(self.action_id),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        action = facts.action(self.action_id)
        event = domain.deactivate(action, action_id=self.action_id, org_id=self.org_id)
        return (Change(action_key(self.action_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> Action:
        return present(facts.action(self.action_id))


@dataclass(frozen=True, slots=True)
class ReactivateAction(Command[Action]):
    org_id: str
    action_id: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (action_key(self.action_id),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        action = facts.action(self.action_id)
        event = domain.reactivate(action, action_id=self.action_id, org_id=self.org_id)
        return (Change(action_key(self.action_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> Action:
        return present(facts.action(self.action_id))


@dataclass(frozen=True, slots=True)
class DeleteAction(Command[None]):
    """Answers nothing: what is removed has no state."""

    org_id: str
    action_id: str
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (action_key(self.action_id),)

    def decide(self, facts: Facts) -> Sequence[Change]:
        action = facts.action(self.action_id)
        event = domain.remove(action, action_id=self.action_id, org_id=self.org_id)
        return (Change(action_key(self.action_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> None:
        return None
