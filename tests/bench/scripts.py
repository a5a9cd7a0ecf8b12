"""Measures runs of actions by the executor, without gRPC or HTTP: `python tests/bench/scripts.py`.

Prints the table of `make bench`; nothing is pinned, as nothing is in the service.

Rule: what is timed is a run from its request to its result, each checked.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

import structlog
import uvloop

from server.scripts.contract import Options, RunRequest, RunResult, Script
from server.scripts.host import contexts
from server.scripts.host.executor import Executor
from tests.bench.load import WrongAnswer
from tests.bench.report import Figure, Spread, table

SMALL: Final = """
function act(ctx, api) {
  const user = ctx.v1.getUser();
  api.v1.claims.setClaim('greeting', `hello ${user.human.firstName}`);
}
"""
ROLES: Final = """
function act(ctx, api) {
  const roles = ctx.v1.user.grants.grants.flatMap((grant) => grant.roles);
  api.v1.claims.setClaim('roles', roles);
}
"""
IN_FLIGHT: Final = 8
KILLED_EVERY: Final = 100

ROUNDS: Final = 5
TIMES: Final = 500


def request(*sources: str) -> RunRequest:
    scripts = tuple(Script(str(number), "act", source) for number, source in enumerate(sources))
    return RunRequest(2, 4, "org", contexts.pack(2, 4, contexts.example(2, 4)), scripts)


ONE: Final = request(SMALL)
FIVE: Final = request(SMALL, ROLES, SMALL, ROLES, SMALL)


def checked(result: RunResult) -> None:
    if result.failed is not None or result.effects.claims.get("greeting") != "hello Ada":
        raise WrongAnswer(f"a run that ended with {result.failed}, {result.effects.claims}")


async def p50_ms(executor: Executor, asked: RunRequest, times: int) -> float:
    """Returns the median milliseconds of runs that are made one after the other."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        checked(await executor.run(asked))
        taken.append(time.perf_counter() - began)
    return sorted(taken)[times // 2] * 1000


async def rate(executor: Executor, asked: RunRequest, times: int) -> float:
    """Runs a second, so many at a time."""
    left = iter(range(times))

    async def caller() -> None:
        for _ in left:
            checked(await executor.run(asked))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(caller())
    return times / (time.perf_counter() - began)


async def cold_ms() -> float:
    """From nothing to the first result."""
    executor = Executor(Options(workers_warm=1))
    began = time.perf_counter()
    await executor.start()
    checked(await executor.run(ONE))
    taken = time.perf_counter() - began
    await executor.close()
    return taken * 1000


async def with_kills(times: int) -> tuple[float, float]:
    """Seconds for so many runs with a process killed now and then, and the runs that failed."""
    executor = Executor()
    await executor.start()
    failed = 0
    began = time.perf_counter()
    for number in range(times):
        running = asyncio.ensure_future(executor.run(ONE))
        if number % KILLED_EVERY == 0:
            await asyncio.sleep(0)
            os.kill(next(iter(executor.pids())), signal.SIGKILL)
        result = await running
        failed += result.failed is not None
    taken = time.perf_counter() - began
    await executor.close()
    return taken, failed


async def measure(rounds: int, times: int) -> Sequence[Figure]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    executor = Executor()
    await executor.start()
    ones, fives, times_each, colds = [], [], [], []
    for _ in range(rounds):
        ones.append(await p50_ms(executor, ONE, times))
        fives.append(await p50_ms(executor, FIVE, times))
        times_each.append(1000 / await rate(executor, ONE, times))
    await executor.close()
    for _ in range(rounds):
        colds.append(await cold_ms())
    seconds, failed = await with_kills(times * 2)
    cores = len(os.sched_getaffinity(0))

    def figure(
        name: str, title: str, unit: str, reached: Sequence[float], asked: float | None = None
    ) -> Figure:
        return Figure(name=name, title=title, unit=unit, reached=Spread.of(reached), asked=asked)

    return [
        figure("run_one", "a run of one small action, warm, p50", " ms", ones, 2),
        figure("run_five", "a run of five small actions, warm, p50", " ms", fives, 6),
        figure("run_cold", "from nothing to the first result", " ms", colds),
        figure("run_time", f"a run, {IN_FLIGHT} in flight on {cores} cores", " ms", times_each),
        figure(
            "run_killed",
            f"{times * 2} runs, a process killed every {KILLED_EVERY}",
            " s",
            [seconds],
        ),
        figure("run_lost", "… of these failed", "", [failed], times * 2 / KILLED_EVERY),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--times", type=int, default=TIMES, help="of each; default: %(default)s")
    given = parser.parse_args()
    try:
        figures = uvloop.run(measure(given.rounds, given.times))
    except WrongAnswer as wrong:
        print(f"bench: nothing counts, {wrong}", file=sys.stderr)
        return 1
    print(table([], figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
