"""Computes what events change: states, and the owners of unique names.

Events are the truth; states are computed from them. A batch of commands and a rebuild both do it
here, so both get the same states.

Rule: the result does not depend on how events are divided into batches.
"""

from collections.abc import Mapping

from server.domain.aggregates import Key, Name, State, evolve, evolve_flow, flows_of, unique_names
from server.domain.events import RecordedEvent


class Projection:
    """Holds states, and applies events to them.

    Attributes:
        states: of each known aggregate; None if it does not exist.
        changed: states that the events changed.
        ended: for each aggregate that ended, the sequence of that event; it may exist again.
        released: names whose owners gave them up; another may have claimed them since.
        claimed: the owner of each name that was claimed and not released since.
    """

    __slots__ = ("changed", "claimed", "ended", "released", "states")

    def __init__(self, states: Mapping[Key, State | None]) -> None:
        self.states = dict(states)
        self.changed: dict[Key, State | None] = {}
        self.ended: dict[Key, int] = {}
        self.released: set[Name] = set()
        self.claimed: dict[Name, str] = {}

    def apply(self, key: Key, event: RecordedEvent) -> None:
        """Applies the next event of the aggregate `key`.

        Raises:
            KeyError: the state of the aggregate, or of one of its flows, is not known.
            ValueError: the payload is invalid, or claims a name that another has.
        """
        before = self.states[key]
        after = evolve(before, event)
        self.states[key] = self.changed[key] = after
        if after is None:
            self.ended[key] = event.sequence
        if event.payload or after is None:  # an event without a payload changes no name
            self._rename(before, after)
        if key[0] == "org":
            for flow in flows_of(event):
                self.states[flow] = self.changed[flow] = evolve_flow(self.states[flow], event)

    def _rename(self, before: State | None, after: State | None) -> None:
        old = () if before is None else unique_names(before)
        new = () if after is None else unique_names(after)
        for name in old:
            if name not in new:
                self.released.add(name)
                self.claimed.pop(name, None)
        if after is not None:
            for name in new:
                if name not in old:
                    if name in self.claimed:
                        raise ValueError(f"name {name[2]!r} belongs to {self.claimed[name]}")
                    self.claimed[name] = after.id
