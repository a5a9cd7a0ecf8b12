"""The log of runs, as an event store keeps it beside the events: what it promises.

What is told of a run is a text of octets to the store, which looks at what it is found by alone.
A run is in the log once `append_runs` returns, until it is too old or there is too much.

Rule: the log has a size, and whoever has most of it gives way: an organisation that runs a great
deal takes nothing from what is kept of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

RUN_BYTES: Final = 256
"""What a run takes beside its content, roughly."""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One run.

    Attributes:
        flow_type, trigger_type: as the API numbers them.
        started_at: in microseconds since the epoch.
        actions: the ids of those that ran or were to run, and whether each failed.
        content: what is told of it.
    """

    org_id: str
    flow_type: int
    trigger_type: int
    started_at: int
    actions: tuple[tuple[str, bool], ...]
    content: bytes

    @property
    def has_failed(self) -> bool:
        """Whether an action did."""
        return any(failed for _, failed in self.actions)

    @property
    def size(self) -> int:
        """What it counts as, in bytes."""
        return RUN_BYTES + len(self.content)


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
    async def append_runs(self, runs: Sequence[LoggedRun], *, since: int, max_bytes: int) -> bool:
        """Log runs, in their order; and let go of some that are too old, or too much.

        Args:
            runs: of any organisations.
            since: no run that started earlier is kept, and none logged before such a run that is
                said to start in the future: the clock was ahead then.
            max_bytes: of all that are kept.

        Returns:
            Whether there may be more to let go of: a few go at a time.
        """
        ...

    async def oldest_run_at(self) -> int | None:
        """Returns when the oldest of all runs started; None if there are none."""
        ...

    async def runs(self, org_id: str, query: RunsQuery) -> RunsPage: ...
