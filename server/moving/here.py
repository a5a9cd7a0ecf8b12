"""Describes organisations of this instance as a source, from their events."""

from collections.abc import Sequence
from typing import Final

from server.domain.action import Action
from server.domain.aggregates import Key, State, evolve, evolve_flow, flows_of, org_key
from server.domain.flow import Flow
from server.domain.org import Org
from server.moving.source import SourceAction, SourceError, SourceOrg
from server.store.engine import EventReader, Progress
from server.triggers import FlowType

AT_ONCE: Final = 1_000
"""Max events of one read."""

_KINDS: Final = frozenset({"org", "action"})


def read(reader: EventReader, org_ids: Sequence[str], progress: Progress) -> list[SourceOrg]:
    """Returns organisations, by their ids; without ids all.

    Args:
        reader: of the events.
        org_ids: the organisations.
        progress: called with the number of events read, and of all.

    Raises:
        SourceError: there is no such organisation.
        StorageError: storage fails.
    """
    states = _states(reader, progress)
    missing = [id for id in org_ids if not isinstance(states.get(org_key(id)), Org)]
    if missing:
        raise SourceError(f"there is no organisation {', '.join(missing)}")
    orgs = [state for state in states.values() if isinstance(state, Org)]
    return [_described(org, states) for org in orgs if not org_ids or org.id in org_ids]


def _states(reader: EventReader, progress: Progress) -> dict[Key, State]:
    states: dict[Key, State | None] = {}
    last, done = reader.last_event().position, 0
    while events := reader.events(done, min(AT_ONCE, last - done)):
        for event in events:
            if event.aggregate_type in _KINDS:
                key = (event.aggregate_type, event.aggregate_id)
                states[key] = evolve(states.get(key), event)
                for flow in flows_of(event):
                    states[flow] = evolve_flow(states.get(flow), event)
        done = events[-1].position
        progress(done, last)
        if done >= last:
            break
    return {key: state for key, state in states.items() if state is not None}


def _described(org: Org, states: dict[Key, State]) -> SourceOrg:
    actions = [
        state for state in states.values() if isinstance(state, Action) and state.org_id == org.id
    ]
    flows = [
        state for state in states.values() if isinstance(state, Flow) and state.org_id == org.id
    ]
    return SourceOrg(
        id=org.id,
        name=org.name,
        created_at=org.created_at,
        actions=[_action(action) for action in sorted(actions, key=lambda each: each.position)],
        triggers={
            (flow.type, trigger): ids for flow in flows for trigger, ids in flow.triggers if ids
        },
        flows_changed_at={FlowType(flow.type): flow.changed_at for flow in flows},
    )


def _action(action: Action) -> SourceAction:
    return SourceAction(
        id=action.id,
        name=action.name,
        script=action.script,
        timeout_ns=action.timeout_ns,
        allowed_to_fail=action.allowed_to_fail,
        state=action.state,
        created_at=action.created_at,
        changed_at=action.changed_at,
    )
