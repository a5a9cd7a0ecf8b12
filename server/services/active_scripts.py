"""Keeps the scripts that each trigger runs, from their first run until an event may change them.

Rule 1: whoever was answered that a change is stored has its next runs see it: `forget` takes the
events of a commit before its callers are answered.
Rule 2: an answer that was read while events were forgotten is used, and not kept.
Rule 3: only this process writes, as its data folder is its own (`rebuild` and offline commands have
the folder while no service has it). A store that others write, too, must pass their events to
`forget` before it tells their callers that they are stored.
Rule 4: memory is bounded. What one trigger may keep is, too, so that an organisation, with its nine
triggers, takes no more than a share.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, TypeAlias

from server.domain.events import RecordedEvent
from server.scripts.contract import Script
from server.services.execution_requests import script_of
from server.store.read_model import ActiveActions, ReadModel

KEPT_MAX_CHARS: Final = 16 << 20
"""Max characters of all kept scripts; the ones that ran longest ago are forgotten beyond it."""

TRIGGER_MAX_CHARS: Final = 256 << 10
"""Max characters of the scripts of one trigger; with more they are read for each run."""

_FIXED_CHARS: Final = 1 << 10
"""Characters that each trigger and each action counts beside its script."""

_AGGREGATES: Final = frozenset({"action", "org"})
"""Types of aggregates whose events may change what a trigger runs; flows are part of the last."""

Scripts: TypeAlias = tuple[Script, ...]


class ActiveScripts:
    """Answers which scripts a trigger runs, from memory where it can."""

    def __init__(self, reads: ReadModel, *, max_chars: int = KEPT_MAX_CHARS) -> None:
        """Begins with nothing kept; `max_chars` bounds what is."""
        self._reads = reads
        self._max_chars = max_chars
        self._kept: dict[ActiveActions, Scripts] = {}  # the one that ran last is last
        self._kept_of: defaultdict[str, set[ActiveActions]] = defaultdict(set)
        self._chars = 0
        self._changes = 0

    async def of(self, org_id: str, flow_type: int, trigger_type: int) -> Scripts:
        """Returns the scripts of the trigger's active actions, in the order that was set.

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
        """Forgets the triggers of each organisation that an action or a flow changed in."""
        self._changes += 1
        for org_id in {event.org_id for event in events if event.aggregate_type in _AGGREGATES}:
            for query in tuple(self._kept_of.get(org_id, ())):
                self._drop(query)

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
