"""The writes of flows; each answers the flow as it then is, None if it was never set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.commands.base import Change, Command, Facts
from server.domain import flow as domain
from server.domain.aggregates import Key, flow_key, org_key
from server.domain.flow import Flow, FlowType, TriggerType

ACTION_CHARS: Final = 256
"""What it costs to look whether an action exists, in characters written."""


@dataclass(frozen=True, slots=True)
class _OfFlow(Command[Flow | None]):
    """A command about a flow; a type that the caller named, but there is none of, is None."""

    org_id: str
    type: FlowType | None

    @property
    def aggregates(self) -> tuple[Key, ...]:
        """The flow, and the organisation in whose sequence it counts."""
        org = org_key(self.org_id)
        return (org,) if self.type is None else (org, flow_key(self.org_id, self.type))

    def flow(self, facts: Facts) -> Flow | None:
        return None if self.type is None else facts.flow(self.org_id, self.type)

    def outcome(self, facts: Facts) -> Flow | None:
        return self.flow(facts)


@dataclass(frozen=True, slots=True)
class SetTriggerActions(_OfFlow):
    """A trigger that the caller named, but there is none of, is None."""

    trigger: TriggerType | None
    action_ids: tuple[str, ...]
    editor: str

    @property
    def actions(self) -> tuple[str, ...]:
        return self.action_ids

    @property
    def chars(self) -> int:
        return ACTION_CHARS * len(self.action_ids)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.set_trigger_actions(
            facts.org(self.org_id),
            self.flow(facts),
            org_id=self.org_id,
            type=self.type,
            trigger=self.trigger,
            action_ids=self.action_ids,
            org_of=facts.org_of_action,
        )
        return (Change(org_key(self.org_id), self.org_id, event),)


@dataclass(frozen=True, slots=True)
class ClearFlow(_OfFlow):
    editor: str

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.clear(self.flow(facts), org_id=self.org_id, type=self.type)
        return (Change(org_key(self.org_id), self.org_id, event),)
