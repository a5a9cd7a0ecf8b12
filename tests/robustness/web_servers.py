"""Hostile web servers, and scripts that fetch from them: S11 of docs/robustness.md.

A service as an operator starts it. One organisation fetches from each kind of server in turn, in as
many runs as it may have; /healthz is asked all the time.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from tests.robustness.scenario import Outcome, Scenario, none_wrong
from tests.support.api_client import JSON, Answer, ApiClient, Caller
from tests.support.hostile_sites import DRIPS, FLOODS
from tests.support.processes import Process
from tests.support.real_server import RealServer
from tests.support.runs import run_request

RUNS: Final = 4
TIMEOUT_S: Final = 2.0
HEALTH_MAX_S: Final = 0.05
OVER_MAX_S: Final = 0.1
PROBE_EVERY_S: Final = 0.01

_SCRIPT: Final = """function f(ctx) {
  const { fetch } = require('zitadel/http');
  for (;;) try { fetch(ctx.v1.claims.url) } catch (e) {}
}"""
_ENDED: Final = "was not done within"


@dataclass(slots=True)
class Seen:
    """The measurements of the scenario.

    Attributes:
        wrong: runs that ended otherwise than by their timeout.
        over_s: how long after its timeout the last action had ended, by kind of server.
        health_s: how long /healthz took, by kind of server.
    """

    wrong: list[str] = field(default_factory=list)
    over_s: dict[str, float] = field(default_factory=dict)
    health_s: dict[str, list[float]] = field(default_factory=dict)


async def attack(
    data: Path, *, kinds: tuple[str, ...] = (*FLOODS, *DRIPS), timeout_s: float = TIMEOUT_S
) -> Seen:
    seen = Seen()
    with ExitStack() as stack:
        sites = stack.enter_context(Process(["-m", "tests.support.hostile_sites"]))
        url = sites.line().strip()
        options = ("--no-access-log", "--script-workers", str(2 * RUNS))
        allowed = ("--script-fetch-allow", "127.0.0.1")
        server = stack.enter_context(RealServer(data, *options, *allowed))
        server.set_action(_SCRIPT, timeout=f"{timeout_s:g}s")
        async with ApiClient(http=server.http, grpc=server.grpc) as api:
            for kind in kinds:
                await _attack_with(kind, f"{url}/{kind}", api, server, timeout_s, seen)
    return seen


async def _attack_with(
    kind: str, url: str, api: ApiClient, server: RealServer, timeout_s: float, seen: Seen
) -> None:
    request = run_request(claims={"url": url})
    health_s = seen.health_s[kind] = []
    probing = asyncio.create_task(_probe(api, health_s))

    caller = Caller(api, server.token, "")
    ended = await asyncio.gather(*(caller.ask(JSON, request) for _ in range(RUNS)))
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)
    seen.over_s[kind] = max(_took_s(answer) for answer in ended) - timeout_s
    seen.wrong += [f"{kind}: {answer}" for answer in ended if _ENDED not in answer.message]


def _took_s(answer: Answer) -> float:
    """Returns the action's duration as the service measures it, without a wait for a process."""
    assert answer.run is not None, answer
    duration = answer.run.actions[0].duration
    return duration.seconds + duration.nanos / 1e9


async def _probe(api: ApiClient, health_s: list[float]) -> None:
    while True:
        began = time.monotonic()
        async with api.session.get(f"http://{api.http}/healthz") as answer:
            await answer.read()
        health_s.append(time.monotonic() - began)
        await asyncio.sleep(PROBE_EVERY_S)


def run_web_servers(folder: Path) -> Iterator[Outcome]:
    seen = uvloop.run(attack(folder / "data"))
    yield none_wrong(
        f"{RUNS} runs at a time from each of {len(seen.over_s)} kinds of servers: ended otherwise "
        "than by their timeout",
        seen.wrong,
    )
    slowest = max(seen.over_s, key=lambda kind: seen.over_s[kind])
    yield Outcome(
        "ended after the timeout, at most",
        f"{OVER_MAX_S * 1000:.0f} ms",
        f"{seen.over_s[slowest] * 1000:.0f} ms ({slowest})",
        seen.over_s[slowest] <= OVER_MAX_S,
    )
    p99_s = {kind: sorted(of)[len(of) * 99 // 100] for kind, of in seen.health_s.items()}
    slowest = max(p99_s, key=lambda kind: p99_s[kind])
    worst_s = max(max(of) for of in seen.health_s.values())
    yield Outcome(
        "/healthz meanwhile, p99 of the worst kind (worst of all)",
        f"{HEALTH_MAX_S * 1000:.0f} ms",
        f"{p99_s[slowest] * 1000:.1f} ms ({slowest}) ({worst_s * 1000:.0f} ms)",
        p99_s[slowest] <= HEALTH_MAX_S,
    )


S11: Final = Scenario("S11", "hostile web servers that scripts fetch from", run_web_servers)
