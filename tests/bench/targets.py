"""Calls of a target by a ZITADEL: signed, one small action, beside the same run by RunTrigger.

Rule 1: an answer is right when the claim is there.
Rule 2: each call has a body of its own, as each has of a ZITADEL with many users.
"""

import base64
import functools
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from server.scripts.host import contexts
from tests.bench.http1 import Timed
from tests.bench.load import Connection, Load, Measured
from tests.bench.runs import FLOW, has_actions, name_of
from tests.bench.servers import Servers
from tests.bench.work import Open, Ratio, Work, connect
from tests.support.real_server import RealServer
from tests.support.zitadel import signed

TRIGGER: Final = 5
KEY: Final = "the signing key"
ASKED_MS: Final = 3
ASKED_RATIO: Final = 1.2
ROW: Final = "target-one"
RATE_ROW: Final = "target-some"
SOME: Final = 8

_CAPITAL: Final = re.compile("([A-Z])")


def _prepare(servers: Servers, server: str, *, callers: int) -> Open:
    real = servers.service("scripts")
    has_actions(real, TRIGGER, 1)
    path, payload = _target(real), _payload()
    numbers = itertools.count()
    users = [User(path, payload, numbers) for _ in range(callers)]

    async def open_connections(load: Load) -> Sequence[Connection]:
        return await connect(real.http, (functools.partial(Timed, load, user) for user in users))

    return open_connections


class User:
    """Logs in again and again."""

    def __init__(
        self, path: str, payload: Mapping[str, Any], numbers: "itertools.count[int]"
    ) -> None:
        self._path = path
        self._payload = json.dumps(payload)[:-1]
        self._numbers = numbers
        self._claim = f'"key":"{name_of(TRIGGER, 0)}","value":"hello Ada"'.encode()

    def ask(self) -> bytes:
        body = f'{self._payload}, "number": {next(self._numbers)}}}'.encode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"ZITADEL-Signature: {signed(body, KEY)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def accepts(self, body: bytes) -> bool:
        return self._claim in body


def _target(server: RealServer) -> str:
    """Makes a target whose users have the owner's actions; returns its path."""
    user = contexts.example(FLOW, TRIGGER)["user"]
    assert isinstance(user, dict)
    (org,) = server.ask("GET", "/v1/orgs")["orgs"]
    orgs = {user["resourceOwner"]: org["id"]}
    made = server.ask("POST", "/v1/targets", {"name": "b", "signingKey": KEY, "orgs": orgs})
    return f"/targets/{made['target']['id']}"


def _payload() -> dict[str, Any]:
    """Returns the example of a context, as the payload of a function."""
    example: dict[str, Any] = contexts.example(FLOW, TRIGGER)
    metadata = [
        {**entry, "value": base64.b64encode(entry["value"].encode()).decode()}
        for entry in example["userMetadata"]["metadata"]
    ]
    return {
        "function": "function/preaccesstoken",
        "userinfo": example["claims"],
        "user": _snake(example["user"]),
        "user_metadata": _snake(metadata),
        "user_grants": _snake(example["userGrants"]["grants"]),
        "application": {"client_id": example["application"]["clientId"]},
    }


def _snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            _CAPITAL.sub(lambda found: f"_{found[1].lower()}", key): _snake(each)
            for key, each in value.items()
        }
    return [_snake(each) for each in value] if isinstance(value, list) else value


TARGETS: Final = (
    Work(
        ROW,
        "a signed call of a target, one small action",
        "scripts",
        functools.partial(_prepare, callers=1),
        sleeps=True,
    ),
    Work(
        RATE_ROW,
        f"a signed call of a target, one small action, {SOME} in flight",
        "scripts",
        functools.partial(_prepare, callers=SOME),
        sleeps=True,
    ),
)


def _p50_ms(works: Mapping[str, Measured]) -> float:
    return works[ROW].p50_s * 1000


def _rate(works: Mapping[str, Measured]) -> float:
    return works[RATE_ROW].rate


def _cpu(works: Mapping[str, Measured]) -> float:
    return works[ROW].cpu_us / works["run-one"].cpu_us


FIGURES: Final = (
    Ratio(
        name=ROW,
        title="p50, a signed call of a target, one small action",
        unit=" ms",
        needs=frozenset({ROW}),
        of=_p50_ms,
        asked=ASKED_MS,
    ),
    Ratio(
        name=f"{RATE_ROW}-rate",
        title=f"signed calls of a target a second, {SOME} in flight",
        unit=" /s",
        needs=frozenset({RATE_ROW}),
        of=_rate,
        asked=None,
        is_at_most=False,
    ),
    Ratio(
        name=f"{ROW}-cpu",
        title="CPU of a signed call of a target, against RunTrigger over JSON",
        needs=frozenset({ROW, "run-one"}),
        of=_cpu,
        asked=ASKED_RATIO,
    ),
)
