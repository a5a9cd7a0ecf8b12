"""kill -9 of `rebuild` and `import` midway: the tables are as before, or as they are to be.

Kills come at moments that are spread over the time that the command takes.
"""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from tests.robustness.scenario import Outcome, Scenario
from tests.support import every_event, export_files
from tests.support.every_event import rows

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


def run(folder: Path, *command: str, kill_after_s: float | None = None) -> Ended:
    """Runs a command on the data folder to its end, or kills it.

    Args:
        folder: the data folder.
        command: and its arguments.
        kill_after_s: seconds after its first line of progress.
    """
    arguments = [sys.executable, "-m", "server", *command, "--data-dir", str(folder)]
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8"
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


def damage(folder: Path) -> None:
    """Gives the states of a store other values than their events have."""
    with closing(sqlite3.connect(folder / "events.sqlite")) as database, database:
        database.execute("UPDATE actions SET name = 'wrong', state = 7")
        database.execute("DELETE FROM names WHERE scope = 'user'")


def kill_rebuilds(folder: Path, *, events: int = EVENTS, kills: int = KILLS) -> Iterator[Outcome]:
    data = folder / "data"
    file = folder / "many.jsonl"
    asyncio.run(every_event.fill(data))
    export_files.write_many(file, events=events)
    run(data, "import", str(file))
    right = rows(data)
    damage(data)
    wrong = rows(data)
    lasts_s = run(data, "rebuild").lasted_s
    same = int(rows(data) == right)
    killed = 0
    left: list[bool] = []
    for number in range(kills):
        damage(data)
        killed += run(data, "rebuild", kill_after_s=lasts_s * number / kills).is_killed
        left.append((found := rows(data)) == wrong or found == right)
        run(data, "rebuild")
        same += rows(data) == right
    yield _all(
        f"rebuilds, {killed} of them killed, that left all rows as they were, or right", left
    )
    yield Outcome("rebuilds with identical rows", f"{kills + 1}", f"{same}", same == kills + 1)


def kill_imports(folder: Path, *, events: int = EVENTS, kills: int = KILLS) -> Iterator[Outcome]:
    file = folder / "many.jsonl"
    export_files.write_many(file, events=events)
    first = folder / "first"
    asyncio.run(every_event.fill(first))
    before = rows(first)
    lasts_s = run(first, "import", str(file)).lasted_s
    after = rows(first)
    killed = 0
    left: list[bool] = []
    again: list[bool] = []
    for number in range(kills):
        data = folder / str(number)
        asyncio.run(every_event.fill(data))
        ended = run(data, "import", str(file), kill_after_s=lasts_s * number / kills)
        killed += ended.is_killed
        left.append((found := rows(data)) == before or found == after)
        run(data, "import", str(file))
        again.append(rows(data) == after)
    yield _all(
        f"imports, {killed} of them killed, that left all rows as they were, or imported all", left
    )
    yield _all("imports with all rows when they are run again", again)


def _all(what: str, good: Sequence[bool]) -> Outcome:
    return Outcome(what, f"{len(good)} of {len(good)}", f"{sum(good)} of {len(good)}", all(good))


R7: Final = Scenario("R7", "kill -9 of rebuilds", kill_rebuilds)
D4: Final = Scenario("D4", "kill -9 of imports", kill_imports)
