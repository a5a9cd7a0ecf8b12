"""Keeps the targets, opened, from the first call until an event may change them.

Rule 1: all are kept, as they are few; so a call of an unknown target reads nothing.
Rule 2: a target that was deleted or changed is so for the next call here, and within a second for
another process.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog

from server.bridge import targets
from server.bridge.targets import Target, UnreadableTarget
from server.domain.events import RecordedEvent
from server.domain.sealed import Place, SealedValue
from server.sealing.key_ring import KeyRing
from server.sealing.sealer import CannotOpen
from server.store.read_model import ReadModel, SealedContent, SealedValuesOf

PURPOSE: Final = "target"
"""Purpose of the sealed values that are targets; their name is the target's id."""

TARGETS_MAX: Final = 500
"""Max targets of the instance."""

log = structlog.get_logger()


def place_of(target_id: str) -> Place:
    """Returns the place of a target; targets are the instance's, not an organisation's."""
    return Place("", PURPOSE, target_id)


class KeptTargets:
    """Finds targets by id."""

    def __init__(self, reads: ReadModel, keys: KeyRing) -> None:
        """Takes the store, and the keys that open targets."""
        self._reads = reads
        self._keys = keys
        self._kept: Mapping[str, Target] | None = None
        self._changes = 0

    async def find(self, target_id: str) -> Target | None:
        """Returns the target; None if there is none with this id, or it does not open.

        Raises:
            StorageError: targets cannot be read.
        """
        if self._kept is not None:
            return self._kept.get(target_id)
        changes = self._changes
        found = {target.id: target for _, target in await self.all() if target is not None}
        if changes == self._changes:
            self._kept = found
        return found.get(target_id)

    async def all(self) -> Sequence[tuple[SealedValue, Target | None]]:
        """Reads all targets, in order of creation; None where one does not open.

        Raises:
            StorageError: they cannot be read.
        """
        values = await self._reads.read(SealedValuesOf("", PURPOSE))
        return [(value, await self._opened(value)) for value in values]

    async def _opened(self, value: SealedValue) -> Target | None:
        place = place_of(value.name)
        sealed = await self._reads.read(SealedContent(place.id))
        if sealed is None:  # deleted meanwhile
            return None
        try:
            return targets.read(value.name, self._keys.open(place, sealed))
        except (CannotOpen, UnreadableTarget) as error:
            log.error("a target cannot be used", reason=str(error))
            return None

    def forget(self, events: Iterable[RecordedEvent]) -> None:
        """Drops all targets if one has a new event."""
        self._changes += 1
        if any(event.aggregate_type == "sealed" for event in events):
            self._kept = None

    def forget_all(self) -> None:
        self._changes += 1
        self._kept = None
