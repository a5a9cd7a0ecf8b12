"""Decides what happens to an action: a script with a name, active or not, until it is removed.

Follows docs/api.md "Writes of actions": a decision makes its checks in the order of that table, and
the first that fails is the refusal. Event types and payloads are those of docs/api.md "Events".
An action of another organisation counts as absent.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from server.domain.conditions import ANY_SEQUENCE, Condition, require_sequence
from server.domain.events import JSON, Event, RecordedEvent
from server.domain.org import Org
from server.domain.refusals import (
    Refusal,
    already_exists,
    invalid,
    not_found,
    unchanged,
)

ADDED: Final = "action.added"
CHANGED: Final = "action.changed"
DEACTIVATED: Final = "action.deactivated"
REACTIVATED: Final = "action.reactivated"
REMOVED: Final = "action.removed"
EVENT_TYPES: Final = frozenset({ADDED, CHANGED, DEACTIVATED, REACTIVATED, REMOVED})

TIMEOUT_NS_MAX: Final = 2**63 - 1
TIMEOUT_NS_MIN: Final = -(2**63)
"""Bounds of a timeout in nanoseconds: those of Go's Duration."""

_DEACTIVATED: Final = Event(DEACTIVATED)
_REACTIVATED: Final = Event(REACTIVATED)
_REMOVED: Final = Event(REMOVED)


class ActionState(IntEnum):
    """Numbers states as the API does. A removed action is absent and has no state."""

    UNSPECIFIED = 0
    """An unknown stored state; the action neither runs nor changes its state."""
    INACTIVE = 1
    ACTIVE = 2


@dataclass(frozen=True, slots=True)
class Action:
    """Holds one row of `actions`.

    Attributes:
        timeout_ns: as the client set it, 0 if it did not; a response has the effective one.
        sequence: of its last event.
        created_at: when it was made.
        changed_at: when its last event happened.
        position: of the event that made it; lists are in this order.
    """

    id: str
    org_id: str
    state: ActionState
    name: str
    script: str
    timeout_ns: int
    allowed_to_fail: bool
    sequence: int
    created_at: int
    changed_at: int
    position: int


def create(
    org: Org | None,
    *,
    org_id: str,
    name: str,
    script: str,
    timeout_ns: int,
    allowed_to_fail: bool,
    name_owner: str | None,
) -> Event:
    if not name:
        raise invalid("Errors.Action.Invalid", "COMMAND-eg2gf")
    if org is None:
        raise not_found("Errors.Org.NotFound", "COMMAND-Ac4no", values={"org_id": org_id})
    if name_owner is not None:
        raise _name_taken()
    payload: dict[str, JSON] = {"name": name}
    if script:
        payload["script"] = script
    if timeout_ns:
        payload["timeout"] = _storable(timeout_ns)
    payload["allowedToFail"] = allowed_to_fail
    return Event(ADDED, payload)


