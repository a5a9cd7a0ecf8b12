"""kill -9 of `rebuild` and `import` midway: the tables are as before, or as they are to be.

Kills come at moments that are spread over the time that the command takes.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tests.robustness.engines import Engine, change, postgresql, rows, sqlite
from tests.robustness.scenario import Outcome, Scenario
from tests.support import every_event, export_files

EVENTS: Final = 10_000
KILLS: Final = 20
ENDS_MAX_S: Final = 120.0
_STARTS: Final = {"rebuild": "applied ", "import": "checked "}
"""The start of the first line of progress, after which a command writes."""


class Ended(NamedTuple):
    """The end of a command.

    Attributes:
        lasted_s: seconds from its first line of progress.
    """

    lasted_s: float
    is_killed: bool


def run(folder: Path, database: str, *command: str, kill_after_s: float | None = None) -> Ended:
    """Runs a command to its end, or kills it.

    Args:
        folder: the data folder.
        database: its URL, if it is not in the folder.
        command: and its arguments.
        kill_after_s: seconds after its first line of progress.
    """
    arguments = [sys.executable, "-m", "server", *command, "--data-dir", str(folder)]
    with subprocess.Popen(
        arguments,
        env={**os.environ, **({"ACTIONS_DATABASE": database} if database else {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        lines = []
        while not (line := process.stderr.readline()).startswith(_STARTS[command[0]]):
            lines.append(line)
            assert line, lines
        started_at = time.monotonic()
        if kill_after_s is not None:
            try:
                process.wait(kill_after_s)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate(timeout=ENDS_MAX_S)
        return Ended(time.monotonic() - started_at, process.returncode == -signal.SIGKILL)


def damage(folder: Path, database: str) -> None:
    """Gives the states of a store other values than their events have."""
    change(
        folder,
        database,
        "UPDATE actions SET name = 'wrong', state = 7",
        "DELETE FROM names WHERE scope = 'user'",
    )


def kill_rebuilds(
    folder: Path, *, engine: Engine = sqlite, events: int = EVENTS, kills: int = KILLS
) -> Iterator[Outcome]:
    file = folder / "many.jsonl"
    export_files.write_many(file, events=events)
    with engine() as new_database:
        store = (folder / "data", new_database())
        asyncio.run(every_event.fill(store[0], database=store[1]))
        run(*store, "import", str(file))
        right = rows(*store)
        damage(*store)
        wrong = rows(*store)
        lasts_s = run(*store, "rebuild").lasted_s
        same = int(rows(*store) == right)
        killed = 0
        left: list[bool] = []
        for number in range(kills):
            damage(*store)
            killed += run(*store, "rebuild", kill_after_s=lasts_s * number / kills).is_killed
            left.append((found := rows(*store)) == wrong or found == right)
            run(*store, "rebuild")
            same += rows(*store) == right
    yield _all(
        f"rebuilds, {killed} of them killed, that left all rows as they were, or right", left
    )
    yield Outcome("rebuilds with identical rows", f"{kills + 1}", f"{same}", same == kills + 1)


def kill_imports(
    folder: Path, *, engine: Engine = sqlite, events: int = EVENTS, kills: int = KILLS
) -> Iterator[Outcome]:
    file = folder / "many.jsonl"
    export_files.write_many(file, events=events)
    killed = 0
    left: list[bool] = []
    again: list[bool] = []
    with engine() as new_database:
        first = (folder / "first", new_database())
        asyncio.run(every_event.fill(first[0], database=first[1]))
        before = rows(*first)
        lasts_s = run(*first, "import", str(file)).lasted_s
        after = rows(*first)
        for number in range(kills):
            store = (folder / str(number), new_database())
            asyncio.run(every_event.fill(store[0], database=store[1]))
            ended = run(*store, "import", str(file), kill_after_s=lasts_s * number / kills)
            killed += ended.is_killed
            left.append((found := rows(*store)) == before or found == after)
            run(*store, "import", str(file))
            again.append(rows(*store) == after)
    yield _all(
        f"imports, {killed} of them killed, that left all rows as they were, or imported all", left
    )
    yield _all("imports with all rows when they are run again", again)


def _all(what: str, good: Sequence[bool]) -> Outcome:
    return Outcome(what, f"{len(good)} of {len(good)}", f"{sum(good)} of {len(good)}", all(good))


R7: Final = Scenario("R7", "kill -9 of rebuilds", kill_rebuilds)
D4: Final = Scenario("D4", "kill -9 of imports", kill_imports)
R7_PG: Final = Scenario(
    "R7-pg",
    "kill -9 of rebuilds, on PostgreSQL",
    partial(kill_rebuilds, engine=postgresql, kills=KILLS // 2),
)
D4_PG: Final = Scenario(
    "D4-pg",
    "kill -9 of imports, on PostgreSQL",
    partial(kill_imports, engine=postgresql, kills=KILLS // 2),
)
