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
    flow_key,
    is_dependant,
    member_key,
    org_key,
    token_key,
    user_key,
)
from server.domain.events import RecordedEvent
from server.domain.flow import Flow
from server.domain.org import Member, Org
from server.domain.projection import Projection
from server.domain.user import Token, User
from server.store.log import Loaded, Needs, Writes


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
        "_events",
        "_orgs_of_actions",
        "_owners",
        "_position",
        "_projection",
        "_sequences",
        "_states",
        "now",
    )

    def __init__(self, loaded: Loaded) -> None:
        self.now = loaded.now
        self._position = loaded.position
        self._projection = Projection(loaded.states)
        self._states = self._projection.states
        self._sequences = loaded.sequences
        self._owners = loaded.names
        self._orgs_of_actions = loaded.orgs_of_actions
        self._events: list[RecordedEvent] = []

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
        projection = self._projection
        if name in projection.claimed:
            return projection.claimed[name]
        owner = self._owners[name]
        return None if name in projection.released else owner

    def apply(self, changes: Sequence[Change], *, editor: str) -> None:
        """Applies the changes of one command, after those of the earlier ones."""
        projection = self._projection
        for key, org_id, event in changes:
            state = self._states[key]
            if state is None:
                last = projection.ended.get(key) or self._sequences.get(key, 0)
            else:
                last = state.sequence
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
            self._events.append(recorded)
            projection.apply(key, recorded)

    def writes(self) -> Writes:
        projection = self._projection
        return Writes(
            self._events,
            projection.changed,
            projection.released,
            projection.claimed,
            projection.ended,
        )
