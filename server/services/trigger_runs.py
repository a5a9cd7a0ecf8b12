"""Runs the active actions of a trigger, and records the run.

Follows docs/api.md "Execution": active actions only, in the order of the flow, until one fails
that is not allowed to fail.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from actions.v1 import execution_pb2 as pb
from server.clock import Clock, wall_clock
from server.ids import IdGenerator
from server.runs.recorder import RunRecorder, StartedRun
from server.scripts.contract import (
    MetadataSource,
    PackedContext,
    RunRequest,
    RunResult,
    Script,
    Unavailable,
)
from server.services import execution_messages as messages
from server.services.active_scripts import Scripts
from server.threads import ThreadPool, TooManyWaiting

P = ParamSpec("P")
T = TypeVar("T")


class TriggerRunner(Protocol):
    """Runs scripts."""

    async def run(self, request: RunRequest) -> RunResult: ...


@dataclass(frozen=True, slots=True)
class EndedRun:
    """Holds a run that ended, by itself or by an action that failed.

    Attributes:
        id: in the log of runs; empty for a run without actions.
        actions: messages of the actions that ran.
    """

    id: str
    result: RunResult
    actions: list[pb.ActionResult]
    duration_us: int


class TriggerRuns:
    """Runs triggers for callers of the API and for targets."""

    def __init__(
        self,
        executor: TriggerRunner,
        recorder: RunRecorder,
        ids: IdGenerator,
        *,
        threads: ThreadPool,
        clock: Clock = wall_clock,
    ) -> None:
        self._executor = executor
        self._recorder = recorder
        self._ids = ids
        self._threads = threads
        self._clock = clock

    def started(
        self,
        org_id: str,
        user_id: str,
        flow: int,
        trigger: int,
        scripts: Scripts,
        *,
        target_id: str = "",
    ) -> StartedRun:
        """Returns a run that starts now."""
        return StartedRun(
            id=self._ids.next() if scripts else "",
            org_id=org_id,
            user_id=user_id,
            flow_type=flow,
            trigger_type=trigger,
            started_at=self._clock(),
            target_id=target_id,
        )

    async def run(
        self,
        run: StartedRun,
        scripts: Scripts,
        packed: PackedContext,
        *,
        since_ns: int,
        metadata: MetadataSource | None = None,
    ) -> EndedRun:
        """Runs the scripts; records the run, also one that is cancelled.

        Args:
            run: as `started` returns it.
            scripts: in their order.
            packed: the context.
            since_ns: the monotonic time when the call arrived.
            metadata: reads what the context lacks.

        Raises:
            ExecutionError: no action ran, or not all of them could.
            TooManyWaiting: the actions ran, and no thread can make their messages.
        """
        request = RunRequest(run.flow_type, run.trigger_type, run.org_id, packed, scripts, metadata)
        running = self._executor.run(request)
        del packed, request  # effects replace the context: frees its memory
        try:
            result = await running
            for action in result.actions:
                self._recorder.record_action(run, action)
            actions = await self.make(run.org_id, result, action_results, result, scripts)
        except (asyncio.CancelledError, TooManyWaiting, Unavailable):
            abandoned = [_not_run(script, pb.ACTION_STATE_ABANDONED) for script in scripts]
            self._record(run, pb.RUN_STATE_ABANDONED, abandoned, since_ns)
            raise
        skipped = [_not_run(script, pb.ACTION_STATE_SKIPPED) for script in scripts[len(actions) :]]
        state = pb.RUN_STATE_SUCCEEDED if result.failed is None else pb.RUN_STATE_FAILED
        duration_us = self._record(run, state, [*actions, *skipped], since_ns)
        return EndedRun(run.id, result, actions, duration_us)

    async def make(
        self,
        org_id: str,
        result: RunResult,
        make: Callable[P, T],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """Makes something of a result, in a thread if the result is large."""
        if messages.is_large(result):
            return await self._threads.run(org_id, make, *args, **named)
        return make(*args, **named)

    def _record(
        self,
        run: StartedRun,
        state: pb.RunState.ValueType,
        results: Sequence[pb.ActionResult],
        since_ns: int,
    ) -> int:
        """Records a run that ends now; returns its duration in microseconds."""
        duration_us = (time.monotonic_ns() - since_ns) // 1000
        if results:
            self._recorder.record_run(run, state, results, duration_us)
        return duration_us


def action_results(result: RunResult, scripts: Sequence[Script]) -> list[pb.ActionResult]:
    """Returns messages of the actions that ran."""
    return [
        messages.action_result(action, allowed_to_fail=script.allowed_to_fail)
        for action, script in zip(result.actions, scripts, strict=False)
    ]


def _not_run(script: Script, state: pb.ActionState.ValueType) -> pb.ActionResult:
    return pb.ActionResult(
        action_id=script.action_id,
        name=script.name,
        state=state,
        allowed_to_fail=script.allowed_to_fail,
    )
