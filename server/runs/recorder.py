"""What is kept of runs: the log of runs, the figures of each action, a line in the server's log.

Rule: a run waits for none of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from actions.v1 import execution_pb2 as pb
from server.runs.shortening import shorten_results
from server.scripts.contract import ActionResult
from server.store.runs import LoggedRun, RunsPage, RunsQuery
from server.timestamps import set_duration, set_time

CONTENT_MAX_BYTES: Final = 64 << 10
"""Of one run, in the log of runs."""

COUNTED_MAX: Final = 10_000
"""Actions that are counted; of more, those that ran first are forgotten."""

log = structlog.get_logger()


class RunLogWriter(Protocol):
    """The log of runs."""

    @property
    def dropped(self) -> int: ...

    def add(self, run: LoggedRun) -> None: ...

    async def page(self, org_id: str, query: RunsQuery) -> RunsPage: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """A run, but for what it did.

    Attributes:
        started_at: in microseconds since the epoch.
    """

    id: str
    org_id: str
    user_id: str
    flow_type: int
    trigger_type: int
    started_at: int


@dataclass(slots=True)
class Figures:
    """Of one action.

    Attributes:
        name: when it last ran.
        failures: time-outs and kills among them.
    """

    name: str
    runs: int = 0
    failures: int = 0
    timeouts: int = 0
    kills: int = 0
    queue_us: int = 0
    duration_us: int = 0


class RunRecorder:
    """Keeps what there is to know of runs."""

    def __init__(self, runs: RunLogWriter, *, since: int, lines: bool) -> None:
        """Count from now on.

        Args:
            runs: the log of runs.
            since: when that is.
            lines: whether each run is a line in the log.
        """
        self.runs = runs
        self.since = since
        self._lines = lines
        self._figures: dict[tuple[str, str], Figures] = {}

    def figures(self, org_id: str) -> Sequence[tuple[str, Figures]]:
        """Of the organisation's actions, by id; the one that ran last comes last."""
        return [(id, figures) for (org, id), figures in self._figures.items() if org == org_id]

    def count(self, made: StartedRun, result: ActionResult) -> None:
        """Put it to the figures; one that failed is worth a line, whatever else is logged."""
        key = (made.org_id, result.action_id)
        figures = self._figures.pop(key, None) or Figures(result.name)
        self._figures[key] = figures
        if len(self._figures) > COUNTED_MAX:
            del self._figures[next(iter(self._figures))]
        figures.name = result.name
        figures.runs += 1
        figures.queue_us += result.queue_us
        figures.duration_us += result.duration_us
        if result.failure is not None:
            log.warning(
                "action run failed",
                run=made.id,
                action=result.action_id,
                name=result.name,
                reason=result.failure.text,
                ms=result.duration_us // 10 / 100,
                org=made.org_id,
            )
            figures.failures += 1
            figures.timeouts += result.failure.timed_out
            figures.kills += result.failure.killed

    def keep(
        self,
        made: StartedRun,
        state: pb.RunState.ValueType,
        results: Sequence[pb.ActionResult],
        duration_us: int,
    ) -> None:
        """Have the run logged."""
        if self._lines:
            _log_line(made, state, results, duration_us)
        told, is_shortened = shorten_results(results, CONTENT_MAX_BYTES)
        run = pb.Run(
            id=made.id,
            flow_type=str(made.flow_type),
            trigger_type=str(made.trigger_type),
            user_id=made.user_id,
            state=state,
            actions=told,
            is_shortened=is_shortened,
        )
        set_time(run.started_at, made.started_at)
        set_duration(run.duration, duration_us)
        failed = pb.ACTION_STATE_FAILED
        self.runs.add(
            LoggedRun(
                org_id=made.org_id,
                flow_type=made.flow_type,
                trigger_type=made.trigger_type,
                started_at=made.started_at,
                actions=tuple((result.action_id, result.state == failed) for result in results),
                content=run.SerializeToString(),
            )
        )


def _log_line(
    made: StartedRun,
    state: pb.RunState.ValueType,
    results: Sequence[pb.ActionResult],
    duration_us: int,
) -> None:
    log.info(
        "run",
        run=made.id,
        flow=made.flow_type,
        trigger=made.trigger_type,
        state=_STATES[state],
        actions=len(results),
        ms=duration_us // 10 / 100,
        org=made.org_id,
        user=made.user_id,
    )


_STATES: Final = {
    pb.RUN_STATE_SUCCEEDED: "succeeded",
    pb.RUN_STATE_FAILED: "failed",
    pb.RUN_STATE_ABANDONED: "abandoned",
}
