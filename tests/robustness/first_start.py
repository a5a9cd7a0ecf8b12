"""kill -9 during a first start: the token that is left in the data folder works, whenever it was.

Kills come some milliseconds after a file has appeared: the lock, which is the claim of the folder,
or the file in which the token is until it is stored.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from tests.robustness.scenario import Outcome, Scenario
from tests.support.processes import Process
from tests.support.real_server import ACTIONS, RealServer

Moment: TypeAlias = tuple[str, float]
"""A file, and seconds after it has appeared."""

MOMENTS: Final[Sequence[Moment]] = (
    *(("lock", 0.02 * number) for number in range(8)),
    *(("owner.token.new", 0.0005 * number) for number in range(12)),
)

APPEARS_MAX_S: Final = 30.0


async def killed(data: Path, moment: Moment) -> None:
    """Starts a server on an empty folder, and kills it."""
    name, delay_s = moment
    addresses = ("--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0")
    arguments = ("-m", "server", "serve", *addresses, "--data-dir", str(data))
    with data.with_suffix(".log").open("ab") as errors:
        process = Process(arguments, errors=errors)
    with process:
        async with asyncio.timeout(APPEARS_MAX_S):
            # The first start has ended where there is an owner.token.
            while not (data / name).exists() and not (data / "owner.token").exists():
                await asyncio.sleep(0.0002)
        await asyncio.sleep(delay_s)
        process.kill()


def left_in(data: Path) -> str:
    """Which files of a token there are."""
    return " and ".join(sorted(path.name for path in data.glob("owner.token*"))) or "none"


def kill_first_starts(folder: Path, *, moments: Sequence[Moment] = MOMENTS) -> Iterator[Outcome]:
    left: Counter[str] = Counter()
    good = 0
    for number, moment in enumerate(moments):
        data = folder / str(number)
        asyncio.run(killed(data, moment))
        left[left_in(data)] += 1
        with RealServer(data) as server:
            server.ask("POST", f"{ACTIONS}/_search", {})
            orgs = server.command("org", "list")
        good += [org["name"] for org in orgs] == ["Default"] and left_in(data) == "owner.token"
    after = ", ".join(f"{name} after {count}" for name, count in sorted(left.items()))
    yield Outcome(
        f"with one organisation and a token that works after the next start ({after})",
        f"{len(moments)} of {len(moments)}",
        f"{good} of {len(moments)}",
        good == len(moments),
    )


S10: Final = Scenario("S10", "kill -9 during a first start", kill_first_starts)
