"""backup, restore and check, as docs/operations.md has them, beside a service that runs."""

import json
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.commandline import Outcome, Server, run

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another
PAGE = Path(__file__).parents[2] / "docs/operations.md"
POSTGRESQL = "\n## On PostgreSQL\n"
COMMAND = re.compile(
    r"^\$ \.venv/bin/python -m server ((?:backup|restore|check)\b.*)$", re.MULTILINE
)


def commands() -> list[list[str]]:
    of_sqlite, _, _ = PAGE.read_text("utf-8").partition(POSTGRESQL)
    return [found.split() for found in COMMAND.findall(of_sqlite)]


def test_the_commands_of_the_page_copy_a_service_that_runs_and_bring_it_back(
    tmp_path: Path,
) -> None:
    back_up, check, restore = commands()
    with Server(folder=tmp_path) as server:
        made = server.call("CreateAction", {"name": "kept", "script": "s"}, "json")
        copied = run(*back_up, folder=tmp_path)
        assert copied.out == "copied all events up to position 5 to copy.sqlite\n"
        assert re.fullmatch(r"(copied \d+ of \d+ pages\n)+", copied.err)
        server.call("CreateAction", {"name": "later", "script": "s"}, "json")
        assert run(*check, folder=tmp_path).out == "data has no faults\n"
        assert run(*restore, folder=tmp_path) == Outcome(
            1,
            "",
            f"error: data folder data is in use by process {server.pid}; "
            "stop it first, as restore needs the folder for itself\n",
        )
        server.stop()
    assert stat.S_IMODE((tmp_path / "copy.sqlite").stat().st_mode) == 0o600
    restored = run(*restore, folder=tmp_path)
    assert restored.out == "data has all events of copy.sqlite, up to position 5\n"
    with Server(folder=tmp_path) as server:
        listed = server.call("ListActions", {}, "json")
    (action,) = json.loads(listed.out)["result"]
    assert (action["id"], action["name"]) == (json.loads(made.out)["id"], "kept")
    assert (tmp_path / "data" / "events.sqlite.replaced").exists()


def test_json_says_the_same(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        server.stop()
    copied = run("backup", "copy.sqlite", "--json", folder=tmp_path)
    assert json.loads(copied.out) == {"file": "copy.sqlite", "position": 4}
    restored = run("restore", "copy.sqlite", "--data-dir", "new", "--json", folder=tmp_path)
    assert json.loads(restored.out) == {"folder": "new", "position": 4}
    checked = run("check", "--data-dir", "new", "--json", folder=tmp_path)
    assert (checked.status, json.loads(checked.out)) == (0, {"faults": []})


def test_check_exits_with_1_and_lists_the_faults(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        server.stop()
    with closing(sqlite3.connect(tmp_path / "data/events.sqlite")) as database, database:
        database.execute("DELETE FROM users")
    checked = run("check", folder=tmp_path)
    assert checked.status == 1
    assert re.fullmatch(r"(users: \d+ is missing, its events make it\n)+", checked.out)
    asked = run("check", "--json", folder=tmp_path)
    assert json.loads(asked.out) == {"faults": checked.out.splitlines()}


def test_a_copy_that_was_killed_leaves_no_file_of_the_name(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        server.stop()
    with closing(sqlite3.connect(tmp_path / "data/events.sqlite")) as database, database:
        database.execute("CREATE TABLE much (text TEXT)")
        database.executemany("INSERT INTO much VALUES (?)", (("x" * 4000,) for _ in range(50_000)))
    command = [sys.executable, "-m", "server", "backup", "copy.sqlite"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, encoding="utf-8"
    ) as killed:
        assert killed.stderr is not None
        assert killed.stderr.readline().startswith("copied ")
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "copy.sqlite").exists()
    assert run("backup", "copy.sqlite", folder=tmp_path).status == 0


@pytest.mark.parametrize("command", [["backup", "copy"], ["check"]])
def test_nothing_is_made_without_a_database(tmp_path: Path, command: list[str]) -> None:
    assert run(*command, folder=tmp_path) == Outcome(
        1, "", "error: data has no database yet; run `serve` or `org create` first\n"
    )
    assert [*tmp_path.iterdir()] == []