def update(
    action: Action | None,
    *,
    action_id: str,
    org_id: str,
    name: str,
    script: str,
    timeout_ns: int,
    allowed_to_fail: bool,
    name_owner: str | None,
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    """Returns the change of the fields that differ from the stored ones."""
    if not name or not action_id:
        raise invalid("Errors.Action.Invalid", "COMMAND-Df2f3")
    if action is None or action.org_id != org_id:
        raise _absent("COMMAND-Sfg2t")
    require_sequence(action.sequence, if_sequence)
    changed = _differences(
        action,
        name=name,
        script=script,
        timeout_ns=timeout_ns,
        allowed_to_fail=allowed_to_fail,
    )
    if not changed:
        raise _no_changes()
    if name_owner is not None and name_owner != action_id:
        raise _name_taken()
    return Event(CHANGED, changed)


def restore(
    action: Action | None,
    *,
    action_id: str,
    org_id: str,
    name: str,
    script: str,
    timeout_ns: int,
    allowed_to_fail: bool,
    state: ActionState,
    name_owner: str | None,
    if_sequence: Condition = ANY_SEQUENCE,
) -> list[Event]:
    """Returns the events after which the action is as an old version was; two at most.

    `name`, `script`, `timeout_ns`, `allowed_to_fail` and `state` are those of the version.
    """
    if action is None or action.org_id != org_id:
        raise _absent("COMMAND-Rs4nf")
    require_sequence(action.sequence, if_sequence)
    changed = _differences(
        action,
        name=name,
        script=script,
        timeout_ns=timeout_ns,
        allowed_to_fail=allowed_to_fail,
    )
    events = [Event(CHANGED, changed)] if changed else []
    if state is not action.state:
        events.append(_REACTIVATED if state is ActionState.ACTIVE else _DEACTIVATED)
    if not events:
        raise _no_changes()
    if name_owner is not None and name_owner != action_id:
        raise _name_taken()
    return events


def deactivate(
    action: Action | None,
    *,
    action_id: str,
    org_id: str,
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    if not action_id or not org_id:
        raise _id_missing("COMMAND-DAhk5")
    if action is None or action.org_id != org_id:
        raise _absent("COMMAND-NRmhu")
    require_sequence(action.sequence, if_sequence)
    if action.state is not ActionState.ACTIVE:
        raise unchanged("Errors.Action.NotActive", "COMMAND-Dgj92")
    return _DEACTIVATED


def reactivate(
    action: Action | None,
    *,
    action_id: str,
    org_id: str,
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    if not action_id or not org_id:
        raise _id_missing("COMMAND-BNm56")
    if action is None or action.org_id != org_id:
        raise _absent("COMMAND-Aa22g")
    require_sequence(action.sequence, if_sequence)
    if action.state is not ActionState.INACTIVE:
        raise unchanged("Errors.Action.NotInactive", "COMMAND-J53zh")
    return _REACTIVATED


def remove(
    action: Action | None,
    *,
    action_id: str,
    org_id: str,
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    if not action_id or not org_id:
        raise _id_missing("COMMAND-Gfg3g")
    if action is None or action.org_id != org_id:
        raise _absent("COMMAND-Dgh4h")
    require_sequence(action.sequence, if_sequence)
    return _REMOVED


def evolve(action: Action | None, event: RecordedEvent) -> Action | None:
    """Returns the action after the event; None once it is removed."""
    if event.type == ADDED:
        return _added(event)
    if action is None or event.type == REMOVED:
        return None
    if event.type == REACTIVATED:
        return _with_state(action, ActionState.ACTIVE, event)
    if event.type == DEACTIVATED:
        return _with_state(action, ActionState.INACTIVE, event)
    return _changed(action, event)


def _added(event: RecordedEvent) -> Action:
    return Action(
        id=event.aggregate_id,
        org_id=event.org_id,
        state=ActionState.ACTIVE,
        name=event.text("name"),
        script=event.text("script"),
        timeout_ns=event.number("timeout"),
        allowed_to_fail=event.flag("allowedToFail"),
        sequence=event.sequence,
        created_at=event.created_at,
        changed_at=event.created_at,
        position=event.position,
    )


def _with_state(action: Action, state: ActionState, event: RecordedEvent) -> Action:
    return Action(
        action.id,
        action.org_id,
        state,
        action.name,
        action.script,
        action.timeout_ns,
        action.allowed_to_fail,
        event.sequence,
        action.created_at,
        event.created_at,
        action.position,
    )


def _changed(action: Action, event: RecordedEvent) -> Action:
    return replace(
        action,
        name=event.text("name", action.name),
        script=event.text("script", action.script),
        timeout_ns=event.number("timeout", action.timeout_ns),
        allowed_to_fail=event.flag("allowedToFail", action.allowed_to_fail),
        sequence=event.sequence,
        changed_at=event.created_at,
    )


def _differences(
    action: Action, *, name: str, script: str, timeout_ns: int, allowed_to_fail: bool
) -> dict[str, JSON]:
    """Returns the payload of a change: the fields that differ from the stored ones."""
    changed: dict[str, JSON] = {}
    if name != action.name:
        changed["name"] = name
    if script != action.script:
        changed["script"] = script
    if _storable(timeout_ns) != action.timeout_ns:
        changed["timeout"] = _storable(timeout_ns)
    if allowed_to_fail != action.allowed_to_fail:
        changed["allowedToFail"] = allowed_to_fail
    return changed


def _storable(timeout_ns: int) -> int:
    """Returns the timeout within 64 bits, as Go's Duration is, so that each can be stored."""
    return max(TIMEOUT_NS_MIN, min(timeout_ns, TIMEOUT_NS_MAX))


def _id_missing(place: str) -> Refusal:
    return invalid("Errors.IDMissing", place)


def _absent(place: str) -> Refusal:
    return not_found("Errors.Action.NotFound", place)


def _no_changes() -> Refusal:
    return unchanged("Errors.NoChangesFound", "ACTION-dg4t2")


def _name_taken() -> Refusal:
    return already_exists("Errors.Action.AlreadyExists", "V3-DKcYh")
