"""Counts what scripts do, around the runner of scripts."""

from typing import Final, Protocol

from server.scripts.contract import (
    ActionResult,
    Overloaded,
    RunRequest,
    RunResult,
    ScriptCheck,
)

_S: Final = 1e-6


class Runner(Protocol):
    """Runs scripts."""

    async def run(self, request: RunRequest) -> RunResult: ...

    async def check(self, source: str, name: str, *, org_id: str = "") -> ScriptCheck: ...


class Observer(Protocol):
    """Counts actions that ended, and runs that were refused."""

    def action_ended(self, outcome: str, *, queue_s: float, run_s: float) -> None: ...

    def refused(self) -> None: ...


class CountedRunner:
    """Runs scripts by another runner."""

    def __init__(self, runner: Runner, observer: Observer) -> None:
        self._runner = runner
        self._observer = observer

    async def run(self, request: RunRequest) -> RunResult:
        running = self._runner.run(request)
        del request  # so that the runner can free its memory
        try:
            result = await running
        except Overloaded:
            self._observer.refused()
            raise
        for action in result.actions:
            self._observer.action_ended(
                outcome_of(action), queue_s=action.queue_us * _S, run_s=action.duration_us * _S
            )
        return result

    async def check(self, source: str, name: str, *, org_id: str = "") -> ScriptCheck:
        try:
            return await self._runner.check(source, name, org_id=org_id)
        except Overloaded:
            self._observer.refused()
            raise


def outcome_of(result: ActionResult) -> str:
    """Returns ok, failed, timeout or killed."""
    failure = result.failure
    if failure is None:
        return "ok"
    if failure.timed_out:
        return "timeout"
    return "killed" if failure.killed else "failed"
