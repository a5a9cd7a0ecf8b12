"""Runs of actions, from the request of RunTrigger over JSON to its answer.

One caller after the other's answer for what a run takes, some at a time for how many there are a
second. The engine by itself, its start and its kills among it, is `scripts.py`.
Rule: an answer is right when each of the actions succeeded and the claim is there.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from server.execution import contexts
from tests.bench.callers import REST_PREFIX, http_request
from tests.bench.load import Measured
from tests.bench.servers import Servers
from tests.bench.work import Open, Ratio, Work, http
from tests.real_server import ACTIONS, RealServer

IN_FLIGHT: Final = 8
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
        asked_ms: of a run, where its callers ask one after the other.
    """

    name: str
    title: str
    trigger: int
    actions: int
    callers: int
    asked_ms: float | None = None

    def prepare(self, servers: Servers, server: str) -> Open:
        real = servers.real()
        _set_actions(real, self.trigger, self.actions)
        context = {"context": contexts.example(FLOW, self.trigger)}
        path = f"/v1/flows/{FLOW}/triggers/{self.trigger}:run"
        request = http_request(path, token=real.token, body=json.dumps(context).encode())
        claim = f'"{_name(self.trigger, self.actions - 1)}":"hello Ada"'.encode()
        runners = [Runner(request, claim, self.actions) for _ in range(self.callers)]
        return http(real.http, runners)


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


def _set_actions(server: RealServer, trigger: int, count: int) -> None:
    """Have the trigger run so many actions, if it does not run any."""
    flow = server.ask("GET", f"{REST_PREFIX}/flows/{FLOW}")["flow"]
    entries = flow.get("triggerActions", [])
    if any(entry["triggerType"]["id"] == str(trigger) for entry in entries):
        return
    ids = []
    for number in range(count):
        name = _name(trigger, number)
        made = server.ask("POST", ACTIONS, {"name": name, "script": _SCRIPT.format(name)})
        ids.append(made["id"])
    server.ask("POST", f"{REST_PREFIX}/flows/{FLOW}/trigger/{trigger}", {"actionIds": ids})


def _name(trigger: int, number: int) -> str:
    return f"run{trigger}_{number}"


_RUNS: Final = (
    Running("run-one", "RunTrigger over JSON, one small action", 4, 1, 1, asked_ms=2),
    Running("run-five", "RunTrigger over JSON, five small actions", 5, 5, 1, asked_ms=6),
    Running("run-many", f"… of one action, {IN_FLIGHT} in flight", 4, 1, IN_FLIGHT),
)

RUNS: Final = tuple(Work(run.name, run.title, "real", run.prepare) for run in _RUNS)


def _ms(row: str, works: Mapping[str, Measured]) -> float:
    return works[row].seconds / works[row].requests * 1000


FIGURES: Final = tuple(
    Ratio(
        name=run.name,
        title=f"time, {run.title}",
        unit=" ms",
        needs=frozenset({run.name}),
        of=functools.partial(_ms, run.name),
        asked=run.asked_ms,
    )
    for run in _RUNS
    if run.asked_ms is not None
)
