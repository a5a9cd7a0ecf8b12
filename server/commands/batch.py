"""Decides one batch: its facts are the loaded ones, with the changes of its commands applied."""

from collections.abc import Collection, Sequence
from operator import attrgetter

from server.commands.base import Change, Command, S
from server.domain.action import Action
from server.domain.aggregates import (
    Key,
    Name,
    State,
    action_key,
    is_dependant,
)
from server.domain.events import RecordedEvent
from server.domain.projection import Projection
from server.domain.sealed import Sealed
from server.store.log import LoadedFacts, Needs, Writes


def needs_of(commands: Collection[Command[object]]) -> Needs:
    """Returns the facts that all the commands need."""
    if len(commands) == 1:
        (command,) = commands
        return Needs(command.aggregates, command.names, command.dependants_of, command.actions)
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
        "_sealed",
        "_sequences",
        "_states",
        "now",
    )

    def __init__(self, loaded: LoadedFacts) -> None:
        self.now = loaded.now
        self._position = loaded.position
        self._projection = Projection(loaded.states)
        self._states = self._projection.states
        self._sequences = loaded.sequences
        self._owners = loaded.names
        self._orgs_of_actions = loaded.orgs_of_actions
        self._events: list[RecordedEvent] = []
        self._sealed = dict[str, Sealed | None]()

    def state(self, key: Key) -> State | None:
        return self._states[key]

    def find(self, kind: type[S], key: Key) -> S | None:
        state = self._states[key]
        return state if isinstance(state, kind) else None

    def require(self, kind: type[S], key: Key) -> S:
        state = self._states[key]
        if isinstance(state, kind):
            return state
        message = f"expected a living {kind.__name__} {key[1]}, got {state!r:.40}"
        raise LookupError(message)

    def org_of_action(self, action_id: str) -> str | None:
        key = action_key(action_id)
        if key not in self._states:
            return self._orgs_of_actions[action_id]
        action = self.find(Action, key)
        return None if action is None else action.org_id

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
        for key, org_id, event, sealed in changes:
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
            if key[0] == "sealed":
                self._sealed[key[1]] = sealed

    def writes(self) -> Writes:
        return Writes.of(self._events, self._projection, sealed=self._sealed)
