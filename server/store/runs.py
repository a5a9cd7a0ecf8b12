"""Defines the log of runs and the counts of actions, which a store keeps beside the events.

The content of a run is bytes to the store; it reads only the fields that runs are found by.
A run is in the log once `append_runs` returns, until it is too old or the log is too large. Its
counts stay until their action is removed.

Rule: the log has a max size, and the organisation with most of it loses runs first: one that runs a
great deal takes nothing from what is kept of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

RUN_BYTES: Final = 256
"""Bytes that a run takes beside its content, roughly."""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One run.

    Attributes:
        flow_type, trigger_type: numbers of the API.
        started_at: in microseconds since the epoch.
        actions: the ids of those that ran or were to run, each with True if it failed.
        content: what a client reads of it.
    """

    org_id: str
    flow_type: int
    trigger_type: int
    started_at: int
    actions: tuple[tuple[str, bool], ...]
    content: bytes

    @property
    def has_failed(self) -> bool:
        """True if an action failed."""
        return any(failed for _, failed in self.actions)

    @property
    def size(self) -> int:
        """Bytes that it counts as."""
        return RUN_BYTES + len(self.content)


class ActionCounts(NamedTuple):
    """Counts runs of one action.

    Attributes:
        name: at the last run.
        failures: includes timeouts and kills.
        queue_us: total microseconds of waiting.
        duration_us: total microseconds of running.
    """

    org_id: str
    action_id: str
    name: str
    runs: int = 0
    failures: int = 0
    timeouts: int = 0
    kills: int = 0
    queue_us: int = 0
    duration_us: int = 0


@dataclass(frozen=True, slots=True)
class CountedActions:
    """Holds the counts of an organisation.

    Attributes:
        since: when the store began to count, in microseconds since the epoch.
        actions: those that ran, in the order of their ids.
    """

    since: int
    actions: Sequence[ActionCounts]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsQuery:
    """One page of an organisation's runs, newest first.

    Attributes:
        action_id: empty for any.
        flow_type, trigger_type: 0 for any.
        only_failed: runs in which an action failed; that one, if one is named.
        since: no run that started earlier.
        before: the position that the page before ended at; 0 for the first page.
        limit: runs on the page, at least 1.
        max_bytes: of their contents, but for the first.
    """

    action_id: str = ""
    flow_type: int = 0
    trigger_type: int = 0
    only_failed: bool = False
    since: int = 0
    before: int = 0
    limit: int = 100
    max_bytes: int = 3 << 20


@dataclass(frozen=True, slots=True)
class RunsPage:
    """Some runs.

    Attributes:
        contents: newest first.
        next: the position to go on before; 0 at the end.
    """

    contents: Sequence[bytes]
    next: int


class RunStore(Protocol):
    async def append_runs(
        self,
        runs: Sequence[LoggedRun],
        counts: Sequence[ActionCounts],
        *,
        since: int,
        max_bytes: int,
    ) -> bool:
        """Logs runs in their order, adds counts, and deletes some old runs or some of too many.

        Args:
            runs: of any organisations.
            counts: at most one of an action; those of removed actions are ignored.
            since: no run that started earlier is kept; nor one that was logged before such a run
                and starts in the future, as the clock was ahead then.
            max_bytes: of all that are kept.

        Returns:
            True if there may be more to delete: a few go at a time.
        """
        ...

    async def oldest_run_at(self) -> int | None:
        """Returns when the oldest of all runs started; None if there are none."""
        ...

    async def runs(self, org_id: str, query: RunsQuery) -> RunsPage: ...

    async def counted_actions(self, org_id: str) -> CountedActions: ...
