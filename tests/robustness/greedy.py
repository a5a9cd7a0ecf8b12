"""One organisation's endless loops beside another's quick actions: S3 of docs/robustness.md.

A service as an operator starts it. The greedy callers ask again as soon as they are told anything,
more of them than may run and wait; the other organisation runs one action after the other.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from actions.v1 import execution_pb2 as run
from tests.robustness.scenario import Outcome, Scenario, none_wrong
from tests.support.api_client import GRPC, JSON, PROTOCOLS, WEB, Answer, ApiClient, Caller
from tests.support.real_server import RealServer
from tests.support.waiting import until_async

GREEDY: Final = 400
CALLERS_OF_A_CLIENT: Final = 50
"""A client has 100 connections at most, or calls on one."""

SECONDS: Final = 10.0
P50_MAX_S: Final = 0.02
WORST_MAX_S: Final = 1.0
MORE_MAX_MIB: Final = 32.0

_LOOP: Final = "function f() { for (;;); }"
_QUICK: Final = "function f(ctx, api) { api.v1.claims.setClaim('k', 1) }"
_TIMEOUT: Final = "1s"
_ENDED: Final = "Action f failed: interrupt: the action was not done within 1 s (RUN-Af1ld)"
_FULL: Final = "Too many runs are waiting, try again (RUN-Ov2qz)"
_REQUEST: Final = run.RunTriggerRequest(flow_type="2", trigger_type="4")


@dataclass(slots=True)
class Seen:
    """The measurements of the scenario.

    Attributes:
        wrong: answers that are none of those that there may be.
        full: greedy calls that were refused, over each protocol.
        quick_s: how long each of the others took.
    """

    wrong: list[str] = field(default_factory=list)
    full: Counter[str] = field(default_factory=Counter)
    quick_s: list[float] = field(default_factory=list)
    before_mib: float = 0.0
    after_mib: float = 0.0


async def attack(server: RealServer, *, greedy: int = GREEDY, seconds: float = SECONDS) -> Seen:
    """Loop for one organisation, and see what becomes of the other."""
    other = str(server.command("org", "create", "Other")["id"])
    for org_id, script in (("", _LOOP), (other, _QUICK)):
        server.set_action(script, timeout=_TIMEOUT, org_id=org_id)
    seen = Seen()
    async with contextlib.AsyncExitStack() as stack:

        async def api() -> ApiClient:
            return await stack.enter_async_context(ApiClient(http=server.http, grpc=server.grpc))

        quick = Caller(await api(), server.token, other)
        for _ in range(50):
            _judge_quick(await quick.ask(JSON, _REQUEST), seen)
        seen.before_mib = server.process.memory_mib()
        tasks = []
        for number in range(greedy):
            if number % CALLERS_OF_A_CLIENT == 0:
                caller = Caller(await api(), server.token, "")
            tasks.append(asyncio.create_task(_greedy(caller, PROTOCOLS[number % 3], seen)))
        await until_async(lambda: len(seen.full) == len(PROTOCOLS))
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            began = time.monotonic()
            _judge_quick(await quick.ask(JSON, _REQUEST), seen)
            seen.quick_s.append(time.monotonic() - began)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return seen


async def settle(server: RealServer, seen: Seen) -> None:
    """See what is left of it once it is over."""
    with contextlib.suppress(TimeoutError):
        await until_async(lambda: server.process.memory_mib() <= seen.before_mib + MORE_MAX_MIB / 2)
    seen.after_mib = server.process.memory_mib()


async def _attack_and_settle(server: RealServer) -> Seen:
    seen = await attack(server)
    await settle(server, seen)
    return seen


async def _greedy(caller: Caller, protocol: str, seen: Seen) -> None:
    while True:
        answer = await caller.ask(protocol, _REQUEST)
        if (answer.code, answer.message) == (8, _FULL):
            is_told = answer.http_status == {JSON: 429, GRPC: 0, WEB: 200}[protocol]
            seen.full[protocol if is_told else f"{protocol}, status {answer.http_status}"] += 1
            await asyncio.sleep(0.5)  # as one does who is told to try again
        elif (answer.code, answer.message) != (9, _ENDED):
            seen.wrong.append(f"greedy: {answer}")


def _judge_quick(answer: Answer, seen: Seen) -> None:
    if answer.code != 0 or answer.response.effects.claims["k"].number_value != 1:
        seen.wrong.append(f"quick: {answer}")


def run_greedy(folder: Path) -> Iterator[Outcome]:
    with RealServer(folder / "data", "--no-access-log") as server:
        seen = uvloop.run(_attack_and_settle(server))
    quick = sorted(seen.quick_s)
    yield none_wrong(
        f"{len(quick):,} runs of another organisation, {GREEDY} callers loop: told wrongly",
        seen.wrong,
    )
    yield Outcome(
        "loops that are refused as too many, by protocol",
        f"each of {', '.join(PROTOCOLS)}",
        ", ".join(f"{count} {protocol}" for protocol, count in sorted(seen.full.items())),
        set(seen.full) == set(PROTOCOLS),
    )
    yield Outcome(
        "the other's runs, p50 (p99) and worst",
        f"{P50_MAX_S * 1000:.0f} ms, {WORST_MAX_S * 1000:.0f} ms",
        f"{quick[len(quick) // 2] * 1000:.1f} ({quick[len(quick) * 99 // 100] * 1000:.0f}), "
        f"{quick[-1] * 1000:.0f} ms",
        quick[len(quick) // 2] <= P50_MAX_S and quick[-1] <= WORST_MAX_S,
    )
    yield Outcome(
        "memory before and afterwards, of the service and the processes",
        f"+{MORE_MAX_MIB:.0f} MiB",
        f"{seen.before_mib:.0f}, {seen.after_mib:.0f} MiB",
        seen.after_mib <= seen.before_mib + MORE_MAX_MIB,
    )


S3: Final = Scenario("S3", "one organisation's loops beside another's quick actions", run_greedy)
