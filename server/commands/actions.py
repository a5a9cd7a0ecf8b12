"""Defines the commands on actions; all but DeleteAction return the action after the change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from server.commands.base import Change, Command, Facts, R
from server.domain import action as domain
from server.domain.action import Action, ActionState
from server.domain.aggregates import (
    Key,
    Name,
    action_key,
    action_name,
    flow_key,
    flow_keys,
    org_key,
)
from server.domain.conditions import ANY_SEQUENCE, Condition
from server.domain.flow import Flow
from server.domain.flow import remove_action as remove_from_flow
from server.domain.org import Org
from server.triggers import FlowType

FLOWS_COST_CHARS: Final = 64 << 10
"""Cost of reading all flows of an organisation at their max size, in written characters."""


@dataclass(frozen=True, slots=True)
class _ActionCommand(Command[R]):
    """Shares the key among commands on one action of an organisation.

    Attributes:
        key: of the action.
    """

    org_id: str
    action_id: str
    key: Key = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", action_key(self.action_id))

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key,)


@dataclass(frozen=True, slots=True)
class _ReturnsAction(_ActionCommand[Action]):
    """Shares the outcome among commands that return the action."""

    def outcome(self, facts: Facts) -> Action:
        return facts.require(Action, self.key)


@dataclass(frozen=True, slots=True)
class _WritesAction(_ReturnsAction):
    """Shares the fields of commands that set name and script of the action."""

    name: str
    script: str
    timeout_ns: int
    allowed_to_fail: bool
    editor: str

    @property
    def names(self) -> tuple[Name, ...]:
        return (action_name(self.org_id, self.name),)

    @property
    def cost_chars(self) -> int:
        return len(self.script)


@dataclass(frozen=True, slots=True)
class CreateAction(_WritesAction):
    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key, org_key(self.org_id))

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.create(
            facts.find(Org, org_key(self.org_id)),
            org_id=self.org_id,
            name=self.name,
            script=self.script,
            timeout_ns=self.timeout_ns,
            allowed_to_fail=self.allowed_to_fail,
            name_owner=facts.owner(action_name(self.org_id, self.name)),
        )
        return (Change(self.key, self.org_id, event),)


@dataclass(frozen=True, slots=True)
class UpdateAction(_WritesAction):
    if_sequence: Condition = ANY_SEQUENCE

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.update(
            facts.find(Action, self.key),
            action_id=self.action_id,
            org_id=self.org_id,
            name=self.name,
            script=self.script,
            timeout_ns=self.timeout_ns,
            allowed_to_fail=self.allowed_to_fail,
            name_owner=facts.owner(action_name(self.org_id, self.name)),
            if_sequence=self.if_sequence,
        )
        return (Change(self.key, self.org_id, event),)


@dataclass(frozen=True, slots=True)
class RestoreAction(_WritesAction):
    """Makes the action as an old version was.

    Attributes:
        name: of the old version, as are script, timeout_ns, allowed_to_fail and state.
    """

    state: ActionState
    if_sequence: Condition = ANY_SEQUENCE

    def decide(self, facts: Facts) -> Sequence[Change]:
        events = domain.restore(
            facts.find(Action, self.key),
            action_id=self.action_id,
            org_id=self.org_id,
            name=self.name,
            script=self.script,
            timeout_ns=self.timeout_ns,
            allowed_to_fail=self.allowed_to_fail,
            state=self.state,
            name_owner=facts.owner(action_name(self.org_id, self.name)),
            if_sequence=self.if_sequence,
        )
        return [Change(self.key, self.org_id, event) for event in events]


@dataclass(frozen=True, slots=True)
class DeactivateAction(_ReturnsAction):
    editor: str
    if_sequence: Condition = ANY_SEQUENCE

    def decide(self, facts: Facts) -> Sequence[Change]:
        action = facts.find(Action, self.key)
        event = domain.deactivate(
            action, action_id=self.action_id, org_id=self.org_id, if_sequence=self.if_sequence
        )
        return (Change(self.key, self.org_id, event),)


@dataclass(frozen=True, slots=True)
class ReactivateAction(_ReturnsAction):
    editor: str
    if_sequence: Condition = ANY_SEQUENCE

    def decide(self, facts: Facts) -> Sequence[Change]:
        action = facts.find(Action, self.key)
        event = domain.reactivate(
            action, action_id=self.action_id, org_id=self.org_id, if_sequence=self.if_sequence
        )
        return (Change(self.key, self.org_id, event),)


@dataclass(frozen=True, slots=True)
class DeleteAction(_ActionCommand[None]):
    """Removes the action, also from flows."""

    editor: str
    if_sequence: Condition = ANY_SEQUENCE

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return (self.key, org_key(self.org_id), *flow_keys(self.org_id))

    @property
    def cost_chars(self) -> int:
        return FLOWS_COST_CHARS

    def decide(self, facts: Facts) -> Sequence[Change]:
        action = facts.find(Action, self.key)
        event = domain.remove(
            action, action_id=self.action_id, org_id=self.org_id, if_sequence=self.if_sequence
        )
        flows = (facts.find(Flow, flow_key(self.org_id, type)) for type in FlowType)
        from_flows = (
            Change(org_key(self.org_id), self.org_id, event)
            for flow in flows
            for event in remove_from_flow(flow, action_id=self.action_id)
        )
        return (Change(self.key, self.org_id, event), *from_flows)

    def outcome(self, facts: Facts) -> None:
        return None
