"""Commands on PostgreSQL, as an operator has them; none of them shows the password."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.store.versions import versions_of
from tests.support.commandline import Outcome, Server, run
from tests.support.postgresql import execute, rows, shared_server

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another

PASSWORD = "s3cret"
VERSIONS = versions_of("server.store.postgres")


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


async def test_the_schema_is_brought_up_to_date_once(url: str, operator: Operator) -> None:
    names = ", ".join(map(str, VERSIONS))
    assert operator.run("migrate", "--check") == Outcome(1, f"missing: {names}\n", "")
    assert await rows(url) == {}
    assert operator.run("migrate") == Outcome(0, f"applied: {names}\n", "")
    assert json.loads(operator.run("migrate", "--check", "--json").out) == {"missing": []}
    assert operator.run("migrate") == Outcome(0, "the schema is up to date\n", "")


async def test_a_server_does_not_start_on_a_schema_that_is_newer(
    url: str, operator: Operator
) -> None:
    operator.run("migrate")
    await execute(url, "INSERT INTO schema_versions VALUES (99, 'later', 0)")
    due = (
        f"error: {shown(url)} has schema version 99, this program knows {len(VERSIONS)}: "
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
        assert operator.run("check").out == "the database has no faults\n"
        kept = {"owner.token", "lock"}
        assert kept <= {file.name for file in (operator.folder / "data").iterdir()}
        server.stop()
    assert {file.name for file in (operator.folder / "data").iterdir()} == kept


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_copies_are_left_to_the_tools_of_postgresql(operator: Operator, command: str) -> None:
    assert operator.run(command, "copy.sqlite") == Outcome(
        1, "", "error: backup and restore are for SQLite; use pg_dump, or export and import\n"
    )
