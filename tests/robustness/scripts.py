"""Hostile scripts against the executor, with a prober beside them: S1 of docs/robustness.md.

All scripts of tests/corpus/hostile_scripts.toml, a few at a time and several times over, for one
organisation. Meanwhile another runs a small action every few milliseconds, and the loop, which is
what the service's calls wait for, is asked how late it is.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
import uvloop

from server.scripts.contract import RunRequest, Script
from server.scripts.host import contexts
from server.scripts.host.executor import Executor
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.hostile_scripts import HOSTILE, Hostile

AT_ONCE: Final = 2
TIMES: Final = 3
OVER_MAX_S: Final = 0.1
LATE_MAX_S: Final = 0.05
RUN_P50_MAX_S: Final = 0.02
MORE_MAX_MIB: Final = 32.0
PROBE_EVERY_S: Final = 0.005
SETTLE_MAX_S: Final = 5.0

GOOD: Final = RunRequest(
    2,
    4,
    "good",
    contexts.pack(2, 4, contexts.example(2, 4)),
    (Script("good", "f", "function f(ctx, api) { api.v1.claims.setClaim('k', 1) }"),),
)


@dataclass(slots=True)
class Seen:
    """The measurements of the scenario.

    Attributes:
        wrong: scripts that were told another thing than they should have been.
        over_s: how long after its timeout each script that was ended was told so.
        late_s: how late the loop was, each time.
        runs_s: how long the good runs took.
    """

    wrong: list[str] = field(default_factory=list)
    over_s: list[float] = field(default_factory=lambda: [0.0])
    late_s: list[float] = field(default_factory=lambda: [0.0])
    runs_s: list[float] = field(default_factory=list)
    before_mib: float = 0.0
    after_mib: float = 0.0
    kills: int = 0


async def attack(scripts: list[Hostile], *, at_once: int = AT_ONCE) -> Seen:
    """Run the scripts, and see what becomes of the others."""
    seen = Seen()
    executor = Executor()
    await executor.start()
    for _ in range(100):
        await executor.run(GOOD)
    seen.before_mib = _memory_mib(executor)
    left = iter(scripts)

    async def caller() -> None:
        for hostile in left:
            await _run(executor, hostile, seen)

    probing = [asyncio.create_task(_probe_loop(seen)), asyncio.create_task(_probe(executor, seen))]
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(caller())
    for task in probing:
        task.cancel()
    await asyncio.gather(*probing, return_exceptions=True)
    until = time.monotonic() + SETTLE_MAX_S
    while True:
        await executor.run(GOOD)
        seen.after_mib = _memory_mib(executor)
        if seen.after_mib <= seen.before_mib + MORE_MAX_MIB / 4 or time.monotonic() > until:
            break
        await asyncio.sleep(0.05)
    seen.kills = executor.kills
    await executor.close()
    return seen


async def _run(executor: Executor, hostile: Hostile, seen: Seen) -> None:
    timeout_ns = hostile.timeout_ms * 1_000_000
    script = Script(hostile.name, "f", hostile.source, timeout_ns)
    context = contexts.pack(*hostile.trigger, contexts.example(*hostile.trigger))
    result = await executor.run(RunRequest(*hostile.trigger, "hostile", context, (script,)))
    failure = result.actions[0].failure
    if not (failure.text if failure else "").startswith(hostile.told):
        seen.wrong.append(f"{hostile.name}: {failure}")
    seen.over_s.append(result.actions[0].duration_us / 1e6 - hostile.timeout_ms / 1000)


async def _probe(executor: Executor, seen: Seen) -> None:
    while True:
        began = time.monotonic()
        result = await executor.run(GOOD)
        if result.failed is not None:
            seen.wrong.append(f"good run: {result.failed.failure}")
        seen.runs_s.append(time.monotonic() - began)
        await asyncio.sleep(PROBE_EVERY_S)


async def _probe_loop(seen: Seen) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(PROBE_EVERY_S)
        seen.late_s.append(time.monotonic() - began - PROBE_EVERY_S)


def _memory_mib(executor: Executor) -> float:
    """Returns the resident memory of this process and of those that run scripts."""
    pages = 0
    for pid in ("self", *executor.pids()):
        statm = Path(f"/proc/{pid}/statm")
        if statm.exists():
            pages += int(statm.read_bytes().split()[1])
    return pages * 4096 / (1 << 20)


def run_hostile(_folder: Path) -> Iterator[Outcome]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    seen = uvloop.run(attack([*HOSTILE] * TIMES))
    told = len(seen.wrong)
    yield Outcome(
        f"{len(HOSTILE)} hostile scripts, {TIMES} times each: told wrongly",
        "≥ 40 scripts, 0",
        f"{len(HOSTILE)}, {told}{': ' + seen.wrong[0] if told else ''}",
        len(HOSTILE) >= 40 and not told,
    )
    what = f"ended after the timeout ({seen.kills} processes ended), at most"
    yield at_most(what, max(seen.over_s) * 1e3, OVER_MAX_S * 1e3, "ms")
    what = f"the loop was late meanwhile, of {len(seen.late_s):,} times at most"
    yield at_most(what, max(seen.late_s) * 1e3, LATE_MAX_S * 1e3, "ms")
    runs = sorted(seen.runs_s)
    yield Outcome(
        f"{len(runs):,} runs of another organisation meanwhile, p50 (p99, worst)",
        f"{RUN_P50_MAX_S * 1000:.0f} ms",
        f"{runs[len(runs) // 2] * 1000:.1f} ms"
        f" ({runs[len(runs) * 99 // 100] * 1000:.0f}, {runs[-1] * 1000:.0f})",
        runs[len(runs) // 2] <= RUN_P50_MAX_S,
    )
    yield Outcome(
        "memory before and after, of the service's side and the processes",
        f"+{MORE_MAX_MIB:.0f} MiB",
        f"{seen.before_mib:.0f}, {seen.after_mib:.0f} MiB",
        seen.after_mib <= seen.before_mib + MORE_MAX_MIB,
    )


S1: Final = Scenario("S1", "hostile scripts, and a prober beside them", run_hostile)
