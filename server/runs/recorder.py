"""Records runs: in the log of runs, in the counts of their actions, in the server's log.

Rule: a run waits for none of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from actions.v1 import execution_pb2 as pb
from server.runs.shortening import shorten_results
from server.scripts.contract import ActionResult
from server.store.runs import CountedActions, LoggedRun, RunsPage, RunsQuery
from server.timestamps import set_duration, set_time

CONTENT_MAX_BYTES: Final = 64 << 10
"""Max bytes of one run in the log of runs; a longer one is shortened."""

log = structlog.get_logger()


class RunLogWriter(Protocol):
    """Writes and reads the log of runs and the counts of actions."""

    @property
    def dropped(self) -> int: ...

    def add(self, run: LoggedRun) -> None: ...

    def count(self, org_id: str, result: ActionResult) -> None: ...

    async def page(self, org_id: str, query: RunsQuery) -> RunsPage: ...

    async def counted_actions(self, org_id: str) -> CountedActions: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """Describes a run that started.

    Attributes:
        user_id: the caller; for a target, the user in ZITADEL.
        started_at: in microseconds since the epoch.
        target_id: the target that ZITADEL called; empty for a run by RunTrigger.
    """

    id: str
    org_id: str
    user_id: str
    flow_type: int
    trigger_type: int
    started_at: int
    target_id: str = ""


class RunRecorder:
    """Records runs in all three places."""

    def __init__(self, runs: RunLogWriter, *, lines: bool) -> None:
        """Takes the places of records.

        Args:
            runs: the log of runs, with the counts of actions.
            lines: True writes a line for each run to the server's log.
        """
        self.runs = runs
        self._lines = lines

    def record_action(self, run: StartedRun, result: ActionResult) -> None:
        """Counts an action of a run; logs a failure as a warning."""
        self.runs.count(run.org_id, result)
        if result.failure is not None:
            log.warning(
                "action run failed",
                run=run.id,
                action=result.action_id,
                name=result.name,
                reason=result.failure.text,
                ms=result.duration_us // 10 / 100,
                org=run.org_id,
            )

    def record_run(
        self,
        run: StartedRun,
        state: pb.RunState.ValueType,
        results: Sequence[pb.ActionResult],
        duration_us: int,
    ) -> None:
        """Adds a run that ended to the log of runs."""
        if self._lines:
            _log_line(run, state, results, duration_us)
        actions, is_shortened = shorten_results(results, CONTENT_MAX_BYTES)
        content = pb.Run(
            id=run.id,
            flow_type=str(run.flow_type),
            trigger_type=str(run.trigger_type),
            user_id=run.user_id,
            target_id=run.target_id,
            state=state,
            actions=actions,
            is_shortened=is_shortened,
        )
        set_time(content.started_at, run.started_at)
        set_duration(content.duration, duration_us)
        failed = pb.ACTION_STATE_FAILED
        self.runs.add(
            LoggedRun(
                org_id=run.org_id,
                flow_type=run.flow_type,
                trigger_type=run.trigger_type,
                started_at=run.started_at,
                actions=tuple((result.action_id, result.state == failed) for result in results),
                content=content.SerializeToString(),
            )
        )


def _log_line(
    run: StartedRun,
    state: pb.RunState.ValueType,
    results: Sequence[pb.ActionResult],
    duration_us: int,
) -> None:
    log.info(
        "run",
        run=run.id,
        flow=run.flow_type,
        trigger=run.trigger_type,
        state=_RUN_STATES[state],
        actions=len(results),
        ms=duration_us // 10 / 100,
        org=run.org_id,
        user=run.user_id,
        **({"source": "target", "target": run.target_id} if run.target_id else {}),
    )


_RUN_STATES: Final = {
    pb.RUN_STATE_SUCCEEDED: "succeeded",
    pb.RUN_STATE_FAILED: "failed",
    pb.RUN_STATE_ABANDONED: "abandoned",
}
