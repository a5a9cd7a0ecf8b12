"""Keeps actions that callers read by id, until an event changes them.

Rule 1: a read that begins after a change was answered has the change: `forget` gets the events of a
commit before its callers are answered. A change by another process is seen within a second.
Rule 2: an action that is read while events come is returned, and not kept.
Rule 3: memory is bounded: actions with long scripts are not kept, and those that were read longest
ago are dropped.
"""

from collections.abc import Iterable
from typing import Final

from server.domain.action import Action
from server.domain.events import RecordedEvent
from server.store.read_model import ActionById, ReadModel

KEPT_MAX: Final = 4_096
"""Max kept actions."""

SCRIPT_MAX_CHARS: Final = 4 << 10
"""Max characters of the script of a kept action; all of them take at most 16 MiB."""


class KeptActions:
    """Returns actions by id, from memory if they are kept."""

    def __init__(self, reads: ReadModel, *, kept_max: int = KEPT_MAX) -> None:
        """Takes the store."""
        self._reads = reads
        self._kept_max = kept_max
        self._kept: dict[str, Action] = {}  # the one that was read last is last
        self._changes = 0

    async def by_id(self, org_id: str, action_id: str) -> Action | None:
        """Returns the action; None if the organisation has no action with this id.

        Raises:
            StorageError: it cannot be read.
        """
        kept = self._kept.pop(action_id, None)
        if kept is not None:
            self._kept[action_id] = kept
            return kept if kept.org_id == org_id else None
        changes = self._changes
        action = await self._reads.read(ActionById(org_id, action_id))
        if action is not None and changes == self._changes:
            self._keep(action)
        return action

    def forget(self, events: Iterable[RecordedEvent]) -> None:
        """Drops the actions that have new events, as each action of a purged organisation has."""
        self._changes += 1
        for event in events:
            if event.aggregate_type == "action":
                self._kept.pop(event.aggregate_id, None)

    def forget_all(self) -> None:
        self._changes += 1
        self._kept.clear()

    def _keep(self, action: Action) -> None:
        if len(action.script) > SCRIPT_MAX_CHARS:
            return
        self._kept[action.id] = action
        if len(self._kept) > self._kept_max:
            del self._kept[next(iter(self._kept))]
