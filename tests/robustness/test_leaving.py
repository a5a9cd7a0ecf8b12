"""Callers that leave in the middle of their runs, or before, over each protocol."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Final

from tests.robustness.killed_scripts import held, held_at_rest
from tests.support.api_client import JSON, PROTOCOLS, ApiClient, Caller
from tests.support.real_server import RealServer
from tests.support.runs import run_request
from tests.support.waiting import until_async

CALLS: Final = 90
SCRIPT: Final = """function f(ctx, api) {
  const end = Date.now() + ctx.v1.claims.given;
  while (Date.now() < end);
}"""


async def test_callers_that_leave_leave_nothing_behind(tmp_path: Path) -> None:
    # No more than the warm ones: then there are as many afterwards, at once.
    with RealServer(tmp_path / "data", "--no-access-log", "--script-workers", "2") as server:
        server.set_action(SCRIPT)
        await until_async(lambda: "script workers are ready" in server.log())
        async with ApiClient(http=server.http, grpc=server.grpc) as api:
            assert (
                await Caller(api, server.token, "").ask(JSON, run_request(claims={"given": 0}))
            ).code == 0
        before = await held_at_rest(server.process)
        chance = random.Random(7)  # noqa: S311  a choice that can be made again
        async with ApiClient(http=server.http, grpc=server.grpc) as api:
            caller = Caller(api, server.token, "")
            for number in range(CALLS):
                request = run_request(claims={"given": chance.choice((0, 20, 20_000))})
                call = asyncio.ensure_future(caller.ask(PROTOCOLS[number % 3], request))
                await asyncio.wait([call], timeout=chance.choice((0, 0.001, 0.03, 0.1)))
                call.cancel()
                await asyncio.wait([call])
        await until_async(lambda: held(server.process) == before)
        states = Counter(of["state"] for of in server.ask("GET", "/v1/runs")["runs"])
        assert set(states) == {"RUN_STATE_SUCCEEDED", "RUN_STATE_ABANDONED"}
        assert states["RUN_STATE_ABANDONED"] > CALLS / 6
        assert "Traceback" not in server.log()
