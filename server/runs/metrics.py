"""Counts runs of each action since the service started.

Rule: counts are only in memory. Beyond `COUNTED_MAX` those of the action that ran longest ago are
dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.scripts.contract import ActionResult

COUNTED_MAX: Final = 10_000
"""Max actions with counts."""


@dataclass(slots=True)
class ActionMetrics:
    """Holds the counts of one action.

    Attributes:
        name: at its last run.
        failures: includes timeouts and kills.
        queue_us: total microseconds of waiting.
        duration_us: total microseconds of running.
    """

    name: str
    runs: int = 0
    failures: int = 0
    timeouts: int = 0
    kills: int = 0
    queue_us: int = 0
    duration_us: int = 0


class Metrics:
    """Counts runs of all actions."""

    def __init__(self) -> None:
        self._actions: dict[tuple[str, str], ActionMetrics] = {}

    def of_org(self, org_id: str) -> Sequence[tuple[str, ActionMetrics]]:
        """Returns the organisation's actions by id; the one that ran last is last."""
        return [(id, metrics) for (org, id), metrics in self._actions.items() if org == org_id]

    def count(self, org_id: str, result: ActionResult) -> None:
        """Counts a run of an action."""
        key = (org_id, result.action_id)
        metrics = self._actions.pop(key, None) or ActionMetrics(result.name)
        self._actions[key] = metrics
        if len(self._actions) > COUNTED_MAX:
            del self._actions[next(iter(self._actions))]
        metrics.name = result.name
        metrics.runs += 1
        metrics.queue_us += result.queue_us
        metrics.duration_us += result.duration_us
        if result.failure is not None:
            metrics.failures += 1
            metrics.timeouts += result.failure.timed_out
            metrics.kills += result.failure.killed
