"""kill -9 of the processes that run scripts, under callers: S2 of docs/robustness.md.

A service as an operator starts it; the processes are found as its children. Each run has a number
of its own, which its action sets as a claim: an answer is that claim, or says what ended.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from tests.robustness.connection import Connection
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.processes import Process, is_running
from tests.support.real_server import RealServer
from tests.support.waiting import until_async

RUNS: Final = 1_000
CALLERS: Final = 8
RUNS_FOR_A_KILL: Final = 100
ANSWER_MAX_S: Final = 2.0
SLOWER_MAX: Final = 1.5
USUAL_RUNS: Final = 200
SETTLE_MAX_S: Final = 30.0
"""Processes beyond the warm ones go when they were not needed for 10 s."""

_PATH: Final = "/v1/flows/2/triggers/4:run"
# Some milliseconds of work, so that most of those that are killed have something to lose.
_SCRIPT: Final = """function f(ctx, api) {
  for (let i = 0; i < 100000; i++);
  api.v1.claims.setClaim('number', ctx.v1.claims.given);
}"""
_READY: Final = "script workers are ready"
_TOLD: Final = "Action f failed: the process that ran the action ended (RUN-Af1ld)"


@dataclass(frozen=True, slots=True)
class Held:
    """The processes and descriptors of the service while nothing runs."""

    processes: int
    descriptors: int


@dataclass(slots=True)
class Seen:
    """The measurements of the scenario.

    Attributes:
        wrong: answers that are neither the claim nor what ended.
        failed: runs that were told what ended.
        killed: processes that were.
        answers_s: how long each answer took.
        before_s, after_s: the median of runs one after the other.
        counted: runs and failures, as the service has them afterwards.
    """

    wrong: list[str] = field(default_factory=list)
    failed: int = 0
    killed: set[int] = field(default_factory=set)
    answers_s: list[float] = field(default_factory=list)
    before_s: float = 0.0
    after_s: float = 0.0
    before: Held = Held(0, 0)
    after: Held = Held(0, 0)
    counted: tuple[int, int] = (0, 0)


async def attack(server: RealServer, *, runs: int = RUNS, a_kill: int = RUNS_FOR_A_KILL) -> Seen:
    """Run the action so many times, and kill a process once every so many."""
    server.set_action(_SCRIPT)
    seen = Seen()
    # Else the first run may start a process beyond the warm ones.
    await until_async(lambda: _READY in server.log())
    seen.before_s = await _usual_s(server)
    seen.before = await held_at_rest(server.process)
    chance = random.Random(7)  # noqa: S311  a choice that can be made again
    numbers = iter(range(runs))

    async def caller() -> None:
        async with Connection(server.http, server.token) as connection:
            for number in numbers:
                if number % a_kill == a_kill // 2:
                    _kill_one(server.process, seen.killed, chance)
                await _run(connection, number, seen)

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
    (counted,) = server.ask("GET", "/v1/metrics/actions")["actions"]
    seen.counted = (int(counted["runs"]) - USUAL_RUNS, int(counted.get("failures", 0)))
    return seen


async def settle(server: RealServer, seen: Seen) -> None:
    """See what is left of it once it is over."""
    with contextlib.suppress(TimeoutError):
        await until_async(lambda: held(server.process) == seen.before)
    seen.after = held(server.process)
    seen.after_s = await _usual_s(server)


async def _attack_and_settle(server: RealServer) -> Seen:
    seen = await attack(server)
    await settle(server, seen)
    return seen


async def _run(connection: Connection, number: int, seen: Seen) -> None:
    began = time.monotonic()
    body = json.dumps({"context": {"claims": {"given": number}}}).encode()
    async with asyncio.timeout(10 * ANSWER_MAX_S):
        status, answer = await connection.ask("POST", _PATH, body)
    seen.answers_s.append(time.monotonic() - began)
    if status == 200 and answer["effects"] == {"claims": {"number": number}}:
        return
    if (status, answer.get("code"), answer.get("message")) == (400, 9, _TOLD):
        seen.failed += 1
        return
    seen.wrong.append(f"{status} {answer}")


async def _usual_s(server: RealServer) -> float:
    """The median of runs one after the other."""
    usual = Seen()
    async with Connection(server.http, server.token) as connection:
        for number in range(USUAL_RUNS):
            await _run(connection, number, usual)
    assert (usual.wrong, usual.failed) == ([], 0)
    return sorted(usual.answers_s)[USUAL_RUNS // 2]


def _kill_one(service: Process, killed: set[int], chance: random.Random) -> None:
    """Kill one that is at work, if there is one."""
    there = [pid for pid in service.children() if pid not in killed]
    busy = [pid for pid in there if is_running(pid)]
    pid = chance.choice(busy or there)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)


async def held_at_rest(service: Process) -> Held:
    """Once it is the same twice: connections that were closed are held a moment longer."""
    now = held(service)
    async with asyncio.timeout(SETTLE_MAX_S):
        while True:
            await asyncio.sleep(0.1)
            before, now = now, held(service)
            if now == before:
                return now


def held(service: Process) -> Held:
    return Held(len(service.children()), len(list(Path(f"/proc/{service.pid}/fd").iterdir())))


def run_killed(folder: Path) -> Iterator[Outcome]:
    with RealServer(folder / "data", "--no-access-log") as server:
        seen = uvloop.run(_attack_and_settle(server))
    kills = len(seen.killed)
    yield Outcome(
        f"{RUNS:,} runs of {CALLERS} callers, {kills} of the processes killed: answers that are "
        "neither the claim nor what ended",
        "0",
        f"{len(seen.wrong)} of {len(seen.answers_s):,}{': ' if seen.wrong else ''}"
        f"{''.join(seen.wrong[:1])}",
        not seen.wrong and len(seen.answers_s) == RUNS,
    )
    yield Outcome(
        "runs that failed; as the service counts them",
        f"≤ {kills}; the same",
        f"{seen.failed}; {seen.counted[1]} of {seen.counted[0]:,}",
        seen.failed <= kills and seen.counted == (RUNS, seen.failed),
    )
    longest_ms = max(seen.answers_s) * 1e3
    yield at_most("the answer that took longest", longest_ms, ANSWER_MAX_S * 1e3, "ms")
    yield Outcome(
        "runs one after the other, p50 before and afterwards",
        f"≤ {SLOWER_MAX:g}x",
        f"{seen.before_s * 1000:.1f}, {seen.after_s * 1000:.1f} ms",
        seen.after_s <= SLOWER_MAX * seen.before_s,
    )
    yield Outcome(
        "processes and descriptors before and afterwards",
        "the same",
        f"{seen.before.processes} and {seen.before.descriptors}, "
        f"{seen.after.processes} and {seen.after.descriptors}",
        seen.after == seen.before,
    )


S2: Final = Scenario("S2", "kill -9 of processes that run scripts, under callers", run_killed)
