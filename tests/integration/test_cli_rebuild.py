"""rebuild, as an operator has it."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.support import every_event
from tests.support.commandline import Outcome, Server, run
from tests.support.every_event import rows

MANY = 30_000
"""Events that take a second or so."""


def add_events(folder: Path) -> None:
    """Adds so many events that a rebuild takes a while, and a state that no event led to."""
    added = (
        (1000 + n, "o", "action", f"a{n}", 1, "action.added", f'{{"name": "n{n}"}}', "", n)
        for n in range(MANY)
    )
    with closing(sqlite3.connect(folder / "events.sqlite")) as database, database:
        database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", added)
        database.execute("UPDATE actions SET name = 'wrong'")


def killed_in_the_middle(folder: Path) -> int:
    """Kills a rebuild that has written to the log; returns its exit status."""
    command = [sys.executable, "-m", "server", "rebuild", "--data-dir", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as killed:
        assert killed.stderr is not None
        assert killed.stderr.readline().startswith("applied 0 of ")
        while not (folder / "events.sqlite-wal").stat().st_size:
            assert killed.poll() is None
        killed.kill()
    return killed.returncode


async def test_rebuild_leaves_the_same_rows_and_says_how_far_it_is(tmp_path: Path) -> None:
    await every_event.fill(tmp_path / "data")
    before = rows(tmp_path / "data")
    events = len(before["events"])
    assert run("rebuild", folder=tmp_path) == Outcome(
        0,
        f"rebuilt the current state from {events} events\n",
        f"applied 0 of {events} events\napplied {events} of {events} events\n",
    )
    assert rows(tmp_path / "data") == before
    (tmp_path / "data").rename(tmp_path / "other")
    again = run("rebuild", "--data-dir", "other", "--json", folder=tmp_path)
    assert json.loads(again.out) == {"events": events}


async def test_rebuild_that_was_killed_leaves_all_as_it_was_and_ends_right_when_run_again(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    await every_event.fill(data)
    add_events(data)
    before = rows(data)
    assert killed_in_the_middle(data) == -signal.SIGKILL
    assert rows(data) == before
    done = run("rebuild", folder=tmp_path)
    assert done.status == 0, done.err
    after = rows(data)
    assert len(after["actions"]) == len(before["actions"]) + MANY
    assert "wrong" not in {row[4] for row in after["actions"]}
    assert run("rebuild", folder=tmp_path).status == 0
    assert rows(data) == after


def test_rebuild_is_refused_while_a_server_has_the_folder(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        assert run("rebuild", folder=tmp_path) == Outcome(
            1,
            "",
            f"error: data folder data is in use by process {server.pid}; "
            "stop it first, as rebuild needs the folder for itself\n",
        )
        server.stop()
    assert run("rebuild", folder=tmp_path).out == "rebuilt the current state from 4 events\n"


def test_rebuild_makes_no_database(tmp_path: Path) -> None:
    assert run("rebuild", folder=tmp_path) == Outcome(
        1, "", "error: data has no database yet; run `serve` or `org create` first\n"
    )
    assert [*tmp_path.iterdir()] == []
