"""Reads events while they are written, and misses none: R6-pg of docs/robustness.md.

Two services on one PostgreSQL write; `events --follow` reads behind the last position that it has
seen. A position that became visible after a later one would be missed for ever.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import IO, Final

import uvloop

from tests.robustness.connection import Connection
from tests.robustness.engines import rows
from tests.robustness.scenario import Outcome, Scenario
from tests.robustness.two_services import Pair, pair
from tests.support.processes import ROOT
from tests.support.real_server import ACTIONS, RealServer
from tests.support.waiting import until

EVENTS: Final = 20_000
WRITERS: Final = 64
"""Half of them at each service."""
_CAUGHT_UP_S: Final = 60.0


@contextmanager
def followed(database: str, folder: Path) -> Iterator[list[int]]:
    """Reads events by the command; the list has their positions, as they come."""
    positions: list[int] = []
    command = [sys.executable, "-m", "server", "events", "--follow", "--data-dir", str(folder)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "ACTIONS_DATABASE": database},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        reading = threading.Thread(target=_read, args=(process.stdout, positions))
        reading.start()
        try:
            yield positions
        finally:
            process.kill()
            reading.join()


def _read(lines: IO[str], positions: list[int]) -> None:
    for line in lines:
        positions.append(json.loads(line)["position"])


async def write(services: Pair, events: int) -> int:
    """Has writers at both services make so many events; returns how many there were."""
    made = 0

    async def write_at(server: RealServer, name: str) -> None:
        nonlocal made
        async with Connection(server.http, server.token) as connection:
            body = json.dumps({"name": name, "script": "s"}).encode()
            status, action = await connection.ask("POST", ACTIONS, body)
            for verb in cycle(("_deactivate", "_reactivate")):
                assert status == 200, action
                made += 1
                if made >= events:
                    return
                path = f"{ACTIONS}/{action['id']}/{verb}"
                status, _ = await connection.ask("POST", path, b"{}")

    servers = cycle((services.one, services.other))
    async with asyncio.TaskGroup() as group:
        for number in range(WRITERS):
            group.create_task(write_at(next(servers), f"{number}"))
    return made


def follow_writers(folder: Path, *, events: int) -> tuple[list[int], list[int]]:
    """Returns the positions that were read, and those that are stored."""
    with pair(folder) as services, followed(services.url, folder / "reader") as read:
        until(lambda: bool(read))
        uvloop.run(write(services, events))
        stored = sorted(row[0] for row in rows(folder, services.url)["events"])
        until(lambda: read[-1] >= stored[-1], within_s=_CAUGHT_UP_S)
        return list(read), stored


def run(folder: Path) -> Iterator[Outcome]:
    read, stored = follow_writers(folder, events=EVENTS)
    missed = len(set(stored) - set(read))
    what = f"events of two services: stored {len(stored):,}, missed by a reader that follows"
    yield Outcome(what, f"0 of ≥ {EVENTS:,}", f"{missed}", not missed and len(stored) >= EVENTS)
    is_in_order = read == sorted({*read})
    yield Outcome("read in order, each once", "yes", "yes" if is_in_order else "no", is_in_order)


R6_PG: Final = Scenario("R6-pg", "a reader that follows two services on PostgreSQL", run)
