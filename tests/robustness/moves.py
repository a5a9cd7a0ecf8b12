"""`import zitadel` of many actions, by the API of a stand-in for the ZITADEL: how long it takes."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.commandline import run
from tests.support.upstream_api import TOKEN, Upstream, action, upstream

ORGS: Final = 50
ACTIONS_OF_ORG: Final = 20
ASKED_S: Final = 30.0
FIRST_ID: Final = 281_029_384_756_000_000


def fill(there: Upstream) -> None:
    """Gives a ZITADEL organisations with actions, of which the last two run at a trigger."""
    for number in range(ORGS):
        first = FIRST_ID + number * 1000
        actions = [action(str(first + 1 + at), f"a{at}") for at in range(ACTIONS_OF_ORG)]
        there.orgs[str(first)] = actions
        there.flows[str(first), 2] = {4: [actions[-1]["id"], actions[-2]["id"]]}


def move(folder: Path) -> Iterator[Outcome]:
    (folder / "token").write_text(TOKEN)
    assert run("org", "create", "Ours", folder=folder).status == 0

    async def moved() -> tuple[float, str]:
        async with upstream() as there:
            fill(there)
            begun = time.monotonic()
            arguments = ("import", "zitadel", there.url, "--token-file", "token")
            done = await asyncio.to_thread(run, *arguments, folder=folder)
            return time.monotonic() - begun, done.out

    lasted_s, said = asyncio.run(moved())
    asked = f"{ORGS} organisations, {ORGS * ACTIONS_OF_ORG} actions, {ORGS} triggers"
    reached = said.removeprefix("imported ").partition(";")[0]
    yield Outcome("moved", asked, reached, asked == reached)
    yield at_most("a move, with each script tried", lasted_s, ASKED_S, "s")


D6: Final = Scenario("D6", "a move of 1,000 actions from a ZITADEL", move)
