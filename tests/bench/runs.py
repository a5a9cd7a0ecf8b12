"""Runs of actions, from the request of RunTrigger over JSON to its answer.

One call at a time for what a call takes, some at a time for how many there are a second. The
engine by itself, its start and its kills among it, is `scripts.py`.

Rule 1: an answer is right when each of the actions succeeded and the claim is there.
Rule 2: the service and its processes for scripts have every core, and the client sleeps meanwhile.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from server.scripts.host import contexts
from tests.bench.callers import REST_PREFIX, http_request
from tests.bench.http1 import Timed
from tests.bench.load import Connection, Load, Measured
from tests.bench.servers import Servers
from tests.bench.work import Open, Ratio, Work, connect
from tests.support.real_server import ACTIONS, RealServer

SOME: Final = 8
MANY: Final = 64
RATE_ASKED: Final = 1_200
FLOW: Final = 2

_SCRIPT: Final = """
function {0}(ctx, api) {{
  api.v1.claims.setClaim('{0}', `hello ${{ctx.v1.getUser().human.firstName}}`);
}}
"""
_SUCCEEDED: Final = b'"state":"ACTION_STATE_SUCCEEDED"'


@dataclass(frozen=True, slots=True)
class Running:
    """One row.

    Attributes:
        trigger: that has the actions.
        asked_ms: max median of a call; None where nothing is asked.
        asked_rate: min runs a second; None where nothing is asked.
    """

    name: str
    title: str
    trigger: int
    actions: int
    callers: int
    asked_ms: float | None = None
    asked_rate: float | None = None

    def prepare(self, servers: Servers, server: str) -> Open:
        real = servers.service("scripts")
        has_actions(real, self.trigger, self.actions)
        context = {"context": contexts.example(FLOW, self.trigger)}
        path = f"/v1/flows/{FLOW}/triggers/{self.trigger}:run"
        request = http_request(path, token=real.token, body=json.dumps(context).encode())
        claim = f'"{name_of(self.trigger, self.actions - 1)}":"hello Ada"'.encode()
        runners = [Runner(request, claim, self.actions) for _ in range(self.callers)]

        async def open_connections(load: Load) -> Sequence[Connection]:
            return await connect(
                real.http, (functools.partial(Timed, load, runner) for runner in runners)
            )

        return open_connections


class Runner:
    """Asks for the same run again and again."""

    def __init__(self, request: bytes, claim: bytes, actions: int) -> None:
        self._request = request
        self._claim = claim
        self._actions = actions

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        return self._claim in body and body.count(_SUCCEEDED) == self._actions


def has_actions(server: RealServer, trigger: int, count: int) -> None:
    """Has the trigger run so many actions, if it does not run any."""
    flow = server.ask("GET", f"{REST_PREFIX}/flows/{FLOW}")["flow"]
    entries = flow.get("triggerActions", [])
    if any(entry["triggerType"]["id"] == str(trigger) for entry in entries):
        return
    ids = []
    for number in range(count):
        name = name_of(trigger, number)
        made = server.ask("POST", ACTIONS, {"name": name, "script": _SCRIPT.format(name)})
        ids.append(made["id"])
    server.ask("POST", f"{REST_PREFIX}/flows/{FLOW}/trigger/{trigger}", {"actionIds": ids})


def name_of(trigger: int, number: int) -> str:
    return f"run{trigger}_{number}"


_RUNS: Final = (
    Running("run-one", "RunTrigger over JSON, one small action", 5, 1, 1, asked_ms=2),
    Running("run-five", "RunTrigger over JSON, five small actions", 4, 5, 1, asked_ms=6),
    Running("run-some", f"RunTrigger over JSON, one action, {SOME} in flight", 5, 1, SOME),
    Running(
        "run-many",
        f"RunTrigger over JSON, one action, {MANY} in flight",
        5,
        1,
        MANY,
        asked_ms=50,
        asked_rate=RATE_ASKED,
    ),
)

RUNS: Final = tuple(Work(run.name, run.title, "scripts", run.prepare, sleeps=True) for run in _RUNS)


def _p50_ms(row: str, works: Mapping[str, Measured]) -> float:
    return works[row].p50_s * 1000


def _rate(row: str, works: Mapping[str, Measured]) -> float:
    return works[row].rate


FIGURES: Final = (
    *(
        Ratio(
            name=run.name,
            title=f"p50, {run.title}",
            unit=" ms",
            needs=frozenset({run.name}),
            of=functools.partial(_p50_ms, run.name),
            asked=run.asked_ms,
        )
        for run in _RUNS
        if run.asked_ms is not None
    ),
    *(
        Ratio(
            name=f"{run.name}-rate",
            title=f"runs a second of one action, {run.callers} in flight",
            unit=" /s",
            needs=frozenset({run.name}),
            of=functools.partial(_rate, run.name),
            asked=run.asked_rate,
            is_at_most=False,
        )
        for run in _RUNS
        if run.callers > 1
    ),
)
