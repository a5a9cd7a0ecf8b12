"""Half an hour at half load: R32 of docs/robustness.md, over every door.

Callers take actions through their lives, at a fixed rate. What the service holds is compared: its
memory after some minutes and at the end, its descriptors and tasks before and afterwards.

Rule: only the service's own process is measured. Processes of scripts come and go; they are shown.
"""

import asyncio
import contextlib
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count, cycle
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import uvloop
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from actions.v1 import admin_pb2, execution_pb2
from tests.robustness.engines import Engine, postgresql, sqlite
from tests.robustness.raw import request
from tests.robustness.scenario import Outcome, Scenario, at_most, none_wrong
from tests.robustness.soaked_service import TASKS_LINE
from tests.support.api_client import GRPC, JSON, WEB, Answer, ApiClient
from tests.support.connections import opened
from tests.support.real_server import ACTIONS, RealServer
from zitadel import management_pb2 as pb

CALLS_A_SECOND: Final = 100.0
CALLERS: Final = 10
GROWN_MAX_MIB: Final = 3.0
RETURNED_MAX_S: Final = 120.0
"""Max seconds until closed connections are gone; those to PostgreSQL stay for 60 s."""
_MODULE: Final = "tests.robustness.soaked_service"
_RUN: Final = ("2", "4")
_FAILING: Final = ("2", "5")
_ENDLESS: Final = ("1", "1")
_CLAIM: Final = "function claims(ctx, api) { api.v1.claims.setClaim('n', ctx.v1.claims.n) }"
_SCRIPTS: Final = {
    _RUN: ("claims", _CLAIM, "10s"),
    _FAILING: ("fails", "function fails() { throw new Error('no') }", "10s"),
    _ENDLESS: ("loops", "function loops() { for (;;); }", "0.2s"),
}
_LIVES_A_LOOP: Final = 10
_OK, _INVALID, _NOT_FOUND, _FAILED, _UNAUTHENTICATED = 0, 3, 5, 9, 16
_RAISED: Final = re.compile("never retrieved|Traceback|was never awaited|was destroyed but")


@dataclass(frozen=True, slots=True)
class Length:
    """Says how long a soak lasts.

    Attributes:
        seconds: of load.
        settled_s: seconds after which memory may not grow any more.
        window_s: seconds of samples whose median counts, then and at the end.
        grown_max_mib: the limit.
    """

    seconds: float
    settled_s: float
    window_s: float
    grown_max_mib: float = GROWN_MAX_MIB


LONG: Final = Length(seconds=1800, settled_s=300, window_s=60)
SHORT: Final = Length(seconds=60, settled_s=30, window_s=10)


class Held(NamedTuple):
    descriptors: int
    tasks: int


_NOTHING: Final = Held(0, 0)


@dataclass(slots=True)
class Seen:
    """The measurements of a soak.

    Attributes:
        wrong: answers that were not expected.
        calls: answers.
        late_s: the longest that a call was behind its time.
        memory: seconds since the start, and MiB.
        raised: lines of the log with an exception of nobody.
        status: of the service, at its end.
    """

    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    late_s: float = 0.0
    memory: list[tuple[float, float]] = field(default_factory=list)
    before: Held = _NOTHING
    after: Held = _NOTHING
    raised: list[str] = field(default_factory=list)
    status: int = -1

    def mib(self, begin_s: float, end_s: float) -> float:
        return median(mib for at, mib in self.memory if begin_s <= at <= end_s)


class Doors:
    """Asks over one door after the other, on connections of its own, when it is time to."""

    def __init__(self, server: RealServer, seen: Seen, times: Iterator[float]) -> None:
        self.server = server
        self.seen = seen
        self._times = times
        own = ApiClient(http=server.http, grpc=server.grpc)
        piped = ApiClient(http=server.http, grpc=server.http)
        self._clients = (own, piped)
        self._doors = cycle(((own, JSON), (own, GRPC), (own, WEB), (piped, GRPC)))

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for client in self._clients:
                await stack.enter_async_context(client)
            yield

    async def ask(self, code: int, message: Message, *, token: str = "") -> Answer:
        """Asks as the owner, unless told otherwise; an answer with another code is noted."""
        await self.turn()
        client, protocol = next(self._doors)
        answer = await client.call(protocol, message, token=token or self.server.token)
        self.seen.calls += 1
        if answer.code != code:
            name = type(message).__name__
            self.seen.wrong.append(f"{name} over {protocol}: {answer.code} {answer.message}")
        return answer

    async def turn(self) -> None:
        at = next(self._times)
        now = time.monotonic()
        self.seen.late_s = max(self.seen.late_s, now - at)
        await asyncio.sleep(max(at - now, 0))


