"""Defines the commands on flows; each returns the flow after it, None if it was never set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.commands.base import Change, Command, Facts
from server.domain import flow as domain
from server.domain.aggregates import Key, flow_key, org_key
from server.domain.conditions import ANY_SEQUENCE, Condition
from server.domain.flow import Flow
from server.domain.org import Org
from server.triggers import FlowType, TriggerType

ACTION_COST_CHARS: Final = 256
"""Cost of looking up the organisation of an action, in written characters."""


@dataclass(frozen=True, slots=True)
class _FlowCommand(Command[Flow | None]):
    """Shares the flow among commands on it.

    Attributes:
        type: None if the request names an unknown flow.
    """

    org_id: str
    type: FlowType | None

    @property
    def aggregates(self) -> tuple[Key, ...]:
        """Returns the organisation, whose sequence counts, and the flow."""
        org = org_key(self.org_id)
        return (org,) if self.type is None else (org, flow_key(self.org_id, self.type))

    def flow(self, facts: Facts) -> Flow | None:
        return None if self.type is None else facts.find(Flow, flow_key(self.org_id, self.type))

    def outcome(self, facts: Facts) -> Flow | None:
        return self.flow(facts)


@dataclass(frozen=True, slots=True)
class SetTriggerActions(_FlowCommand):
    """Sets the actions of a trigger.

    Attributes:
        trigger: None if the request names an unknown trigger.
    """

    trigger: TriggerType | None
    action_ids: tuple[str, ...]
    editor: str
    if_sequence: Condition = ANY_SEQUENCE

    @property
    def actions(self) -> tuple[str, ...]:
        return self.action_ids

    @property
    def cost_chars(self) -> int:
        return ACTION_COST_CHARS * len(self.action_ids)

    def decide(self, facts: Facts) -> Sequence[Change]:
        key = org_key(self.org_id)
        event = domain.set_trigger_actions(
            facts.find(Org, key),
            self.flow(facts),
            org_id=self.org_id,
            type=self.type,
            trigger=self.trigger,
            action_ids=self.action_ids,
            org_of=facts.org_of_action,
            if_sequence=self.if_sequence,
        )
        return (Change(key, self.org_id, event),)


@dataclass(frozen=True, slots=True)
class ClearFlow(_FlowCommand):
    editor: str
    if_sequence: Condition = ANY_SEQUENCE

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.clear(
            self.flow(facts), org_id=self.org_id, type=self.type, if_sequence=self.if_sequence
        )
        return (Change(org_key(self.org_id), self.org_id, event),)
