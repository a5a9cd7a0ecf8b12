"""Checks that events can have happened, each after those before it, and computes what they change.

Rules, in the order of the checks:
1. The type of the event is one of its aggregate.
2. An event makes what does not exist, or changes what does; its sequence follows the last one.
3. All events of an aggregate are of one organisation, which exists; sealed values may be of none.
4. What an event refers to exists: the user of a token or a key, the actions of a flow.
5. Unique names are free.

A membership may be of a user of another organisation, which may not be here yet: such users are
listed.
"""

from collections.abc import Sequence
from typing import Final

from server.domain import flow as flows
from server.domain import machine_key as machine_keys
from server.domain import org as orgs
from server.domain import sealed
from server.domain import user as users
from server.domain.action import Action
from server.domain.aggregates import (
    EVENT_TYPES,
    FIRST_EVENTS,
    Key,
    State,
    action_key,
    flows_of,
    names_in,
    org_key,
    user_key,
)
from server.domain.events import RecordedEvent
from server.domain.org import Org, member_id
from server.domain.projection import Projection
from server.domain.sealed import Place
from server.domain.user import User
from server.store.log import LoadedFacts, Needs, Writes

_OF_USER: Final = frozenset({users.TOKEN_ADDED, machine_keys.ADDED})
_WITH_USER: Final = _OF_USER | {orgs.MEMBER_ADDED}


class Impossible(ValueError):
    """An event cannot have happened after those before it."""


def needs_of(events: Sequence[RecordedEvent]) -> Needs:
    """Returns the facts by which the events are checked.

    Raises:
        ValueError: the type of an event is unknown, or its payload has another form.
    """
    aggregates: set[Key] = set()
    for event in events:
        _check_type(event)
        aggregates |= {_key_of(event), org_key(event.org_id), *flows_of(event)}
        if event.type in _WITH_USER:
            aggregates.add(user_key(event.text("userId")))
    return Needs(
        aggregates,
        {name for event in events for name in names_in(event)},
        actions={id for event in events if event.type == flows.SET for id in _actions_of(event)},
    )


class History:
    """Takes the next events of an instance."""

    def __init__(self, facts: LoadedFacts, strangers: dict[str, str]) -> None:
        """Begins after some events.

        Args:
            facts: that the next events need.
            strangers: users who do not exist and have a membership, by the id of the membership;
                the events change it.
        """
        self._facts = facts
        self._strangers = strangers
        self._projection = Projection(facts.states)
        self._events: list[RecordedEvent] = []

    def add(self, event: RecordedEvent) -> None:
        """Takes the next event.

        Raises:
            Impossible: it cannot have happened.
        """
        key = _key_of(event)
        before = self._projection.states[key]
        self._check_follows(event, key, before)
        self._check_org(event, before)
        self._check_references(event)
        self._check_names(event)
        try:
            self._projection.apply(key, event)
        except (LookupError, TypeError, ValueError) as error:
            raise Impossible(f"{_named(event)} cannot be applied: {error}") from error
        self._events.append(event)

    def writes(self) -> Writes:
        return Writes.of(self._events, self._projection)

    def _check_follows(self, event: RecordedEvent, key: Key, before: State | None) -> None:
        if (event.type in FIRST_EVENTS) != (before is None):
            state = "does not exist" if before is None else "exists already"
            raise Impossible(f"{_named(event)}: {key[0]} {key[1]} {state}")
        ended = self._projection.ended.get(key) or self._facts.sequences.get(key, 0)
        last = ended if before is None else before.sequence
        if event.sequence != last + 1:
            raise Impossible(f"{_named(event)}: expected sequence {last + 1}, got {event.sequence}")

    def _check_org(self, event: RecordedEvent, before: State | None) -> None:
        owner = event.aggregate_id if event.aggregate_type == "org" else event.org_id
        if before is not None and not isinstance(before, Org):
            owner = before.org_id
        if event.org_id != owner:
            message = f"{_named(event)}: expected organisation {owner}, got {event.org_id[:40]!r}"
            raise Impossible(message)
        is_known = event.type == orgs.ADDED or before is not None
        is_of_instance = event.type == sealed.ADDED and not owner
        if not is_known and not is_of_instance and self._projection.states[org_key(owner)] is None:
            raise Impossible(f"{_named(event)}: organisation {owner} does not exist")

    def _check_references(self, event: RecordedEvent) -> None:
        if event.type == flows.SET:
            for id_ in _actions_of(event):
                if self._org_of_action(id_) != event.org_id:
                    raise Impossible(f"{_named(event)}: action {id_} does not exist")
        elif event.type in _OF_USER:
            user = self._projection.states[user_key(event.text("userId"))]
            if not isinstance(user, User) or user.org_id != event.org_id:
                raise Impossible(f"{_named(event)}: user {event.text('userId')} does not exist")
        elif event.type == sealed.ADDED:
            place = Place(event.org_id, event.text("purpose"), event.text("name"))
            if place.id != event.aggregate_id:
                raise Impossible(f"{_named(event)}: expected the id {place.id[:100]}")
        elif event.type == orgs.MEMBER_ADDED:
            self._check_member(event)
        elif event.type == orgs.MEMBER_REMOVED:
            self._strangers.pop(event.aggregate_id, None)

    def _check_member(self, event: RecordedEvent) -> None:
        org_id, user_id = event.text("orgId"), event.text("userId")
        if org_id != event.org_id or member_id(org_id, user_id) != event.aggregate_id:
            expected = f"{event.org_id} and the user of {event.aggregate_id}"
            raise Impossible(f"{_named(event)}: expected {expected}, got {org_id} and {user_id}")
        if self._projection.states[user_key(user_id)] is None:
            self._strangers[event.aggregate_id] = user_id

    def _org_of_action(self, id_: str) -> str | None:
        action = self._projection.states.get(action_key(id_))
        if isinstance(action, Action):
            return action.org_id
        is_removed = action_key(id_) in self._projection.states
        return None if is_removed else self._facts.orgs_of_actions[id_]

    def _check_names(self, event: RecordedEvent) -> None:
        projection = self._projection
        for name in names_in(event):
            owner = projection.claimed.get(name)
            if owner is None and name not in projection.released:
                owner = self._facts.names[name]
            if owner not in (None, event.aggregate_id):
                raise Impossible(f"{_named(event)}: the name {name[2][:40]!r} belongs to {owner}")


def _check_type(event: RecordedEvent) -> None:
    kind = event.aggregate_type
    if kind not in EVENT_TYPES:
        raise Impossible(f"expected one of {', '.join(EVENT_TYPES)}, got {kind[:40]!r}")
    if event.type not in EVENT_TYPES[kind]:
        known = ", ".join(sorted(EVENT_TYPES[kind]))
        raise Impossible(f"expected an event of {kind} ({known}), got {event.type[:40]!r}")


def _key_of(event: RecordedEvent) -> Key:
    return (event.aggregate_type, event.aggregate_id)


def _actions_of(event: RecordedEvent) -> tuple[str, ...]:
    return event.texts("actionIDs")


def _named(event: RecordedEvent) -> str:
    return f"{event.type} of {event.aggregate_type} {event.aggregate_id}"
