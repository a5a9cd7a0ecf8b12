"""Runs the actions of a trigger in order, each in a fresh context in a worker process.

Follows docs/api.md "Execution". Call `start`, then `run` and `check` at any time, all from
one event loop; `close` ends all runs.

Rule 1: the caller chooses the scripts and their order.
Rule 2: an effect counts once an action asked for it, also if the action then fails.
"""

import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

import msgspec
import orjson

from server.scripts.contract import (
    ActionResult,
    Failure,
    LogLevel,
    LogLine,
    Options,
    RunRequest,
    RunResult,
    Script,
    ScriptCheck,
)
from server.scripts.host import contexts
from server.scripts.host.effects import Collector, EffectError
from server.scripts.host.failures import failure_of, is_syntax_error
from server.scripts.host.fetch import Fetcher
from server.scripts.host.metadata import RunMetadata
from server.scripts.host.pool import Pool
from server.scripts.host.process import ActionEnd, WorkerReport
from server.scripts.host.secrets import RunSecrets, SecretSource
from server.scripts.host.watching import ActionWatch, RunWatch
from server.scripts.protocol import FIRST_TRIGGER, join
from server.triggers import Trigger

SOURCE_MAX_BYTES: Final = 2 << 20
"""Max bytes of a script; a longer one fails."""

LOG_LINES_MAX: Final = 10_000
LOG_MAX_BYTES: Final = 1 << 20
"""Max lines and bytes of one action's log; the files of `js` have lower limits."""


class _Line(msgspec.Struct):
    level: LogLevel
    text: str


_decode_line: Final = msgspec.json.Decoder(_Line).decode


