"""Reads the messages of a ZITADEL's API: what its answers and its export say of an organisation."""

from collections.abc import Iterable
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from server.domain.action import ActionState
from server.ids import made_at
from server.moving.source import SourceAction, SourceError, trigger_named
from server.triggers import FlowType, Trigger
from zitadel import action_pb2, management_pb2

_STATES: Final = {
    action_pb2.ACTION_STATE_ACTIVE: ActionState.ACTIVE,
    action_pb2.ACTION_STATE_INACTIVE: ActionState.INACTIVE,
}


def action_of(message: action_pb2.Action) -> SourceAction:
    """Returns an action as a ZITADEL lists it.

    Its answers leave out when an action was made; its id has that time.
    """
    details = message.details
    changed_at = time_in(details.change_date)
    created_at = time_in(details.creation_date) or made_at(message.id)
    if created_at is not None and changed_at is not None:
        created_at = min(created_at, changed_at)
    return SourceAction(
        id=message.id,
        name=message.name,
        script=message.script,
        timeout_ns=message.timeout.ToNanoseconds(),
        allowed_to_fail=message.allowed_to_fail,
        state=_STATES.get(message.state),
        created_at=created_at or changed_at,
        changed_at=changed_at,
    )


def exported_action_of(id: str, message: management_pb2.CreateActionRequest) -> SourceAction:
    """Returns an action as an export has it: without its state and its dates."""
    return SourceAction(
        id=id,
        name=message.name,
        script=message.script,
        timeout_ns=message.timeout.ToNanoseconds(),
        allowed_to_fail=message.allowed_to_fail,
        created_at=made_at(id),
    )


def triggers_of(flow: FlowType, message: action_pb2.Flow) -> dict[Trigger, tuple[str, ...]]:
    """Returns the actions of each trigger of a flow that has some.

    Raises:
        SourceError: a trigger is unknown.
    """
    return {
        trigger_named(str(flow.value), each.trigger_type.id): tuple(
            action.id for action in each.actions
        )
        for each in message.trigger_actions
        if each.actions
    }


def exported_triggers_of(
    messages: Iterable[management_pb2.SetTriggerActionsRequest],
) -> dict[Trigger, tuple[str, ...]]:
    """Returns the actions of each trigger in an export.

    Raises:
        SourceError: a trigger is unknown, or there twice.
    """
    found: dict[Trigger, tuple[str, ...]] = {}
    for message in messages:
        trigger = trigger_named(message.flow_type, message.trigger_type)
        if trigger in found:
            flow, number = trigger
            raise SourceError(f"flow {flow:d}, trigger {number:d} is there twice")
        found[trigger] = tuple(message.action_ids)
    return found


def time_in(timestamp: Timestamp) -> int | None:
    """Returns a time in microseconds; None for one that is not set."""
    return timestamp.ToMicroseconds() or None
