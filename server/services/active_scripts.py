"""Keeps the scripts that each trigger runs, from their first run until an event may change them.

Rule 1: a run that begins after a change was answered uses the change: `forget` gets the events of a
commit before its callers are answered. A change by another process is seen within a second.
Rule 2: scripts that are read while events come are used once, and not kept.
Rule 3: memory is bounded, also for one trigger; so an organisation, which has nine, has a share.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, TypeAlias

from server.domain.events import RecordedEvent
from server.scripts.contract import Script
from server.services.execution_requests import script_of
from server.store.read_model import ActiveActions, ReadModel

KEPT_MAX_CHARS: Final = 16 << 20
"""Max characters of all kept scripts; beyond it those that ran longest ago are dropped."""

TRIGGER_MAX_CHARS: Final = 256 << 10
"""Max characters of the kept scripts of one trigger; longer ones are read for each run."""

_FIXED_CHARS: Final = 1 << 10
"""Characters that a trigger, and an action beside its script, counts as."""

_AGGREGATES: Final = frozenset({"action", "org"})
"""Types of aggregates whose events may change what a trigger runs; "org" is also that of flows."""

Scripts: TypeAlias = tuple[Script, ...]


class ActiveScripts:
    """Returns the scripts that a trigger runs, from memory if they are kept."""

    def __init__(self, reads: ReadModel, *, max_chars: int = KEPT_MAX_CHARS) -> None:
        """Takes the store; keeps at most `max_chars` characters."""
        self._reads = reads
        self._max_chars = max_chars
        self._kept: dict[ActiveActions, Scripts] = {}  # the one that ran last is last
        self._kept_of: defaultdict[str, set[ActiveActions]] = defaultdict(set)
        self._chars = 0
        self._changes = 0

    async def of(self, org_id: str, flow_type: int, trigger_type: int) -> Scripts:
        """Returns the scripts of the trigger's active actions, in the order of the flow.

        Raises:
            StorageError: they cannot be read.
        """
        query = ActiveActions(org_id, flow_type, trigger_type)
        kept = self._kept.pop(query, None)
        if kept is not None:
            self._kept[query] = kept
            return kept
        changes = self._changes
        scripts = tuple(map(script_of, await self._reads.read(query)))
        if changes == self._changes and query not in self._kept:
            self._keep(query, scripts)
        return scripts

    def forget(self, events: Iterable[RecordedEvent]) -> None:
        """Drops the scripts of organisations of which an action or a flow changed."""
        self._changes += 1
        for org_id in {event.org_id for event in events if event.aggregate_type in _AGGREGATES}:
            for query in tuple(self._kept_of.get(org_id, ())):
                self._drop(query)

    def forget_all(self) -> None:
        self._changes += 1
        self._kept.clear()
        self._kept_of.clear()
        self._chars = 0

    def _keep(self, query: ActiveActions, scripts: Scripts) -> None:
        size = _size(scripts)
        if size > TRIGGER_MAX_CHARS:
            return
        self._kept[query] = scripts
        self._kept_of[query.org_id].add(query)
        self._chars += size
        while self._chars > self._max_chars:
            self._drop(next(iter(self._kept)))

    def _drop(self, query: ActiveActions) -> None:
        self._chars -= _size(self._kept.pop(query))
        of_org = self._kept_of[query.org_id]
        of_org.remove(query)
        if not of_org:
            del self._kept_of[query.org_id]


def _size(scripts: Scripts) -> int:
    return _FIXED_CHARS * (1 + len(scripts)) + sum(len(script.source) for script in scripts)
