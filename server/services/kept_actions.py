"""Keeps actions that callers read by id, until an event changes them.

Rule 1: `forget` takes the events of a commit before its callers are answered, so that whoever was
answered that a change is stored reads it.
Rule 2: an action that was read while events were forgotten is returned, and not kept.
Rule 3: only this process writes; see `active_scripts`.
Rule 4: memory is bounded: a long script is not kept, and the actions that were read longest ago
make room.
"""

from collections.abc import Iterable
from typing import Final

from server.domain.action import Action
from server.domain.events import RecordedEvent
from server.store.read_model import ActionById, ReadModel

KEPT_MAX: Final = 4_096
"""Max actions that are kept."""

SCRIPT_MAX_CHARS: Final = 4 << 10
"""Max characters of the script of a kept action: all together take 16 MiB."""


class KeptActions:
    """Returns actions by id, from memory where it can."""

    def __init__(self, reads: ReadModel, *, kept_max: int = KEPT_MAX) -> None:
        """Begins with nothing kept."""
        self._reads = reads
        self._kept_max = kept_max
        self._kept: dict[str, Action] = {}  # the one that was read last is last
        self._changes = 0

    async def by_id(self, org_id: str, action_id: str) -> Action | None:
        """Returns the action; None if the organisation has none with this id.

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
        """Forgets the actions that events are about; removed organisations' have such events."""
        self._changes += 1
        for event in events:
            if event.aggregate_type == "action":
                self._kept.pop(event.aggregate_id, None)

    def _keep(self, action: Action) -> None:
        if len(action.script) > SCRIPT_MAX_CHARS:
            return
        self._kept[action.id] = action
        if len(self._kept) > self._kept_max:
            del self._kept[next(iter(self._kept))]
