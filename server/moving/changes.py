"""Compares an organisation of a source with what is here, and makes the events that are missing.

An organisation, an action or a trigger that is not here yet is made. What is here already and
differs is told; it is changed only if updates are asked for. Nothing here is ever removed.
Rule 1: pure. States go in, events and differences come out.
Rule 2: an event has the time at which it happened in the source, as far as that is known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from server.domain import action as actions
from server.domain import flow as flows
from server.domain import org as orgs
from server.domain.action import Action, ActionState
from server.domain.aggregates import Key, State, action_key, flow_key, org_key
from server.domain.events import Event, Payload, RecordedEvent
from server.domain.flow import Flow
from server.domain.org import Org
from server.moving.source import SourceAction, SourceError, SourceOrg
from server.triggers import ALL_TRIGGERS, FlowType


class Difference(NamedTuple):
    """Names what is here and differs from the source.

    Attributes:
        what: the organisation, action or trigger.
        how: the differing parts, as people read them.
        is_updated: True if the import changes what is here.
    """

    org_id: str
    what: str
    how: str
    is_updated: bool = False


@dataclass(slots=True)
class Changes:
    """Holds what an import does to one organisation.

    Attributes:
        events: to be appended, in their order; without positions.
        orgs, actions, triggers: the number of each that is made.
        differences: of what is here already.
    """

    events: list[RecordedEvent] = field(default_factory=list)
    orgs: int = 0
    actions: int = 0
    triggers: int = 0
    differences: list[Difference] = field(default_factory=list)


def keys_of(org: SourceOrg) -> list[Key]:
    """Returns the keys of the states that `changes_of` compares."""
    return [
        org_key(org.id),
        *(action_key(action.id) for action in org.actions),
        *(flow_key(org.id, flow) for flow in org.flows),
    ]


def changes_of(
    source: SourceOrg,
    states: Mapping[Key, State | None],
    ended: Mapping[Key, int],
    *,
    updates: bool,
    now: int,
) -> Changes:
    """Returns the changes that bring an organisation here.

    A flow that was ever set here differs from then on, also where one of its triggers is not set.

    Args:
        source: the organisation there.
        states: the states here, of all `keys_of(source)`.
        ended: the last sequences of those that were removed here.
        updates: True changes what differs.
        now: the time of changes whose own time is unknown.

    Raises:
        SourceError: an action belongs to another organisation here.
    """
    return _Comparison(source, states, ended, updates=updates, now=now).changes()


class _Comparison:
    def __init__(
        self,
        source: SourceOrg,
        states: Mapping[Key, State | None],
        ended: Mapping[Key, int],
        *,
        updates: bool,
        now: int,
    ) -> None:
        self._source = source
        self._states = states
        self._ended = ended
        self._updates = updates
        self._now = now
        self._sequences: dict[Key, int] = {}
        self._here: set[str] = set()
        self._found = Changes()

    def changes(self) -> Changes:
        if not self._has_org():
            return self._found
        for action in self._source.actions:
            self._compare_action(action)
        for trigger in ALL_TRIGGERS:
            if trigger[0] in self._source.flows:
                self._compare_trigger(*trigger)
        return self._found

    def _has_org(self) -> bool:
        """Compares the organisation itself; False if it was removed here, which stays so."""
        source = self._source
        key = org_key(source.id)
        here = self._states[key]
        what = f"organisation {source.id}"
        if isinstance(here, Org):
            if here.name != source.name:
                event = Event(orgs.CHANGED, {"name": source.name})
                self._differs(what, f"name {here.name!r} here, {source.name!r} there", key, event)
        elif key in self._ended:
            self._found.differences.append(Difference(source.id, what, "removed here, left out"))
            return False
        else:
            self._found.orgs += 1
            self._add(key, Event(orgs.ADDED, {"name": source.name}), at=source.created_at)
        return True

    def _compare_action(self, source: SourceAction) -> None:
        key = action_key(source.id)
        here = self._states[key]
        what = f"action {source.id} ({source.name})"
        if isinstance(here, Action):
            self._here.add(source.id)
            self._compare_with(source, here, what)
        elif key in self._ended:
            if self._updates:
                self._here.add(source.id)
            self._differs(what, "removed here", key, *_making(source))
        else:
            self._here.add(source.id)
            self._found.actions += 1
            made, *later = _making(source)
            self._add(key, made, at=source.created_at or source.changed_at)
            for event in later:
                self._add(key, event, at=source.changed_at)

    def _compare_with(self, source: SourceAction, here: Action, what: str) -> None:
        if here.org_id != self._source.id:
            raise SourceError(f"{what} belongs to organisation {here.org_id} here")
        changed = dict(_changed(source, here))
        events: list[Event] = [Event(actions.CHANGED, changed)] if changed else []
        if source.state not in (None, here.state):
            is_active = source.state is ActionState.ACTIVE
            events.append(Event(actions.REACTIVATED if is_active else actions.DEACTIVATED))
        if events:
            parts = [*changed] + ["state"] * (len(events) > bool(changed))
            self._differs(what, ", ".join(parts), action_key(source.id), *events)

    def _compare_trigger(self, flow: int, trigger: int) -> None:
        source = self._source
        wanted = source.triggers.get((flow, trigger), ())
        here = self._states[flow_key(source.id, flow)]
        current = here.actions_of(trigger) if isinstance(here, Flow) else ()
        if wanted == current:
            return
        what = f"flow {flow:d}, trigger {trigger:d}"
        missing = tuple(id for id in wanted if id not in self._here)
        payload: Payload = {"flowType": flow, "triggerType": trigger, "actionIDs": [*wanted]}
        event = Event(flows.SET, payload)
        if missing:
            how = f"has {_listed(missing)} there, removed here"
            self._found.differences.append(Difference(source.id, what, how))
        elif here is None:
            self._found.triggers += 1
            at = source.flows_changed_at.get(FlowType(flow))
            self._add(org_key(source.id), event, at=at)
        else:
            how = f"{_listed(current)} here, {_listed(wanted)} there"
            self._differs(what, how, org_key(source.id), event)

    def _differs(self, what: str, how: str, key: Key, *events: Event) -> None:
        self._found.differences.append(Difference(self._source.id, what, how, self._updates))
        if self._updates:
            for event in events:
                self._add(key, event, at=None)

    def _add(self, key: Key, event: Event, *, at: int | None) -> None:
        sequence = self._sequences.get(key)
        if sequence is None:
            state = self._states[key]
            sequence = self._ended.get(key, 0) if state is None else state.sequence
        self._sequences[key] = sequence + 1
        self._found.events.append(
            RecordedEvent(
                position=0,
                org_id=self._source.id,
                aggregate_type=key[0],
                aggregate_id=key[1],
                sequence=sequence + 1,
                type=event.type,
                payload=event.payload,
                editor="",
                created_at=self._now if at is None else at,
            )
        )


def _making(source: SourceAction) -> Iterator[Event]:
    """Yields the events that make an action; the last one happened at its last change."""
    yield Event(
        actions.ADDED,
        {
            "name": source.name,
            "script": source.script,
            **({"timeout": source.timeout_ns} if source.timeout_ns else {}),
            "allowedToFail": source.allowed_to_fail,
        },
    )
    if source.state is ActionState.INACTIVE:
        yield Event(actions.DEACTIVATED)
    elif source.changed_at not in (None, source.created_at):
        yield Event(actions.CHANGED)


def _changed(source: SourceAction, here: Action) -> Iterator[tuple[str, str | int | bool]]:
    if source.name != here.name:
        yield "name", source.name
    if source.script != here.script:
        yield "script", source.script
    if source.timeout_ns != here.timeout_ns:
        yield "timeout", source.timeout_ns
    if source.allowed_to_fail != here.allowed_to_fail:
        yield "allowedToFail", source.allowed_to_fail


def _listed(ids: tuple[str, ...]) -> str:
    return ", ".join(ids) or "no action"
