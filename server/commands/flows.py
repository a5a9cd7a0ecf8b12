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
class SetTriggerActions(Command[Flow | None]):
    """A type or a trigger that the caller named, but there is none of, is None."""

    org_id: str
    type: FlowType | None
    trigger: TriggerType | None
    action_ids: tuple[str, ...]
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return _flow_and_org(self.org_id, self.type)

    @property
    def actions(self) -> tuple[str, ...]:
        return self.action_ids

    @property
    def chars(self) -> int:
        return ACTION_CHARS * len(self.action_ids)

    def decide(self, facts: Facts) -> Sequence[Change]:
        event = domain.set_trigger_actions(
            facts.org(self.org_id),
            _flow(facts, self.org_id, self.type),
            org_id=self.org_id,
            type=self.type,
            trigger=self.trigger,
            action_ids=self.action_ids,
            org_of=facts.org_of_action,
        )
        return (Change(org_key(self.org_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> Flow | None:
        return _flow(facts, self.org_id, self.type)


@dataclass(frozen=True, slots=True)
class ClearFlow(Command[Flow | None]):
    """A type that the caller named, but there is none of, is None."""

    org_id: str
    type: FlowType | None
    editor: str

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return _flow_and_org(self.org_id, self.type)

    def decide(self, facts: Facts) -> Sequence[Change]:
        flow = _flow(facts, self.org_id, self.type)
        event = domain.clear(flow, org_id=self.org_id, type=self.type)
        return (Change(org_key(self.org_id), self.org_id, event),)

    def outcome(self, facts: Facts) -> Flow | None:
        return _flow(facts, self.org_id, self.type)


def _flow_and_org(org_id: str, type: FlowType | None) -> tuple[Key, ...]:
    """The flow, and the organisation in whose sequence it counts."""
    org = org_key(org_id)
    return (org,) if type is None else (org, flow_key(org_id, type))


def _flow(facts: Facts, org_id: str, type: FlowType | None) -> Flow | None:
    return None if type is None else facts.flow(org_id, type)
