"""export and import between engines: SQLite to PostgreSQL and back, as docs/moving.md has it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import every_event, export_files
from tests.support.commandline import Server, run
from tests.support.every_event import following_rows
from tests.support.postgresql import shared_server

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another
MANY = 5_000
"""Events that take a good part of a second."""


@pytest.fixture
async def there() -> Mapping[str, str]:
    """The variables of commands on an empty PostgreSQL database."""
    return {"ACTIONS_DATABASE": await shared_server().new_database()}


def done(*command: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Runs a command that succeeds; returns what it prints."""
    outcome = run(*command, folder=folder, environment=environment)
    assert outcome.status == 0, outcome.err
    return outcome.out


def events_of(file: Path) -> list[str]:
    """Returns the lines of an export without its header; the last one has the checksum."""
    return file.read_text("utf-8").splitlines()[1:]


async def test_every_event_and_state_is_the_same_in_postgresql_and_back_in_sqlite(
    tmp_path: Path, there: Mapping[str, str]
) -> None:
    await every_event.fill(tmp_path / "data")
    done("export", "first.jsonl", folder=tmp_path)
    done("import", "first.jsonl", folder=tmp_path, environment=there)
    assert done("check", folder=tmp_path, environment=there) == "the database has no faults\n"
    assert done("events", folder=tmp_path, environment=there) == done("events", folder=tmp_path)
    done("export", "second.jsonl", folder=tmp_path, environment=there)
    assert events_of(tmp_path / "second.jsonl") == events_of(tmp_path / "first.jsonl")
    done("import", "second.jsonl", "--data-dir", "back", folder=tmp_path)
    assert following_rows(tmp_path / "back") == following_rows(tmp_path / "data")


def test_a_service_goes_on_in_postgresql_with_its_tokens(
    tmp_path: Path, there: Mapping[str, str]
) -> None:
    with Server(folder=tmp_path) as server:
        made = server.call("CreateAction", {"name": "kept", "script": "s"}, "json")
        server.stop()
    done("export", "all.jsonl", folder=tmp_path)
    done("import", "all.jsonl", folder=tmp_path, environment=there)
    new = tmp_path / "new"
    (new / "data").mkdir(parents=True, mode=0o700)
    (tmp_path / "data/owner.token").rename(new / "data/owner.token")
    with Server(folder=new, environment=there) as server:
        listed = server.call("ListActions", {}, "json")
        id_ = json.loads(made.out)["id"]
        assert server.call("DeactivateAction", {"id": id_}, "json").status == 0
        server.stop()
    (action,) = json.loads(listed.out)["result"]
    assert (action["id"], action["name"]) == (id_, "kept")
    events = done("events", folder=tmp_path, environment=there).splitlines()
    assert [json.loads(line)["position"] for line in events] == [1, 2, 3, 4, 5, 6]


