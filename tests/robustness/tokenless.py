"""Callers without a token beside good ones: S7 of docs/robustness.md.

A service as an operator starts it. The others send a dense megabyte by gzip, again and again, on
connections that they keep; a good caller runs an action with a context of 60 KB.
"""

import asyncio
import gzip
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Final

import uvloop

from tests.robustness.connection import Connection
from tests.robustness.raw import request
from tests.robustness.refused import dense_json
from tests.robustness.scenario import Outcome, Scenario
from tests.support.connections import answer_of, opened
from tests.support.processes import Process
from tests.support.real_server import RealServer

TOKENLESS: Final = 24
SECONDS: Final = 10.0
P99_MAX_MS: Final = 50.0
CONTEXT_BYTES: Final = 60_000
_MORE_S: Final = 0.5
"""The others go on a little longer than the good caller."""

_RUN: Final = "/v1/flows/2/triggers/4:run"
_SCRIPT: Final = "function f(ctx, api) { api.v1.claims.setClaim('k', 1) }"
_CLAIM: Final = {"claims": {"k": 1}}


@dataclass(slots=True)
class Seen:
    """The measurements of the scenario.

    Attributes:
        wrong: the good caller's answers that are not its run's.
        good_s: how long each of its runs took.
        refused: calls without a token that were answered 401; no other answer came.
    """

    wrong: list[str] = field(default_factory=list)
    good_s: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def p99_ms(self) -> float:
        return quantiles(self.good_s, n=100)[98] * 1e3


def prepare(server: RealServer) -> None:
    """Has a run do something."""
    server.set_action(_SCRIPT, timeout="5s")


def beside(server: RealServer, *, tokenless: int, seconds: float) -> Seen:
    """Runs the good caller's action again and again beside callers without a token.

    Raises:
        AssertionError: one of these was not refused.
    """
    arguments = ["-m", "tests.robustness.tokenless", server.http, str(tokenless), str(seconds)]
    with Process(arguments) as others:
        assert others.line() == "begun\n"
        seen = uvloop.run(_run_for(server, seconds))
        seen.refused = int(others.line())
        assert others.wait() == 0
    return seen


async def _run_for(server: RealServer, seconds: float) -> Seen:
    seen = Seen()
    text = json.dumps({"context": {"claims": {"a": "x" * CONTEXT_BYTES}}}).encode()
    async with Connection(server.http, server.token) as good:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            began = time.monotonic()
            status, answer = await good.ask("POST", _RUN, text)
            seen.good_s.append(time.monotonic() - began)
            if status != 200 or answer["effects"] != _CLAIM:
                seen.wrong.append(f"{status} {answer}")
    return seen


async def _send_tokenless(address: str, count: int, seconds: float) -> int:
    """Returns how many calls were refused, each with 401."""
    octets = request(
        "POST", _RUN, gzip.compress(dense_json()), headers={"Content-Encoding": "gzip"}
    )
    refused = 0

    async def send() -> None:
        nonlocal refused
        async with opened(address) as (reader, writer):
            while time.monotonic() < ends:
                writer.write(octets)
                head, _ = await answer_of(reader)
                assert head.startswith(b"HTTP/1.1 401 "), head
                refused += 1

    ends = time.monotonic() + seconds + _MORE_S
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(send())
    return refused


def run_beside(folder: Path) -> Iterator[Outcome]:
    with RealServer(folder / "data", "--no-access-log") as server:
        prepare(server)
        seen = beside(server, tokenless=TOKENLESS, seconds=SECONDS)
    told = f" ({len(seen.wrong)} wrong: {seen.wrong[0]})" if seen.wrong else ""
    yield Outcome(
        f"{len(seen.good_s):,} runs of 60 KB beside {seen.refused:,} calls without a token: p99",
        f"≤ {P99_MAX_MS:g} ms, none wrong",
        f"{seen.p99_ms:.1f} ms{told}",
        seen.p99_ms <= P99_MAX_MS and not seen.wrong,
    )


S7: Final = Scenario("S7", "callers without a token beside good ones", run_beside)


if __name__ == "__main__":
    print("begun", flush=True)
    print(uvloop.run(_send_tokenless(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
