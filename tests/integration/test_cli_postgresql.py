"""Commands on PostgreSQL, as an operator has them; none of them shows the password."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import every_event
from tests.support.commandline import Outcome, Server, run
from tests.support.every_event import rows as sqlite_rows
from tests.support.postgresql import execute, rows, shared_server

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another

PASSWORD = "s3cret"
MANY = 5_000
"""Events that take a moment to apply."""
NOT_MOVED = ("machine_ids", "runs", "run_actions", "run_totals", "schema_versions")
"""Tables that do not follow from events."""


class Operator:
    """Runs commands on one database, each in the same folder."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.environment = {"ACTIONS_DATABASE": url.replace("@", f":{PASSWORD}@")}

    def run(self, *arguments: str) -> Outcome:
        done = run(*arguments, folder=self.folder, environment=self.environment)
        assert PASSWORD not in done.out + done.err
        return done

    def serve(self) -> Server:
        return Server(folder=self.folder, environment=self.environment)


@pytest.fixture
async def url() -> str:
    return await shared_server().new_database()


@pytest.fixture
def operator(url: str, tmp_path: Path) -> Iterator[Operator]:
    yield Operator(url, tmp_path)
    log = tmp_path / "log.txt"
    assert not log.exists() or PASSWORD not in log.read_text("utf-8")


def shown(url: str) -> str:
    return url.replace("actions@", "")


async def add_events(url: str) -> None:
    """Adds so many events that a rebuild takes a while."""
    await execute(
        url,
        "INSERT INTO events SELECT last + n, 'o', 'action', 'a' || n, 1, 'action.added', "  # noqa: S608 - a number of ours
        """'{"name": "n' || n || '"}', '', n """
        "FROM (SELECT max(position) AS last FROM events) AS held, "
        f"generate_series(1, {MANY}) AS n",
    )


def killed_in_the_middle(operator: Operator) -> int:
    """Kills a rebuild that has emptied the tables of states; returns its exit status."""
    command = [sys.executable, "-m", "server", "rebuild"]
    with subprocess.Popen(
        command,
        cwd=operator.folder,
        env=operator.environment,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as killed:
        assert killed.stderr is not None
        assert killed.stderr.readline().startswith("applied 0 of ")
        killed.kill()
    return killed.returncode


async def test_the_schema_is_brought_up_to_date_once(url: str, operator: Operator) -> None:
    first = "0001_events_and_state"
    assert operator.run("migrate", "--check") == Outcome(1, f"missing: {first}\n", "")
    assert await rows(url) == {}
    assert operator.run("migrate") == Outcome(0, f"applied: {first}\n", "")
    assert json.loads(operator.run("migrate", "--check", "--json").out) == {"missing": []}
    assert operator.run("migrate") == Outcome(0, "the schema is up to date\n", "")


async def test_a_server_does_not_start_on_a_schema_that_is_newer(
    url: str, operator: Operator
) -> None:
    operator.run("migrate")
    await execute(url, "INSERT INTO schema_versions VALUES (99, 'later', 0)")
    due = (
        f"error: {shown(url)} has schema version 99, this program knows 1: "
        "start the newer version that wrote it\n"
    )
    for command in (("migrate",), ("check",), ("serve", "--listen", "127.0.0.1:0")):
        assert operator.run(*command) == Outcome(1, "", due)


def test_accounts_and_events_are_asked_beside_a_service_that_runs(operator: Operator) -> None:
    with operator.serve() as server:
        made = json.loads(server.call("CreateAction", {"name": "kept", "script": "s"}, "json").out)
        (user,) = json.loads(operator.run("user", "list", "--json").out)
        assert operator.run("token", "create", user["id"], "--json").status == 0
        events = [json.loads(line) for line in operator.run("events").out.splitlines()]
        assert [event["position"] for event in events] == [1, 2, 3, 4, 5, 6]
        assert events[4]["aggregateId"] == made["id"]
        assert operator.run("check").out == "data has no faults\n"
        kept = {"owner.token", "lock"}
        assert kept <= {file.name for file in (operator.folder / "data").iterdir()}
        server.stop()
    assert {file.name for file in (operator.folder / "data").iterdir()} == kept


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_copies_are_left_to_the_tools_of_postgresql(operator: Operator, command: str) -> None:
    assert operator.run(command, "copy.sqlite") == Outcome(
        1, "", "error: backup and restore are for SQLite; use pg_dump, or export and import\n"
    )


async def test_rebuild_that_was_killed_leaves_all_as_it_was_and_ends_right_when_run_again(
    url: str, operator: Operator, tmp_path: Path
) -> None:
    await every_event.fill(tmp_path / "data", database=operator.environment["ACTIONS_DATABASE"])
    await add_events(url)
    before = await rows(url)
    assert killed_in_the_middle(operator) == -signal.SIGKILL
    assert await rows(url) == before
    assert operator.run("check").status == 1
    done = operator.run("rebuild")
    assert done.status == 0, done.err
    assert len((await rows(url))["actions"]) == len(before["actions"]) + MANY
    assert operator.run("check").out == "data has no faults\n"


async def test_an_instance_moves_from_sqlite_to_postgresql_and_back_to_the_same_rows(
    url: str, operator: Operator, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    await every_event.fill(old)
    assert run("export", "one.jsonl", "--data-dir", "old", folder=tmp_path).status == 0
    imported = operator.run("import", "one.jsonl")
    assert imported.out == "imported 49 events of 3 organisations from one.jsonl\n"
    assert operator.run("import", "one.jsonl").out.endswith("nothing to do\n")
    assert operator.run("check").out == "data has no faults\n"
    assert operator.run("export", "two.jsonl").status == 0
    assert run("import", "two.jsonl", "--data-dir", "new", folder=tmp_path).status == 0
    before, after = sqlite_rows(old), sqlite_rows(new)
    for table in before.keys() - NOT_MOVED:
        assert after[table] == before[table], table
    one, two = (json_lines(tmp_path / name)[1:-1] for name in ("one.jsonl", "two.jsonl"))
    assert one == two


def json_lines(file: Path) -> list[object]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
