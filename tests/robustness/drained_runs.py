"""SIGTERM with runs under way: S4 of docs/robustness.md.

Over each protocol one run ends while the service drains, and one does not. The log of runs is
read afterwards, from a service that is started anew on the same folder.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from tests.robustness.scenario import Outcome, Scenario, ended
from tests.support.api_client import PROTOCOLS, Answer, ApiClient
from tests.support.processes import is_running
from tests.support.real_server import RealServer
from tests.support.runs import run_request
from tests.support.waiting import until_async

SHORT_MS: Final = 2_000
LONG_MS: Final = 18_000
STOP_MAX_S: Final = 11.0

_SCRIPT: Final = """function f(ctx, api) {
  const end = Date.now() + ctx.v1.claims.given;
  while (Date.now() < end);
  api.v1.claims.setClaim('k', 1);
}"""


@dataclass(frozen=True, slots=True)
class Drained:
    """The outcome of a drain with runs.

    Attributes:
        short, long: the answers to runs of that length.
        status: of the process.
        seconds: from the signal to its end.
    """

    short: list[Answer]
    long: list[Answer]
    status: int
    seconds: float


async def drain(server: RealServer) -> Drained:
    server.set_action(_SCRIPT)
    async with ApiClient(http=server.http, grpc=server.grpc) as api:

        def asked(milliseconds: int) -> list[asyncio.Task[Answer]]:
            request = run_request(claims={"given": milliseconds})
            calls = (api.call(protocol, request, token=server.token) for protocol in PROTOCOLS)
            return [asyncio.create_task(call) for call in calls]

        long, short = asked(LONG_MS), asked(SHORT_MS)
        runs = len(long) + len(short)
        await until_async(lambda: sum(map(is_running, server.process.children())) >= runs)
        signalled_at = time.monotonic()
        server.process.signal(signal.SIGTERM)
        status = await asyncio.to_thread(server.process.wait)
        seconds = time.monotonic() - signalled_at
        return Drained(await asyncio.gather(*short), await asyncio.gather(*long), status, seconds)


def run_drained(folder: Path) -> Iterator[Outcome]:
    data = folder / "data"
    # An organisation has half of them: all run at once.
    with RealServer(data, "--no-access-log", "--script-workers", "16") as server:
        drained = uvloop.run(drain(server))
    with RealServer(data, "--no-access-log") as server:
        logged = server.ask("GET", "/v1/runs")["runs"]
    short = [answer.code for answer in drained.short]
    long = [answer.code for answer in drained.long]
    yield Outcome(
        f"runs of {SHORT_MS / 1000:g} s and of {LONG_MS / 1000:g} s a protocol, SIGTERM: codes",
        "0; 14",
        f"{', '.join(map(str, short))}; {', '.join(map(str, long))}",
        set(short) == {0} and set(long) == {14},
    )
    yield ended("end of the service", drained.status, drained.seconds, most_s=STOP_MAX_S)
    states = Counter(of["state"] for of in logged)
    yield Outcome(
        "the log of runs afterwards",
        f"{len(short)} succeeded, {len(long)} abandoned",
        ", ".join(f"{count} {state}" for state, count in sorted(states.items())),
        states == {"RUN_STATE_SUCCEEDED": len(short), "RUN_STATE_ABANDONED": len(long)},
    )


S4: Final = Scenario("S4", "SIGTERM with runs under way", run_drained)
