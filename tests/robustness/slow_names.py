"""Look-ups that nobody answers, beside another organisation's fetches: S6 of docs/robustness.md.

A service as an operator starts it, with a name server of this scenario's that never answers for
some names. One organisation fetches from these all the time; another from hosts that exist, by
that name server and by /etc/hosts; the issuer of JWTs changes its key; then SIGTERM.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

from tests.robustness.scenario import Outcome, Scenario, at_most, ended, none_wrong
from tests.support.api_client import JSON, ApiClient, Caller
from tests.support.issuer import AUDIENCE, KEYS_PATH, Issuer, Signer, answering, key_set
from tests.support.name_servers import NameServer, name_server
from tests.support.real_server import RealServer
from tests.support.runs import run_request

SLOW_RUNS: Final = 8
SECONDS: Final = 12.0
"""More than the 10 s that pass between two fetches of keys."""

FETCH_MAX_S: Final = 1.0
STOP_MAX_S: Final = 11.0

_SLOW: Final = """function f(ctx) {
  require('zitadel/http').fetch('http://' + ctx.v1.claims.name + '.silent.test/');
}"""
_QUICK: Final = """function f(ctx, api) {
  const { fetch } = require('zitadel/http');
  api.v1.claims.setClaim('k', fetch('http://' + ctx.v1.claims.name + '/').status);
}"""
_FIRST: Final = Signer("ES256", "first")
_SECOND: Final = Signer("ES256", "second")


@dataclass(slots=True)
class Seen:
    """The measurements of the scenario.

    Attributes:
        wrong: answers other than they should be.
        slow: names that were asked for and never answered.
        fetch_s: how long each run of the other organisation took.
        key_s: how long a call with a token by a new key took; None if no key was fetched.
        status, stop_s: of the process, and how long it took after SIGTERM.
    """

    wrong: list[str] = field(default_factory=list)
    slow: int = 0
    fetch_s: list[float] = field(default_factory=list)
    key_s: float | None = None
    status: int = -1
    stop_s: float = 0.0


async def attack(data: Path, *, seconds: float = SECONDS, with_new_key: bool = True) -> Seen:
    seen = Seen()
    async with contextlib.AsyncExitStack() as stack:
        names = await stack.enter_async_context(name_server({"good.test": ("127.0.0.1",)}))
        port = await stack.enter_async_context(_web_server())
        issuer = stack.enter_context(Issuer(_FIRST))
        server = stack.enter_context(RealServer(data, *_options(names, issuer)))
        api = await stack.enter_async_context(ApiClient(http=server.http, grpc=server.grpc))
        other = await asyncio.to_thread(_set_up, server)
        slow = [
            asyncio.create_task(_ask_slowly(Caller(api, server.token, ""), number))
            for number in range(SLOW_RUNS)
        ]
        await _fetch_quickly(Caller(api, server.token, other), port, seconds, seen)
        if with_new_key:
            issuer.answers[KEYS_PATH] = answering(key_set(_SECOND))
            await _call_by_new_key(api, issuer, seen)
        signalled_at = time.monotonic()
        server.process.signal(signal.SIGTERM)
        seen.status = await asyncio.to_thread(server.process.wait)
        seen.stop_s = time.monotonic() - signalled_at
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        seen.slow = len({name for name in names.asked if name.endswith(names.silent)})
    return seen


def _options(names: NameServer, issuer: Issuer) -> tuple[str, ...]:
    keys_url = issuer.keys_url.replace("127.0.0.1", "localhost")  # a name, to be looked up
    return (
        "--no-access-log",
        *("--script-workers", str(2 * SLOW_RUNS)),
        *("--script-dns-servers", names.address),
        *("--script-fetch-allow", "127.0.0.1,::1"),
        *("--jwt-issuer", issuer.url, "--jwt-audience", AUDIENCE, "--jwt-jwks-url", keys_url),
    )


def _set_up(server: RealServer) -> str:
    """Makes the action of each organisation; returns the id of the other."""
    other = str(server.command("org", "create", "Other")["id"])
    server.set_action(_SLOW, timeout="0.5s")
    server.set_action(_QUICK, timeout="5s", org_id=other)
    return other


@contextlib.asynccontextmanager
async def _web_server() -> AsyncIterator[int]:
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="{}")

    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def _ask_slowly(caller: Caller, number: int) -> None:
    count = 0
    while True:
        count += 1
        await caller.ask(JSON, run_request(claims={"name": f"a{number}-{count}"}))


async def _fetch_quickly(caller: Caller, port: int, seconds: float, seen: Seen) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for name in ("good.test", "localhost"):
            began = time.monotonic()
            answer = await caller.ask(JSON, run_request(claims={"name": f"{name}:{port}"}))
            seen.fetch_s.append(time.monotonic() - began)
            if answer.code or answer.response.effects.claims["k"].number_value != 200:
                seen.wrong.append(f"{name}: {answer}")
        await asyncio.sleep(0.05)


async def _call_by_new_key(api: ApiClient, issuer: Issuer, seen: Seen) -> None:
    asked = len(issuer.asked)
    token = _SECOND.token(issuer.claims("nobody"))
    began = time.monotonic()
    answer = await api.call(JSON, run_request(claims={"name": "none"}), token=token)
    if len(issuer.asked) > asked:
        seen.key_s = time.monotonic() - began
    if answer.code != 16:  # the key is known, its subject is not
        seen.wrong.append(f"token by a new key: {answer}")


def run_slow_names(folder: Path) -> Iterator[Outcome]:
    seen = uvloop.run(attack(folder / "data"))
    yield none_wrong(
        f"{len(seen.fetch_s)} fetches of another organisation, {seen.slow} look-ups unanswered: "
        "told wrongly",
        seen.wrong,
        is_enough=seen.slow >= SLOW_RUNS,
    )
    yield at_most("the other's fetches, worst", max(seen.fetch_s) * 1e3, FETCH_MAX_S * 1e3, "ms")
    yield Outcome(
        "a call whose key was fetched meanwhile",
        f"{FETCH_MAX_S:g} s",
        "no key was fetched" if seen.key_s is None else f"{seen.key_s:.3f} s",
        seen.key_s is not None and seen.key_s <= FETCH_MAX_S,
    )
    yield ended("end of the service after SIGTERM", seen.status, seen.stop_s, most_s=STOP_MAX_S)


S6: Final = Scenario("S6", "names that nobody answers for", run_slow_names)