class Executor:
    """Runs and checks scripts from `start` to `close`."""

    def __init__(
        self,
        options: Options | None = None,
        *,
        secrets: SecretSource | None = None,
        watch: RunWatch | None = None,
    ) -> None:
        """Starts no process yet.

        Args:
            options: limits of scripts.
            secrets: has the secrets of scripts; None if there are none.
            watch: watches runs.

        Raises:
            ValueError: an entry of the lists of addresses is invalid.
        """
        self._options = options or Options()
        self._secrets = secrets
        self._watch = watch
        self._pool = Pool(self._options)
        self._fetcher = Fetcher(
            deny=self._options.deny,
            allow=self._options.allow,
            dns_servers=self._options.dns_servers,
        )

    async def start(self) -> None:
        """Starts workers; raises Unavailable if scripts cannot run here."""
        await self._pool.start()

    async def close(self) -> None:
        await self._pool.close()
        await self._fetcher.close()

    @property
    def kills(self) -> int:
        """Number of processes that were killed or exited since the start."""
        return self._pool.kills

    @property
    def waiting_count(self) -> int:
        """Number of runs that wait for a slot."""
        return self._pool.turns.waiting_count

    def pids(self) -> set[int]:
        """Returns the ids of the current worker processes."""
        return self._pool.pids()

    async def run(self, request: RunRequest) -> RunResult:
        """Runs the scripts of the request.

        Raises:
            UnknownTrigger: the flow has no such trigger.
            Overloaded: too many runs wait; no action ran.
            Unavailable: no worker process is available.
        """
        number = contexts.trigger(request.flow_type, request.trigger_type)
        org_id, scripts = request.org_id, request.scripts
        size = request.context.size + sum(len(script.source) for script in scripts)
        metadata = RunMetadata(request.metadata)
        collector = Collector(number, request.context, elsewhere=metadata.elsewhere())
        secrets = RunSecrets(self._secrets, org_id)
        del request  # has the given context, which effects replace: frees its memory
        results: list[ActionResult] = []
        failed = None
        if scripts:
            queued_at = time.monotonic_ns()
            async with self._pool.turns.slot(org_id, size) as slot:
                for script in scripts:
                    if results:
                        collector.pack()
                        await self._pool.turns.pass_on(slot)
                    watch = None
                    if self._watch is not None:
                        watch = self._watch.action_begins(number, script)
                    action = _Action(
                        script, collector, self._fetcher, secrets, metadata, org_id, watch
                    )
                    running = self._run(action, number, collector.setup(), queued_at)
                    result = await (running if watch is None else _watched(running, watch))
                    results.append(result)
                    if result.failure is not None and not script.allowed_to_fail:
                        failed = result
                        break
                    collector.action_done(script.name)
                    queued_at = time.monotonic_ns()
        return RunResult(collector.effects(), tuple(results), failed)

    async def check(self, source: str, name: str, *, org_id: str = "") -> ScriptCheck:
        """Evaluates a script without calling its function, and without network.

        Raises:
            Overloaded, Unavailable: see `run`.
        """
        script = Script("", name, source)
        if problem := _too_large(script):
            return ScriptCheck(parses=False, has_function=False, failure=problem)
        async with (
            self._pool.turns.slot(org_id, len(source)),
            self._pool.process(FIRST_TRIGGER) as process,
        ):
            ended = await process.run(
                join(b"check", b"%d/%d" % FIRST_TRIGGER, b"{}", _octets(name), _octets(source)),
                _Action(
                    script,
                    None,
                    self._fetcher,
                    RunSecrets(None, org_id),
                    RunMetadata(None),
                    org_id,
                ),
                timeout_ns=script.effective_timeout_ns,
            )
        failure = failure_of(ended, source, timeout_ns=script.effective_timeout_ns)
        return ScriptCheck(
            parses=not is_syntax_error(ended), has_function=ended.done.found, failure=failure
        )

    async def _run(
        self, action: "_Action", number: Trigger, setup: bytes, queued_at: int
    ) -> ActionResult:
        script = action.script
        if problem := _too_large(script):
            return _result(action, problem, 0, 0)
        payload = join(
            b"run", b"%d/%d" % number, setup, _octets(script.name), _octets(script.source)
        )
        del setup
        timeout_ns = script.effective_timeout_ns
        async with self._pool.process(number) as process:
            started = time.monotonic_ns()
            ended = await process.run(payload, action, timeout_ns=timeout_ns)
            took = time.monotonic_ns() - started
        if action.secrets.are_given:
            ended = _masked(ended, action.secrets)
        failure = failure_of(ended, script.source, timeout_ns=timeout_ns)
        return _result(action, failure, took // 1000, (started - queued_at) // 1000)


class _Action:
    """Receives what the worker sends while an action runs."""

    def __init__(
        self,
        script: Script,
        collector: Collector | None,
        fetcher: Fetcher,
        secrets: RunSecrets,
        metadata: RunMetadata,
        org_id: str,
        watch: ActionWatch | None = None,
    ) -> None:
        self.script = script
        self.secrets = secrets
        self._metadata = metadata
        self.lines: list[LogLine] = []
        self._log_bytes = 0
        self._collector = collector
        self._fetcher = fetcher
        self._org_id = org_id
        self._watch = watch

    def effect(self, payload: bytes) -> None:
        if self._collector is None:
            raise EffectError("an effect of a script that is only checked")
        if warning := self._collector.apply(payload):
            self.lines.append(LogLine("warn", warning))

    def log(self, payload: bytes) -> None:
        self._log_bytes += len(payload)
        if self._log_bytes > LOG_MAX_BYTES or len(self.lines) >= LOG_LINES_MAX:
            raise EffectError("more log than an action may have")
        line = _decode_line(payload)
        self.lines.append(LogLine(line.level, line.text))

    async def fetch(self, payload: bytes) -> bytes:
        if self._collector is None:
            return orjson.dumps({"error": "fetch: a script that is only checked has no network"})
        return await self._fetcher.answer(self._org_id, payload, watch=self._watch)

    async def secret(self, payload: bytes) -> bytes:
        return await self.secrets.answer(payload)

    async def metadata(self, payload: bytes) -> bytes:
        return await self._metadata.answer(payload)


async def _watched(running: Awaitable[ActionResult], watch: ActionWatch) -> ActionResult:
    result = None
    try:
        result = await running
    finally:
        watch.ended(result)
    return result


def _result(
    action: _Action, failure: Failure | None, duration_us: int, queue_us: int
) -> ActionResult:
    script, secrets = action.script, action.secrets
    lines = action.lines
    if secrets.are_given:
        lines = [LogLine(line.level, secrets.masked(line.text)) for line in lines]
    return ActionResult(script.action_id, script.name, failure, duration_us, queue_us, tuple(lines))


def _masked(ended: ActionEnd, secrets: RunSecrets) -> ActionEnd:
    """Returns the end without secrets in its texts; before they are cut."""
    done = WorkerReport(
        text=secrets.masked(ended.done.text),
        stack=secrets.masked(ended.done.stack),
        raised=secrets.masked(ended.done.raised),
        found=ended.done.found,
    )
    return replace(ended, done=done, reason=secrets.masked(ended.reason))


def _too_large(script: Script) -> Failure | None:
    size = len(_octets(script.source))
    if size <= SOURCE_MAX_BYTES:
        return None
    return Failure(f"the script has {size} bytes, expected at most {SOURCE_MAX_BYTES}")


def _octets(text: str) -> bytes:
    return text.encode(errors="replace")
