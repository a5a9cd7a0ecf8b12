"""Computes past states of an action from its events.

A version of an action is its state after one event. That state follows from the event itself, and
from the last event before it that set each other field: few events, though there may be many.
"""

from typing import Final, NamedTuple

from server.domain.action import ADDED, CHANGED, DEACTIVATED, REACTIVATED, Action, evolve
from server.domain.events import RecordedEvent

VERSION_EVENTS: Final = frozenset({ADDED, CHANGED, DEACTIVATED, REACTIVATED})
"""Types of events after which there is a version."""

_STATE: Final = frozenset({"state"})
_WRITTEN: Final = frozenset({"name", "script", "timeout", "allowedToFail"})


class ActionVersion(NamedTuple):
    """Holds an action as it was after one event.

    Attributes:
        event_type: of the event.
        editor: of the event.
    """

    action: Action
    event_type: str
    editor: str


class PastState:
    """Collects the earlier events that the state after one event follows from."""

    def __init__(self, event: RecordedEvent) -> None:
        """Begins with the event; `add` takes those before it, the newest first."""
        self._events = [event]
        self._missing = (_STATE | _WRITTEN) - _fields_set_by(event)

    @property
    def missing_types(self) -> frozenset[str]:
        """Returns the types of events that may set what is missing; empty if nothing is."""
        if not self._missing:
            return frozenset()
        of_state = {DEACTIVATED, REACTIVATED} if self._missing & _STATE else set()
        of_others = {CHANGED} if self._missing & _WRITTEN else set()
        return frozenset({ADDED} | of_state | of_others)

    def add(self, event: RecordedEvent) -> None:
        """Takes an earlier event; one that sets nothing that is missing changes nothing."""
        found = _fields_set_by(event) & self._missing
        if found:
            self._events.append(event)
            self._missing -= found

    def version(self, action: Action) -> ActionVersion:
        """Returns the version after the event; `action` is any later state of the action."""
        *earlier, last = reversed(self._events)
        for event in earlier:
            action = version_after(action, event).action
        return version_after(action, last)


def version_after(action: Action, event: RecordedEvent) -> ActionVersion:
    """Returns the version after the next event.

    Raises:
        ValueError: the event ends the action.
    """
    after = evolve(action, event)
    if after is None:
        raise ValueError(f"event {event.position}: no version follows {event.type}")
    return ActionVersion(after, event.type, event.editor)


def _fields_set_by(event: RecordedEvent) -> frozenset[str]:
    if event.type == ADDED:
        return _STATE | _WRITTEN
    if event.type == CHANGED:
        return _WRITTEN & event.payload.keys()
    return _STATE
