"""The facts of one batch: what the store loaded, and what earlier commands changed on top of it."""

from collections.abc import Collection, Sequence
from operator import attrgetter

from server.commands.base import Change, Command
from server.domain.action import Action
from server.domain.aggregates import (
    Key,
    Name,
    State,
    action_key,
    evolve,
    evolve_flow,
    flow_key,
    flows_of,
    is_dependant,
    member_key,
    org_key,
    token_key,
    unique_names,
    user_key,
)
from server.domain.events import RecordedEvent
from server.domain.flow import Flow
from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.eventstore.contract import Loaded, Needs, Writes


def needs_of(commands: Collection[Command[object]]) -> Needs:
    """What the commands have to know, all together."""
    return Needs(
        {key for command in commands for key in command.aggregates},
        {name for command in commands for name in command.names},
        {key for command in commands for key in command.dependants_of},
        {action_id for command in commands for action_id in command.actions},
    )


class Batch:
    """Implements `Facts`; an aggregate or a name that no command declared is a KeyError."""

    __slots__ = (
        "_changed",
        "_events",
        "_names_changed",
        "_orgs_of_actions",
        "_owners",
        "_position",
        "_sequences",
        "_states",
        "now",
    )

    def __init__(self, loaded: Loaded) -> None:
        self.now = loaded.now
        self._position = loaded.position
        self._states: dict[Key, State | None] = dict(loaded.states)
        self._sequences = dict(loaded.sequences)
        self._owners: dict[Name, str | None] = dict(loaded.names)
        self._orgs_of_actions = loaded.orgs_of_actions
        self._events: list[RecordedEvent] = []
        self._changed: dict[Key, State | None] = {}
        self._names_changed: dict[Name, str | None] = {}

    def state(self, key: Key) -> State | None:
        return self._states[key]

    def action(self, action_id: str) -> Action | None:
        state = self._states[action_key(action_id)]
        return state if isinstance(state, Action) else None

    def org_of_action(self, action_id: str) -> str | None:
        key = action_key(action_id)
        if key not in self._states:
            return self._orgs_of_actions[action_id]
        action = self.action(action_id)
        return None if action is None else action.org_id

    def flow(self, org_id: str, type: int) -> Flow | None:
        state = self._states[flow_key(org_id, type)]
        return state if isinstance(state, Flow) else None

    def org(self, org_id: str) -> Org | None:
        state = self._states[org_key(org_id)]
        return state if isinstance(state, Org) else None

    def member(self, member_id: str) -> Member | None:
        state = self._states[member_key(member_id)]
        return state if isinstance(state, Member) else None

    def user(self, user_id: str) -> User | None:
        state = self._states[user_key(user_id)]
        return state if isinstance(state, User) else None

    def token(self, token_id: str) -> Token | None:
        state = self._states[token_key(token_id)]
        return state if isinstance(state, Token) else None

    def dependants(self, key: Key) -> Sequence[State]:
        found = (state for state in self._states.values() if state is not None)
        return sorted(
            (state for state in found if is_dependant(state, key)), key=attrgetter("position")
        )

    def owner(self, name: Name) -> str | None:
        return self._owners[name]

    def apply(self, changes: Sequence[Change], *, editor: str) -> None:
        """Let the changes of one command happen, after all that happened before."""
        for key, org_id, event in changes:
            before = self._states[key]
            last = self._sequences.get(key, 0) if before is None else before.sequence
            self._position += 1
            recorded = RecordedEvent(
                self._position,
                org_id,
                key[0],
                key[1],
                last + 1,
                event.type,
                event.payload,
                editor,
                self.now,
            )
            after = evolve(before, recorded)
            self._events.append(recorded)
            self._states[key] = self._changed[key] = after
            if after is None:
                self._sequences[key] = recorded.sequence
            self._rename(before, after)
            if key[0] == "org":
                self._apply_to_flows(recorded)

    def writes(self) -> Writes:
        claimed = {name: owner for name, owner in self._names_changed.items() if owner is not None}
        return Writes(self._events, self._changed, self._names_changed.keys(), claimed)

    def _apply_to_flows(self, event: RecordedEvent) -> None:
        for key in flows_of(event):
            self._states[key] = self._changed[key] = evolve_flow(self._states[key], event)

    def _rename(self, before: State | None, after: State | None) -> None:
        if isinstance(before, Action) and isinstance(after, Action) and before.name == after.name:
            return  # as nearly always
        old = () if before is None else unique_names(before)
        new = () if after is None else unique_names(after)
        for name in old:
            if name not in new:
                self._owners[name] = self._names_changed[name] = None
        if after is not None:
            for name in new:
                if name not in old:
                    self._owners[name] = self._names_changed[name] = after.id
