"""Runs that wait for a process, each with a context of 1 MiB: S12 of docs/robustness.md.

A service with one process for scripts, which an endless loop of another organisation has. The
contexts consist of as many objects as fit, as those take most memory once they are decoded.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import grpc
import uvloop

from actions.v1 import execution_pb2 as run
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.api_client import GRPC, JSON, PROTOCOLS
from tests.support.grpc_frames import framed, split_frame
from tests.support.processes import Process
from tests.support.real_server import RealServer

WAITING: Final = 4
OBJECTS: Final = 345_000
MORE_MAX_MIB: Final = 200.0
"""Max MiB of memory more for all runs: reading one context takes about 100 of them."""

LOOP_S: Final = 9
"""Time for all contexts to be read, and less than a run waits at most."""

QUIET_S: Final = 0.5

_LOOP: Final = "function f() { for (;;); }"
_QUICK: Final = "function f(ctx, api) { api.v1.claims.setClaim('k', ctx.v1.claims.a.length) }"
_RUN: Final = "/v1/flows/2/triggers/4:run"
_METHOD: Final = "/actions.v1.ExecutionService/RunTrigger"


@dataclass(frozen=True, slots=True)
class Seen:
    """Measurements over one protocol.

    Attributes:
        more_mib: memory of the service while the runs waited, above that before.
        answers: an answer each: "ok", or what came instead.
    """

    more_mib: float
    answers: list[str]


def wait_at(protocol: str, folder: Path, *, waiting: int = WAITING) -> Seen:
    """Have runs wait, and see what they hold meanwhile."""
    one_worker = ("--no-access-log", "--script-workers", "1")
    with RealServer(folder / protocol, *one_worker) as server:
        return uvloop.run(_wait(server, protocol, waiting))


async def _wait(server: RealServer, protocol: str, waiting: int) -> Seen:
    other = str(server.command("org", "create", "Other")["id"])
    for org_id, script in (("", _QUICK), (other, _LOOP)):
        server.set_action(script, timeout=f"{LOOP_S}s", org_id=org_id)
    body = _body(protocol)
    async with (
        aiohttp.ClientSession() as session,
        grpc.aio.insecure_channel(server.grpc) as channel,
    ):
        client = _Client(server, session, channel)
        answers = [await client.ask(protocol, body)]  # what is made once, is made now
        await _quiet(server.process)
        looping = asyncio.create_task(client.ask(JSON, b"{}", org_id=other))
        before_mib = server.process.resident_mib()
        tasks = [asyncio.create_task(client.ask(protocol, body)) for _ in range(waiting)]
        await asyncio.sleep(0)
        await _quiet(server.process)
        more_mib = server.process.resident_mib() - before_mib
        assert not looping.done(), "the loop ended before all runs waited"
        answers += await asyncio.gather(*tasks)
        await looping
    return Seen(more_mib, answers)


async def _quiet(process: Process) -> None:
    """Wait until the service has had nothing to do for a while, or the loop is about to end."""
    at, spent_s = time.monotonic(), process.cpu_seconds()
    until = at + LOOP_S - 2 * QUIET_S
    while time.monotonic() < min(at + QUIET_S, until):
        await asyncio.sleep(QUIET_S / 10)
        if process.cpu_seconds() > spent_s + QUIET_S / 50:
            at, spent_s = time.monotonic(), process.cpu_seconds()


def _body(protocol: str) -> bytes:
    if protocol == JSON:
        return b'{"context":{"claims":{"a":[%b]}}}' % b",".join([b"{}"] * OBJECTS)
    request = run.RunTriggerRequest(flow_type="2", trigger_type="4")
    add = request.context.fields["claims"].struct_value.fields["a"].list_value.values.add
    for _ in range(OBJECTS):
        add().struct_value.SetInParent()
    message = request.SerializeToString()
    return message if protocol == GRPC else framed(message)


class _Client:
    """Calls RunTrigger with bytes that are made once."""

    def __init__(
        self, server: RealServer, session: aiohttp.ClientSession, channel: grpc.aio.Channel
    ) -> None:
        self._server = server
        self._session = session
        self._run: Any = channel.unary_unary(_METHOD)

    async def ask(self, protocol: str, body: bytes, *, org_id: str = "") -> str:
        """Returns "ok" if all of the context arrived in the action."""
        headers = {"authorization": f"Bearer {self._server.token}"}
        if org_id:
            headers["x-zitadel-orgid"] = org_id
        if protocol == GRPC:
            try:
                answer = await self._run(body, metadata=tuple(headers.items()))
            except grpc.aio.AioRpcError as error:
                return str(error.details())
            response = run.RunTriggerResponse.FromString(answer)
            return _judged(response.effects.claims["k"].number_value)
        path, content_type = _METHOD, "application/grpc-web+proto"
        if protocol == JSON:
            path, content_type = _RUN, "application/json"
        headers["content-type"] = content_type
        url = f"http://{self._server.http}{path}"
        async with self._session.post(url, data=body, headers=headers) as answered:
            answer = await answered.read()
            if protocol == JSON:
                claims = (await answered.json()).get("effects", {}).get("claims", {})
                return _judged(claims.get("k")) if claims else answer.decode()
        response = run.RunTriggerResponse.FromString(split_frame(answer)[1])
        return _judged(response.effects.claims["k"].number_value)


def _judged(count: float) -> str:
    return "ok" if count == OBJECTS else f"{count} objects, expected {OBJECTS}"


def run_waiting(folder: Path) -> Iterator[Outcome]:
    for protocol in PROTOCOLS:
        seen = wait_at(protocol, folder)
        wrong = [answer for answer in seen.answers if answer != "ok"]
        what = f"memory of {WAITING} runs that wait with a context of 1 MiB, over {protocol}"
        yield at_most(what, seen.more_mib, MORE_MAX_MIB, "MiB more")
        yield Outcome("of these, told wrongly", "0", f"{len(wrong)} {wrong[:1]}", not wrong)


S12: Final = Scenario("S12", "runs that wait with large contexts", run_waiting)
