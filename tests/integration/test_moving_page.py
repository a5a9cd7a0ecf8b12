"""The walk of docs/moving.md, typed line by line into one shell, prints what it shows.

The ZITADEL is a stand-in: it has an action that runs while it is active there, as version 1 of
actions does, and makes the answer of userinfo by its executions.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web

from tests.support.processes import ROOT
from tests.support.stand_ins import CURL, stand_ins
from tests.support.transcripts import steps
from tests.support.typed_pages import NEXT, free_address, masked, typed
from tests.support.upstream_api import TOKEN, Upstream, action
from tests.support.web_server import served
from tests.support.zitadel import Login, Target, Zitadel

pytestmark = pytest.mark.timeout(240)  # some processes, one after another

PAGE: Final = ROOT / "docs/moving.md"
ORG, ACTION, ADA = "290000000000000001", "281029384756019283", "290000000000000003"
SCRIPT: Final = "function addClaim(ctx, api) { api.v1.claims.setClaim('company', 'Acme'); }"
USERINFO: Final = {"sub": ADA, "name": "Ada Lovelace"}


@dataclass
class There(Upstream):
    """A ZITADEL with logins."""

    zitadel: Zitadel = field(kw_only=True)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/oidc/v1/userinfo":
            return web.json_response(await self._userinfo())
        if request.path.startswith("/management/v1/actions/28"):
            state = "INACTIVE" if request.path.endswith("/_deactivate") else "ACTIVE"
            self.orgs[ORG][0]["state"] = f"ACTION_STATE_{state}"
            return web.json_response({})
        return await super().answer(request)

    async def _userinfo(self) -> dict[str, Any]:
        """Returns the claims: those of the action there, if it is active, then of targets."""
        claims = dict(USERINFO)
        if self.orgs[ORG][0]["state"] == "ACTION_STATE_ACTIVE":
            claims["company"] = "Acme"
        called = [self.actions_v2.targets[id] for id in self.actions_v2.called_at("preuserinfo")]
        self.zitadel.executions["preuserinfo"] = [
            Target(target["endpoint"], (target["signingKey"],)) for target in called
        ]
        user = {"id": ADA, "resource_owner": ORG, "human": {"first_name": "Ada"}}
        return (await self.zitadel.token(Login(user=user, userinfo=claims))).claims


@asynccontextmanager
async def there() -> AsyncIterator[There]:
    """Serves one with an organisation, an action and its triggers."""
    async with aiohttp.ClientSession() as session:
        api = There(zitadel=Zitadel(session))
        api.orgs[ORG] = [action(ACTION, "addClaim", script=SCRIPT)]
        api.flows[ORG, 2] = {4: [ACTION], 5: [ACTION]}
        async with served(api.answer) as api.url:
            yield api


async def test_the_walk_prints_what_it_shows(tmp_path: Path) -> None:
    shown = list(steps(PAGE.read_text("utf-8")))
    assert len(shown) >= 15
    listen = free_address()
    (tmp_path / "zitadel.token").write_text(f"{TOKEN}\n")
    (tmp_path / "user.token").write_text("a-token-of-ada\n")
    script = f"\necho '{NEXT}'\n".join(step.command for step in shown)
    async with there() as zitadel:
        for shown_as, here in (
            ("https://actions.example", f"http://{listen}"),
            ("https://zitadel.example", zitadel.url),
            (".venv/bin/python", sys.executable),
        ):
            assert shown_as in script
            script = script.replace(shown_as, here)
        environment = {
            **os.environ,
            "ACTIONS_LISTEN": listen,
            "ACTIONS_GRPC_LISTEN": "none",
            "LC_ALL": "C",
            "PATH": stand_ins(tmp_path / "bin", {"curl": CURL}),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        }
        status, out, errors = await asyncio.to_thread(
            typed, script, folder=tmp_path, environment=environment
        )
        assert status == 0, errors + out
        for here, shown_as in (
            (zitadel.url, "https://zitadel.example"),
            (f"http://{listen}", "https://actions.example"),
        ):
            out = out.replace(here, shown_as)
            out = out.replace(here.partition("//")[2], shown_as.partition("//")[2])
    printed = [without_http(text) for text in out.split(f"{NEXT}\n")]
    assert [masked(text) for text in printed] == [masked(step.printed) for step in shown]


def without_http(printed: str) -> str:
    """Returns an output without what `connect` says because the stand-ins have no TLS."""
    lines = printed.splitlines(keepends=True)
    said = ("  serve https://actions.example by TLS", "  let ZITADEL call 127.0.0.1")
    return "".join(line for line in lines if not line.startswith(said))
