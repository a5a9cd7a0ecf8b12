"""Decides what happens to a flow: which actions an organisation runs at which moment of a login.

Follows docs/api.md "Writes of flows" and "Flow types and triggers": a decision makes its checks in
the order of that table, and the first that fails is the refusal. The events belong to the
organisation, so they count in its sequence.
A removed action is taken out of every flow, with an event for each trigger. A removed organisation
ends its flows, without such events.
A flow has two lists for each trigger: the actions that run, and the ids that a client last set. The
removal of an action changes only the first; a write is compared with the second. So a client that
deletes an action and then sets the others makes a change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from server.domain.conditions import ANY_SEQUENCE, Condition, require_sequence
from server.domain.events import Event, RecordedEvent
from server.domain.org import REMOVED as ORG_REMOVED
from server.domain.org import Org
from server.domain.refusals import failed_precondition, invalid, not_found, unchanged
from server.triggers import TRIGGERS, FlowType, TriggerType

SET: Final = "org.flow.trigger_actions.set"
CASCADE_REMOVED: Final = "org.flow.trigger_actions.cascade.removed"
CLEARED: Final = "org.flow.cleared"
EVENT_TYPES: Final = frozenset({SET, CASCADE_REMOVED, CLEARED})

# A request names a flow or a trigger by its number; of the older names, only these are valid.
_NAMED_FLOW: Final = FlowType.EXTERNAL_AUTHENTICATION
_FLOW_TYPES: Final = {
    **{str(flow.value): flow for flow in FlowType},
    f"FLOW_TYPE_{_NAMED_FLOW.name}": _NAMED_FLOW,
}
_TRIGGER_TYPES: Final = {
    **{str(trigger.value): trigger for trigger in TriggerType},
    **{f"TRIGGER_TYPE_{trigger.name}": trigger for trigger in TRIGGERS[_NAMED_FLOW]},
}

ActionIds: TypeAlias = tuple[str, ...]
ActionsByTrigger: TypeAlias = tuple[tuple[int, ActionIds], ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """Holds one row of `flows`: a flow that its organisation has set at least once.

    Attributes:
        id: `flow_id(org_id, type)`.
        triggers: triggers that were set since the flow was last cleared, by number; each with its
            actions in the order in which they run, maybe none.
        last_set: the same triggers, each with the ids that a client last set, also of actions that
            are removed since.
        sequence: of the organisation, at the last event of the flow.
        created_at: when the flow was first set since it was last cleared.
        changed_at: when its last event happened.
        position: of the event that first set it.
    """

    id: str
    org_id: str
    type: FlowType
    triggers: ActionsByTrigger
    last_set: ActionsByTrigger
    sequence: int
    created_at: int
    changed_at: int
    position: int

    def actions_of(self, trigger: int) -> ActionIds:
        return dict(self.triggers).get(trigger, ())

    def ids_last_set(self, trigger: int) -> ActionIds:
        return dict(self.last_set).get(trigger, ())

    @property
    def action_ids(self) -> frozenset[str]:
        """Returns the ids of the actions of all triggers."""
        return frozenset(id for _, ids in self.triggers for id in ids)


def flow_id(org_id: str, type: int) -> str:
    return f"{org_id}:{type}"


def sequence_of(flow: Flow | None) -> int:
    """Returns the sequence of a flow; 0 before it is set."""
    return 0 if flow is None else flow.sequence


def flow_type(text: str) -> FlowType | None:
    """Returns the flow that a request names; None if it is unknown."""
    return _FLOW_TYPES.get(text)


def trigger_type(text: str) -> TriggerType | None:
    """Returns the trigger that a request names; None if it is unknown."""
    return _TRIGGER_TYPES.get(text)


def set_trigger_actions(
    org: Org | None,
    flow: Flow | None,
    *,
    org_id: str,
    type: FlowType | None,
    trigger: TriggerType | None,
    action_ids: Sequence[str],
    org_of: Callable[[str], str | None],
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    """Returns the event that sets the actions of a trigger, in this order.

    Inactive actions may be set, too. `org_of` returns the organisation of an action; None if there
    is no such action.
    """
    if type is None or not org_id:
        raise invalid("Errors.Flow.FlowTypeMissing", "COMMAND-Dfhj5")
    if trigger not in TRIGGERS[type]:
        raise invalid("Errors.Flow.WrongTriggerType", "COMMAND-Dfgh6")
    require_sequence(sequence_of(flow), if_sequence)
    last_set = () if flow is None else flow.ids_last_set(trigger)
    if last_set == tuple(action_ids):
        raise unchanged("Errors.Flow.NoChanges", "COMMAND-Nfh52")
    existing = {id for id in action_ids if org_of(id) == org_id}
    if len(existing) != len(action_ids):
        raise failed_precondition("Errors.Flow.ActionIDsNotExist", "COMMAND-dg422")
    if org is None:
        raise not_found("Errors.Org.NotFound", "COMMAND-Fs4nf", values={"org_id": org_id})
    return Event(
        SET, {"flowType": type.value, "triggerType": trigger.value, "actionIDs": [*action_ids]}
    )


def clear(
    flow: Flow | None,
    *,
    org_id: str,
    type: FlowType | None,
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    if type is None or not org_id:
        raise invalid("Errors.Flow.FlowTypeMissing", "COMMAND-Dfw2h")
    require_sequence(sequence_of(flow), if_sequence)
    if flow is None or not flow.triggers:
        raise unchanged("Errors.Flow.Empty", "COMMAND-DgGh3")
    return Event(CLEARED, {"flowType": type.value})


def remove_action(flow: Flow | None, *, action_id: str) -> list[Event]:
    """Returns the events that take a removed action out of a flow: one for each trigger with it."""
    if flow is None:
        return []
    return [
        Event(
            CASCADE_REMOVED,
            {"flowType": flow.type.value, "triggerType": trigger, "actionID": action_id},
        )
        for trigger, ids in flow.triggers
        if action_id in ids
    ]


def evolve(flow: Flow | None, event: RecordedEvent) -> Flow | None:
    """Returns the flow after an event; None before it is set and after its organisation ends."""
    if event.type == SET:
        return _set(flow, event)
    if flow is None or event.type == ORG_REMOVED:
        return None
    is_cleared = event.type == CLEARED
    return replace(
        flow,
        triggers=() if is_cleared else _without_removed(flow.triggers, event),
        last_set=() if is_cleared else flow.last_set,
        sequence=event.sequence,
        changed_at=event.created_at,
    )


def _without_removed(triggers: ActionsByTrigger, event: RecordedEvent) -> ActionsByTrigger:
    by_trigger = dict(triggers)
    trigger = event.number("triggerType")
    left = [*by_trigger.get(trigger, ())]
    left.remove(event.text("actionID"))
    by_trigger[trigger] = tuple(left)
    return tuple(by_trigger.items())


def _set(flow: Flow | None, event: RecordedEvent) -> Flow:
    type, trigger = FlowType(event.number("flowType")), event.number("triggerType")
    before = () if flow is None else flow.triggers
    last_set = () if flow is None else flow.last_set
    ids = event.texts("actionIDs")
    return Flow(
        id=flow_id(event.org_id, type),
        org_id=event.org_id,
        type=type,
        triggers=_with(before, trigger, ids),
        last_set=_with(last_set, trigger, ids),
        sequence=event.sequence,
        created_at=flow.created_at if flow is not None and before else event.created_at,
        changed_at=event.created_at,
        position=event.position if flow is None else flow.position,
    )


def _with(triggers: ActionsByTrigger, trigger: int, ids: ActionIds) -> ActionsByTrigger:
    return tuple(sorted({**dict(triggers), trigger: ids}.items()))