def test_a_service_on_postgresql_has_what_is_imported_while_it_runs(
    tmp_path: Path, there: Mapping[str, str]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with Server(folder=old) as server:
        server.call("CreateAction", {"name": "kept", "script": "s"}, "json")
        server.stop()
    done("export", "all.jsonl", folder=old)
    token = ("--token", (old / "data/owner.token").read_text().strip())
    with Server(folder=new, environment=there) as server:
        assert server.call("ListActions", {}, "json", *token).status == 1
        (org,) = json.loads(done("org", "list", "--json", folder=new, environment=there))
        done("org", "rename", org["id"], "Ours", folder=new, environment=there)
        done("import", str(old / "all.jsonl"), folder=new, environment=there)
        listed = server.call("ListActions", {}, "json", *token)
        assert [action["name"] for action in json.loads(listed.out)["result"]] == ["kept"]
        assert server.call("CreateAction", {"name": "later", "script": "s"}, "json").status == 0
        server.stop()
    assert done("check", folder=new, environment=there) == "the database has no faults\n"


async def test_an_import_into_postgresql_is_all_or_nothing(
    tmp_path: Path, there: Mapping[str, str]
) -> None:
    await every_event.fill(tmp_path / "data")
    done("export", "all.jsonl", folder=tmp_path)
    dry = done("import", "all.jsonl", "--dry-run", folder=tmp_path, environment=there)
    assert dry == (
        "all.jsonl: 56 events of 3 organisations can be imported\n"
        "1 sealed value came without content; set them anew\n"
    )
    assert done("events", folder=tmp_path, environment=there) == ""
    documents = export_files.read(tmp_path / "all.jsonl")
    documents[48]["payload"]["name"] = "acme"
    export_files.write(tmp_path / "bad.jsonl", documents)
    refused = run("import", "bad.jsonl", folder=tmp_path, environment=there)
    assert (refused.status, refused.err.splitlines()[-1]) == (
        1,
        "error: bad.jsonl:49: org.added of org q: the name 'acme' belongs to o",
    )
    assert done("events", folder=tmp_path, environment=there) == ""
    done("import", "all.jsonl", folder=tmp_path, environment=there)
    again = done("import", "all.jsonl", folder=tmp_path, environment=there)
    assert again.startswith("all of all.jsonl is here already ")
    refused = run("import", "bad.jsonl", folder=tmp_path, environment=there)
    assert (refused.status, refused.out) == (1, "")
    assert len(done("events", folder=tmp_path, environment=there).splitlines()) == 56


@pytest.mark.parametrize("engine", ["SQLite", "PostgreSQL"])
async def test_an_organisation_with_ids_of_another_one_is_refused(
    tmp_path: Path, there: Mapping[str, str], engine: str
) -> None:
    await every_event.fill(tmp_path / "data")
    environment = there if engine == "PostgreSQL" else {"ACTIONS_DATA_DIR": "here"}
    done("export", "o.jsonl", "--org", "o", folder=tmp_path)
    done("export", "q.jsonl", "--org", "q", folder=tmp_path)
    made = next(
        event
        for event in export_files.read(tmp_path / "o.jsonl")
        if event.get("type") == "action.added"
    )
    header, *events = export_files.read(tmp_path / "q.jsonl")
    taken = made | {"orgId": "q", "position": events[-1]["position"] + 1}
    header["lastPosition"] = taken["position"]
    export_files.write(tmp_path / "q.jsonl", [header, *events, taken])
    done("import", "q.jsonl", folder=tmp_path, environment=environment)
    kept = done("events", folder=tmp_path, environment=environment)
    refused = run("import", "o.jsonl", folder=tmp_path, environment=environment)
    assert refused.status == 1
    id = made["aggregateId"]
    assert refused.err.endswith(f": action.added of action {id}: action {id} exists already\n")
    assert done("events", folder=tmp_path, environment=environment) == kept
    checked = done("check", folder=tmp_path, environment=environment)
    assert checked.endswith(" has no faults\n")


def test_an_import_into_postgresql_that_was_killed_leaves_nothing(
    tmp_path: Path, there: Mapping[str, str]
) -> None:
    export_files.write_many(tmp_path / "many.jsonl", events=MANY)
    killed = started("import", "many.jsonl", folder=tmp_path, environment=there)
    assert killed.stderr is not None
    while not killed.stderr.readline().startswith("checked "):
        assert killed.poll() is None
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert done("events", folder=tmp_path, environment=there) == ""
    done("import", "many.jsonl", folder=tmp_path, environment=there)
    assert done("check", folder=tmp_path, environment=there) == "the database has no faults\n"


def test_a_rebuild_in_postgresql_that_was_killed_leaves_all_as_it_was(
    tmp_path: Path, there: Mapping[str, str]
) -> None:
    export_files.write_many(tmp_path / "many.jsonl", events=MANY)
    done("import", "many.jsonl", folder=tmp_path, environment=there)
    killed = started("rebuild", folder=tmp_path, environment=there)
    assert killed.stderr is not None
    assert killed.stderr.readline().startswith("applied 0 of ")
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert done("check", folder=tmp_path, environment=there) == "the database has no faults\n"
    done("rebuild", folder=tmp_path, environment=there)
    assert done("check", folder=tmp_path, environment=there) == "the database has no faults\n"


def started(*command: str, folder: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "server", *command],
        cwd=folder,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