async def live(doors: Doors, name: str, user: str, *, has_loop: bool) -> None:
    """Takes one action through its life, and what surrounds it."""
    ask = doors.ask
    id = (await ask(_OK, pb.CreateActionRequest(name=name, script=_CLAIM))).response.id
    await ask(_OK, pb.GetActionRequest(id=id))
    await ask(_OK, pb.UpdateActionRequest(id=id, name=f"{name}!", script=_CLAIM))
    await ask(_OK, pb.DeactivateActionRequest(id=id))
    await ask(_FAILED, pb.DeactivateActionRequest(id=id))
    await ask(_OK, pb.ReactivateActionRequest(id=id))
    await ask(_OK, pb.ListActionsRequest())
    await ask(_INVALID, pb.CreateActionRequest(name="", script="s"))
    given = Struct()
    given.update({"claims": {"n": name}})
    await ask(_OK, _run(_RUN, given))
    await ask(_FAILED, _run(_FAILING, given))
    if has_loop:
        await ask(_FAILED, _run(_ENDLESS, given))
    await ask(_OK, execution_pb2.ListRunsRequest(limit=10))
    made = (await ask(_OK, admin_pb2.CreateTokenRequest(user_id=user))).response
    await ask(_OK, pb.GetMyOrgRequest(), token=made.secret)
    await ask(_OK, admin_pb2.RevokeTokenRequest(token_id=made.token.id))
    await ask(_UNAUTHENTICATED, pb.GetMyOrgRequest(), token=made.secret)
    await leave(doors)
    await ask(_OK, pb.DeleteActionRequest(id=id))
    await ask(_NOT_FOUND, pb.GetActionRequest(id=id))


async def leave(doors: Doors) -> None:
    """Asks for a run, and closes the connection without waiting for its answer."""
    await doors.turn()
    path = "/v1/flows/2/triggers/4:run"
    async with opened(doors.server.http) as (_, writer):
        writer.write(request("POST", path, b"{}", token=doors.server.token))


def _run(place: tuple[str, str], context: Struct) -> execution_pb2.RunTriggerRequest:
    flow, trigger = place
    return execution_pb2.RunTriggerRequest(flow_type=flow, trigger_type=trigger, context=context)


async def live_on(caller: int, server: RealServer, user: str, seen: Seen, until: float) -> None:
    every_s = CALLERS / CALLS_A_SECOND
    start = time.monotonic() + caller / CALLS_A_SECOND
    times = (start + number * every_s for number in count())
    for number in count():
        if time.monotonic() >= until:
            return
        doors = Doors(server, seen, times)
        has_loop = number % _LIVES_A_LOOP == caller % _LIVES_A_LOOP
        async with doors.open():
            await live(doors, f"{caller} {number}", user, has_loop=has_loop)


async def watch(server: RealServer, seen: Seen) -> None:
    """Notes the memory each second, and prints a line each minute, until cancelled."""
    began = time.monotonic()
    for second in count(1):
        await asyncio.sleep(began + second - time.monotonic())
        now = time.monotonic() - began
        seen.memory.append((now, server.process.resident_mib()))
        if second % 60 == 0:
            print(f"        minute {second // 60}: {_line(server, seen, now)}", flush=True)


def _line(server: RealServer, seen: Seen, now: float) -> str:
    return (
        f"{seen.calls:,} calls, {len(seen.wrong)} wrong; {seen.mib(now - 60, now):.1f} MiB, "
        f"with scripts {server.process.memory_mib():.0f}; {_descriptors(server)} descriptors"
    )


