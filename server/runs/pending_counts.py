"""Adds up runs of each action until they are stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from server.scripts.contract import ActionResult
from server.store.runs import ActionCounts

_values_of: Final = attrgetter(*ActionCounts._fields)


@dataclass(slots=True)
class _Sums:
    """Has the fields of `ActionCounts`, and changes with each run."""

    org_id: str
    action_id: str
    name: str
    runs: int = 0
    failures: int = 0
    timeouts: int = 0
    kills: int = 0
    queue_us: int = 0
    duration_us: int = 0


class PendingCounts:
    """Holds counts that are not stored yet, by action."""

    def __init__(self) -> None:
        self._actions: dict[str, _Sums] = {}

    def __bool__(self) -> bool:
        return bool(self._actions)

    def has(self, org_id: str) -> bool:
        """True if there are counts of the organisation."""
        return any(sums.org_id == org_id for sums in self._actions.values())

    def count(self, org_id: str, result: ActionResult) -> None:
        """Counts a run of an action."""
        sums = self._sums(org_id, result.action_id, result.name)
        sums.name = result.name
        sums.runs += 1
        sums.queue_us += result.queue_us
        sums.duration_us += result.duration_us
        if (failure := result.failure) is not None:
            sums.failures += 1
            sums.timeouts += failure.timed_out
            sums.kills += failure.killed

    def take(self) -> Sequence[ActionCounts]:
        """Returns the counts, which wait no longer."""
        taken = [ActionCounts(*_values_of(sums)) for sums in self._actions.values()]
        self._actions.clear()
        return taken

    def put_back(self, counts: Iterable[ActionCounts]) -> None:
        """Adds counts that could not be stored to those that came since."""
        for each in counts:
            sums = self._sums(each.org_id, each.action_id, each.name)
            sums.runs += each.runs
            sums.failures += each.failures
            sums.timeouts += each.timeouts
            sums.kills += each.kills
            sums.queue_us += each.queue_us
            sums.duration_us += each.duration_us

    def _sums(self, org_id: str, action_id: str, name: str) -> _Sums:
        sums = self._actions.get(action_id)
        if sums is None:
            sums = self._actions[action_id] = _Sums(org_id, action_id, name)
        return sums
