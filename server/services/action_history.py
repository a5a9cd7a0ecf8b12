"""Reads versions of an action from the log of events.

Events never change, so neither does a version. A page is computed from its own events, and from the
few earlier ones that its oldest version follows from.
Rule: a read of the log looks at `SPAN` sequences at most, and others take turns between two reads.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from server.domain.action import Action
from server.domain.aggregates import action_key
from server.domain.events import RecordedEvent
from server.domain.history import VERSION_EVENTS, ActionVersion, PastState, version_after
from server.store.log import EventsOf

SPAN: Final = 1_000
"""Max sequences that one read of the log looks at: 0.6 ms in SQLite, 0.3 ms in PostgreSQL."""

EVENTS_AT_ONCE: Final = 64
"""Max events that one such read returns: 2.6 MB, if each has a script of the max length."""


class AggregateEvents(Protocol):
    """Reads events of one aggregate; an event log does."""

    async def events_of(self, asked: EventsOf) -> Sequence[RecordedEvent]: ...


class ActionHistory:
    """Returns versions of actions."""

    def __init__(self, log: AggregateEvents) -> None:
        self._log = log

    async def page(self, action: Action, *, before: int, limit: int) -> list[ActionVersion]:
        """Returns versions whose sequence is less than `before`, the newest first.

        Args:
            action: as it is now.
            before: of the versions; those after `action` are left out, too.
            limit: max versions.
        """
        last = min(before - 1, action.sequence)
        first = max(last - limit + 1, 1)
        asked = EventsOf(action_key(action.id), first, last, VERSION_EVENTS, limit)
        events = [*await self._log.events_of(asked)]
        if not events:
            return []
        versions = [await self._version(action, events.pop())]
        for event in reversed(events):
            versions.append(version_after(versions[-1].action, event))
        return versions[::-1]

    async def version(self, action: Action, sequence: int) -> ActionVersion | None:
        """Returns the version with this sequence; None if there is none."""
        found = await self.page(action, before=sequence + 1, limit=1)
        return found[0] if found and found[0].action.sequence == sequence else None

    async def _version(self, action: Action, event: RecordedEvent) -> ActionVersion:
        """Returns the version after an event; goes back until it knows all of it."""
        past = PastState(event)
        last = event.sequence - 1
        while last > 0 and past.missing_types:
            first = max(last - SPAN + 1, 1)
            asked = EventsOf(action_key(action.id), first, last, past.missing_types, EVENTS_AT_ONCE)
            found = await self._log.events_of(asked)
            for earlier in found:
                past.add(earlier)
            last = (found[-1].sequence if len(found) == EVENTS_AT_ONCE else first) - 1
        return past.version(action)