async def soak(server: RealServer, user: str, seen: Seen, length: Length) -> None:
    """Has callers go through every call once, and then through all of them until the end."""
    warm = Doors(server, Seen(), cycle((0.0,)))
    async with warm.open():
        for number in range(4):
            await live(warm, f"warm {number}", user, has_loop=True)
    seen.wrong += warm.seen.wrong
    seen.before = await held_at_rest(server)
    until = time.monotonic() + length.seconds
    watching = asyncio.create_task(watch(server, seen))
    async with asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(live_on(caller, server, user, seen, until))
    watching.cancel()
    await asyncio.wait((watching,))
    seen.after = await held_at_rest(server, most=seen.before)


async def held_at_rest(server: RealServer, most: Held | None = None) -> Held:
    """Waits until nothing is closed any more, or no more is held than that."""
    end = time.monotonic() + RETURNED_MAX_S
    lowest = _held(server)
    still = 0
    while time.monotonic() < end and still < 10:
        await asyncio.sleep(1.0)
        now = _held(server)
        still = still + 1 if now == lowest and (most is None or _fits(now, most)) else 0
        lowest = now
    return lowest


def _fits(held: Held, most: Held) -> bool:
    return held.descriptors <= most.descriptors and held.tasks <= most.tasks


def _held(server: RealServer) -> Held:
    server.process.signal(signal.SIGUSR1)
    while not (line := server.process.line()).startswith(TASKS_LINE):
        assert line, server.log()
    return Held(_descriptors(server), int(line.removeprefix(TASKS_LINE)))


def _descriptors(server: RealServer) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def prepare(server: RealServer) -> str:
    """Sets the actions of three triggers; returns the owner's id."""
    for (flow, trigger), (name, script, timeout) in _SCRIPTS.items():
        action = {"name": name, "script": script, "timeout": timeout}
        id = server.ask("POST", ACTIONS, action)["id"]
        path = f"/management/v1/flows/{flow}/trigger/{trigger}"
        server.ask("POST", path, {"actionIds": [id]})
    (user,) = server.command("user", "list")
    return str(user["id"])


def soaked(folder: Path, database: str, length: Length) -> Seen:
    seen = Seen()
    with RealServer(folder / "data", database=database, module=_MODULE) as server:
        uvloop.run(soak(server, prepare(server), seen, length))
        server.process.signal(signal.SIGTERM)
        seen.status = server.process.wait()
        seen.raised = [line for line in server.log().splitlines() if _RAISED.search(line)]
    return seen


def run(folder: Path, engine: Engine, length: Length) -> Iterator[Outcome]:
    with engine() as new_database:
        seen = soaked(folder, new_database(), length)
    minutes = length.seconds / 60
    what = f"{seen.calls:,} calls in {minutes:g} min, at most {seen.late_s:.1f} s late"
    expected = length.seconds * CALLS_A_SECOND
    yield none_wrong(f"{what}: wrong answers", seen.wrong, is_enough=seen.calls > expected / 2)
    grown = seen.mib(length.seconds - length.window_s, length.seconds) - seen.mib(
        length.settled_s, length.settled_s + length.window_s
    )
    settled = f"memory at the end, more than after {length.settled_s:g} s"
    yield at_most(settled, grown, length.grown_max_mib, "MiB")
    yield Outcome(
        "descriptors, tasks afterwards",
        f"≤ {seen.before.descriptors}, {seen.before.tasks}",
        f"{seen.after.descriptors}, {seen.after.tasks}",
        _fits(seen.after, seen.before),
    )
    yield none_wrong("exceptions in the log that nobody took", seen.raised)
    yield Outcome("exit", "0", f"{seen.status}", seen.status == 0)


R32: Final = Scenario(
    "R32",
    "half an hour at half load, on PostgreSQL",
    partial(run, engine=postgresql, length=LONG),
    is_asked_for=True,
)
R32_SQLITE: Final = Scenario(
    "R32-sqlite",
    "half an hour at half load",
    partial(run, engine=sqlite, length=LONG),
    is_asked_for=True,
)
R32_SHORT: Final = Scenario(
    "R32-short",
    "a minute at half load, on PostgreSQL",
    partial(run, engine=postgresql, length=SHORT),
)
