"""kill -9 under writers: R1 of docs/robustness.md, over JSON, against the real server, per engine.

Each writer makes an action and turns it off and on; what was answered goes to a log, and the log is
compared with the store once all kills are done. A write without an answer may be stored or not.

Rule: kill -9 keeps the page cache. This holds "acknowledged after commit", not a loss of power.
"""

import asyncio
import os
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import uvloop

from tests.robustness.connection import Connection
from tests.robustness.durability import check
from tests.robustness.engines import Engine, postgresql, sqlite
from tests.robustness.scenario import Outcome, Scenario
from tests.support.real_server import ACTIONS, RealServer

KILLS: Final = 10
WRITERS: Final = 32
WRITE_FOR_S: Final = 1.5
ACKNOWLEDGED_MIN: Final = 20_000
"""R1 asks for 40,000 over twenty kills."""


async def write_on(server: RealServer, name: str, log: int) -> None:
    """Make an action, turn it off and on until the server is gone, and log each answer.

    Raises:
        AssertionError: an answer is not a 200.
    """
    try:
        async with Connection(server.http, server.token) as connection:

            async def post(path: str, body: bytes) -> Any:
                status, answer = await connection.ask("POST", f"{ACTIONS}{path}", body)
                assert status == 200, answer
                return answer

            created = await post("", b'{"name":"%s","script":"s"}' % name.encode())
            action_id = created["id"]
            os.write(log, f"{action_id} {created['details']['sequence']}\n".encode())
            for verb in cycle(("_deactivate", "_reactivate")):
                answer = await post(f"/{action_id}/{verb}", b"{}")
                os.write(log, f"{action_id} {answer['details']['sequence']}\n".encode())
    except (asyncio.IncompleteReadError, ConnectionError):
        return


async def write_and_kill(server: RealServer, number: int, log: int, seconds: float) -> None:
    async with asyncio.TaskGroup() as group:
        for writer in range(WRITERS):
            group.create_task(write_on(server, f"{number}-{writer}", log))
        await asyncio.sleep(seconds)
        server.process.kill()


def kill(
    folder: Path,
    *,
    engine: Engine = sqlite,
    kills: int = KILLS,
    write_for_s: float = WRITE_FOR_S,
    acknowledged_min: int = ACKNOWLEDGED_MIN,
) -> Iterator[Outcome]:
    data, log = folder / "data", folder / "acknowledged"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with engine() as new_database:
        database = new_database()
        for number in range(kills):
            with RealServer(data, database=database) as server:
                uvloop.run(write_and_kill(server, number, descriptor, write_for_s))
        os.close(descriptor)
        verdict = asyncio.run(check(data, log, database=database))
    yield Outcome(
        f"acknowledged over {kills} kills under {WRITERS} writers",
        f"≥ {acknowledged_min:,}",
        f"{verdict.acknowledged:,}",
        verdict.acknowledged >= acknowledged_min,
    )
    yield Outcome("of these lost", "0", str(verdict.lost), verdict.lost == 0)
    others = (verdict.duplicates, verdict.gaps, verdict.differing)
    yield Outcome(
        f"of {verdict.stored:,} stored events: doubles, gaps, states that differ",
        "0, 0, 0",
        "{}, {}, {}".format(*others),
        not any(others),
    )


R1: Final = Scenario("R1", "kill -9 under writers, over HTTP", kill)
R1_PG: Final = Scenario(
    "R1-pg",
    "kill -9 under writers, over HTTP, on PostgreSQL",
    partial(kill, engine=postgresql, kills=2 * KILLS),
)
