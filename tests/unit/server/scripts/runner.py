"""A short way to run an action in a test, and to ask what became of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from server.scripts.contract import (
    ActionResult,
    Effects,
    Failure,
    JsonValue,
    MetadataSource,
    Options,
    RunRequest,
    RunResult,
    Script,
)
from server.scripts.host import contexts
from server.scripts.host.executor import Executor
from server.scripts.host.watching import RunWatch
from server.triggers import Trigger

LOCAL = ("127.0.0.0/8",)
"""The addresses of the tests' own servers, which scripts may otherwise not reach."""


class Runner:
    """Runs scripts whose function is named `f`."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    async def run(
        self,
        *sources: str | Script,
        trigger: Trigger = (2, 4),
        context: JsonValue = None,
        org_id: str = "org",
        metadata: MetadataSource | None = None,
    ) -> RunResult:
        """Run sources as actions, on the trigger's example unless a context is given."""
        scripts = tuple(
            source if isinstance(source, Script) else action(source) for source in sources
        )
        given = contexts.example(*trigger) if context is None else context
        return await self.executor.run(
            RunRequest(*trigger, org_id, contexts.pack(*trigger, given), scripts, metadata)
        )

    async def one(
        self,
        source: str,
        *,
        trigger: Trigger = (2, 4),
        context: JsonValue = None,
        timeout_ms: int = 0,
        name: str = "f",
    ) -> ActionResult:
        script = replace(action(source), timeout_ns=timeout_ms * 1_000_000, name=name)
        return (await self.run(script, trigger=trigger, context=context)).actions[0]

    async def failure(
        self, source: str, *, trigger: Trigger = (2, 4), timeout_ms: int = 0
    ) -> Failure:
        """Why the script fails, which it must."""
        failure = (await self.one(source, trigger=trigger, timeout_ms=timeout_ms)).failure
        assert failure is not None, "the action succeeded"
        return failure

    async def effects(self, source: str, *, trigger: Trigger, context: JsonValue = None) -> Effects:
        """Returns the effects of a script, which must succeed."""
        result = await self.run(source, trigger=trigger, context=context)
        assert result.failed is None, result.failed
        return result.effects

    async def logged(
        self, source: str, *, trigger: Trigger = (2, 4), context: JsonValue = None
    ) -> str:
        """Returns the log lines of a script, which must succeed; it has `log`."""
        result = await self.one(f"{LOG}; {source}", trigger=trigger, context=context)
        assert result.failure is None, result.failure
        return "\n".join(line.text for line in result.logs)


@asynccontextmanager
async def executor_of(
    *, workers: int, warm: int = 0, watch: RunWatch | None = None, **options: Any
) -> AsyncIterator[Executor]:
    """Starts an executor with so many processes, all of them warm unless fewer are given."""
    processes = Options(workers_max=workers, workers_warm=warm or workers, **options)
    executor = Executor(processes, watch=watch)
    await executor.start()
    try:
        yield executor
    finally:
        await executor.close()


LOG = "var log = require('zitadel/log').log"


def action(source: str) -> Script:
    return Script("id", "f", source)


def run_of(org_id: str, *scripts: Script) -> RunRequest:
    """Returns a run of the organisation, on an empty context."""
    return RunRequest(2, 4, org_id, contexts.pack(2, 4, {}), scripts)
