"""import zitadel, as docs/moving.md has it: from a real server of the API, and from files.

The ZITADEL is another instance of this service, which answers the same API.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import Outcome, Server, run
from tests.support.tables import cases

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another
SCRIPT = "function NAME(ctx, api) { ctx.v1.getUser(); }"


class There(Server):
    """The ZITADEL: an instance with two organisations."""

    def done(self, method: str, message: object, *arguments: str) -> dict[str, object]:
        outcome = self.call(method, message, "json", *arguments)
        assert outcome.status == 0, outcome.err
        found: dict[str, object] = json.loads(outcome.out)
        return found

    def add(self, name: str, *arguments: str, **fields: object) -> str:
        message = {"name": name, "script": SCRIPT.replace("NAME", name), **fields}
        return str(self.done("CreateAction", message, *arguments)["id"])

    def fill(self) -> None:
        other = run("org", "create", "Other", "--json", folder=self.folder)
        self.other = ("--org", str(json.loads(other.out)["id"]))
        listed = json.loads(run("org", "list", "--json", folder=self.folder).out)
        (own,) = (row for row in listed if row["id"] != json.loads(other.out)["id"])
        self.own = ("--org", str(own["id"]))
        self.first = self.add("first", timeout="2.500s", allowedToFail=True)
        self.second = self.add("second")
        self.done("DeactivateAction", {"id": self.second})
        self.set_trigger(2, 4, self.second, self.first)
        away = self.add("away", *self.other)
        self.set_trigger(4, 6, away, arguments=self.other)

    def set_trigger(
        self, flow: int, trigger: int, *ids: str, arguments: tuple[str, ...] = ()
    ) -> None:
        message = {"flowType": str(flow), "triggerType": str(trigger), "actionIds": [*ids]}
        self.done("SetTriggerActions", message, *arguments)

    def contents(self) -> list[dict[str, object]]:
        """Returns what clients see of actions and flows, but for sequences."""
        answers = [
            self.done(method, message, *arguments)
            for arguments in (self.own, self.other)
            for method, message in (
                ("ListActions", {}),
                ("GetFlow", {"type": "2"}),
                ("GetFlow", {"type": "4"}),
            )
        ]
        return [without_log(answer) for answer in answers]


def without_log(found: object) -> Any:
    """Returns an answer without what is of the log of events."""
    if isinstance(found, list):
        return [without_log(each) for each in found]
    if isinstance(found, dict):
        return {
            name: without_log(value)
            for name, value in found.items()
            if name not in ("sequence", "viewTimestamp")
        }
    return found


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Path]:
    """Makes the folders of a filled ZITADEL, with its ids, and of an instance started once."""
    folder = tmp_path_factory.mktemp("filled")
    with There(folder=folder) as server:
        server.fill()
        ids = {name: getattr(server, name) for name in ("own", "other", "first", "second")}
        server.stop()
    started = tmp_path_factory.mktemp("started")
    with Server(folder=started) as server:
        server.stop()
    (own,) = json.loads(run("org", "list", "--json", folder=started).out)
    assert run("org", "rename", str(own["id"]), "Ours", folder=started).status == 0
    return folder, ids, started


@pytest.fixture
def there(instances: tuple[Path, dict[str, Any], Path], tmp_path: Path) -> Iterator[There]:
    filled, ids, _ = instances
    shutil.copytree(filled, tmp_path / "there")
    with There(folder=tmp_path / "there") as server:
        vars(server).update(ids)
        yield server


@pytest.fixture
def here(instances: tuple[Path, dict[str, Any], Path], tmp_path: Path) -> Path:
    """Copies an instance that was started once."""
    *_, started = instances
    return Path(shutil.copytree(started, tmp_path / "here"))


def moved(there: There, here: Path, *arguments: str) -> Outcome:
    token = there.folder / "data/owner.token"
    source = (f"http://{there.listen}", "--token-file", str(token))
    return run("import", "zitadel", *source, *arguments, folder=here)


def exported(here: Path, to: str, *arguments: str) -> dict[str, bytes]:
    """Returns the actions and flows here, as files."""
    assert run("export", to, "--folder", *arguments, folder=here).status == 0
    return {
        str(path.relative_to(here / to)): path.read_bytes()
        for path in sorted((here / to).rglob("*"))
        if path.is_file()
    }


def test_actions_and_flows_move_with_ids_states_order_and_dates(there: There, here: Path) -> None:
    done = moved(there, here)
    assert done.status == 0, done.err
    assert done.out == (
        "imported 2 organisations, 3 actions, 2 triggers; "
        "0 differences, 0 of them updated; 0 runs would fail\n"
    )
    assert "read 2 of 2 organisations\n" in done.err
    assert "tried 3 of 3 actions\n" in done.err
    assert run("check", folder=here).out == "data has no faults\n"
    listed = json.loads(there.call("ListActions", {}, "json").out)["result"]
    # The dates there are exact to the microsecond; a creation date is read from the answer.
    index = exported(here, "files")["actions.toml"].decode()
    for action in listed:
        assert f'id = "{action["id"]}"' in index
        assert f"changed = {action['details']['changeDate']}" in index
        assert f"created = {action['details']['creationDate']}" in index
    assert 'timeout = "2.500s"' in index
    assert index.count("active = false") == 1
    assert 'flow = 2\ntrigger = 4\nactions = ["second", "first"]' in index


def test_again_and_again_changes_nothing(there: There, here: Path) -> None:
    assert moved(there, here).status == 0
    before = run("events", folder=here).out
    for arguments in ((), ("--update",)):
        again = moved(there, here, *arguments)
        assert again.out.startswith(
            "imported 0 organisations, 0 actions, 0 triggers; 0 differences"
        )
        assert run("events", folder=here).out == before


def test_what_differs_is_told_and_updated_if_asked(there: There, here: Path) -> None:
    assert moved(there, here).status == 0
    there.done("ReactivateAction", {"id": there.second})
    there.done("UpdateAction", {"id": there.first, "name": "renamed", "script": "var renamed;"})
    there.set_trigger(2, 4, there.first)
    third = there.add("third")
    told = moved(there, here)
    assert "imported 0 organisations, 1 action, 0 triggers; 3 differences, 0 of them" in told.out
    assert f"action {there.second} (second): state\n" in told.out
    assert f"action {there.first} (renamed): name, script, timeout, allowedToFail\n" in told.out
    assert f"trigger 4: {there.second}, {there.first} here, {there.first} there\n" in told.out
    assert f"action {there.first} (renamed): it has no function renamed\n" in told.out
    updated = moved(there, here, "--update", "--no-trial")
    assert "3 differences, 3 of them updated; 0 runs would fail\n" in updated.out
    assert "0 differences" in moved(there, here).out
    assert third in exported(here, "files")["actions.toml"].decode()


def test_a_dry_run_writes_nothing(there: There, here: Path) -> None:
    before = run("events", folder=here).out
    done = moved(there, here, "--dry-run", "--json")
    document = json.loads(done.out)
    assert document["result"] == "dry run"
    assert document["made"] == {"orgs": 2, "actions": 3, "triggers": 2}
    assert run("events", folder=here).out == before


def test_a_database_without_an_owner_is_only_tried(there: There, tmp_path: Path) -> None:
    refused = moved(there, tmp_path)
    assert (refused.status, refused.out) == (1, "")
    assert "start the service once, which makes its owner, then import" in refused.err
    assert moved(there, tmp_path, "--dry-run").out.startswith("would import 2 organisations")
    assert not list(tmp_path.glob("data/*.db"))


def test_one_organisation_moves_alone(there: There, here: Path) -> None:
    _, id = there.other
    assert "imported 1 organisation, 1 action" in moved(there, here, "--org", id).out
    assert set(exported(here, "files", "--org", id)) == {"actions.toml", f"{id}/away.js"}
    assert there.first not in run("events", folder=here).out


def test_the_imported_actions_serve_clients_as_before(there: There, here: Path) -> None:
    before = there.contents()
    assert moved(there, here).status == 0
    there.stop()
    with There(folder=here) as server:  # the first start makes an organisation of its own
        server.own, server.other = there.own, there.other
        assert server.contents() == before


def test_a_folder_of_scripts_is_exported_and_imported(there: There, here: Path) -> None:
    files = exported(there.folder, "files")
    done = run("import", "zitadel", str(there.folder / "files"), folder=here)
    assert done.status == 0, done.err
    assert exported(here, "files", *there.own, *there.other) == files


def test_an_admin_export_says_what_it_lacks(here: Path) -> None:
    action = {"actionId": "281029384756019283", "action": {"name": "a", "script": "function a(){}"}}
    org = {"orgId": "1", "org": {"name": "Acme"}, "actions": [action]}
    (here / "export.json").write_text(json.dumps({"orgs": [org]}))
    done = run("import", "zitadel", "export.json", folder=here)
    assert "unknown: which actions are inactive: new ones are active here\n" in done.out
    assert "unknown: flows 2 and 4: they are as before here\n" in done.out


def test_names_that_differ_in_case_refuse_the_whole_import(here: Path) -> None:
    actions = [
        {"actionId": str(number), "action": {"name": name, "script": "s"}}
        for number, name in enumerate(("other", "greet", "Greet"), start=1)
    ]
    org = {"orgId": "1", "org": {"name": "Acme"}, "actions": actions}
    (here / "export.json").write_text(json.dumps({"orgs": [org]}))
    before = run("events", folder=here).out
    done = run("import", "zitadel", "export.json", folder=here)
    assert (done.status, done.out) == (1, "")
    assert "actions 2 ('greet') and 3 ('Greet') have the same name, apart from case" in done.err
    assert run("events", folder=here).out == before


def test_an_import_that_is_killed_leaves_nothing_or_all(here: Path, tmp_path: Path) -> None:
    actions = [
        {"actionId": str(10**17 + n), "action": {"name": f"a{n}", "script": "s" * 1000}}
        for n in range(2000)
    ]
    export = tmp_path / "export.json"
    export.write_text(
        json.dumps({"orgs": [{"orgId": "1", "org": {"name": "A"}, "actions": actions}]})
    )
    command = ["import", "zitadel", str(export), "--no-trial"]
    before = run("events", folder=here).out.count("\n")
    begun = time.monotonic()
    assert run(*command, "--dry-run", folder=here).status == 0
    took = time.monotonic() - begun
    for part in range(6):
        process = subprocess.Popen([sys.executable, "-m", "server", *command], cwd=here)
        try:
            process.wait(took * (0.5 + part / 10))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert run("events", folder=here).out.count("\n") in (before, before + 2001)
    assert run(*command, folder=here).status == 0
    assert run("events", folder=here).out.count("\n") == before + 2001
    assert run("check", folder=here).out == "data has no faults\n"


@cases(
    "arguments, text, status",
    {
        "no token": (("https://zitadel.example",), "expected --token-file, as SOURCE is a URL", 2),
        "token for a file": (("x.json", "--token-file", "t"), "--token-file is for a URL", 2),
        "no file": (("x.json",), "x.json: No such file or directory", 1),
        "empty token": (("http://127.0.0.1:1", "--token-file", "empty"), "expected a token", 1),
        "no token file": (("http://127.0.0.1:1", "--token-file", "t"), "No such file", 1),
    },
)
def test_wrong_arguments_are_told(
    here: Path, arguments: tuple[str, ...], text: str, status: int
) -> None:
    (here / "empty").touch()
    done = run("import", "zitadel", *arguments, folder=here)
    assert (done.status, done.out) == (status, "")
    assert text in done.err
    assert done.err.count("\n") == 1


def test_a_wrong_token_is_told_in_a_line(there: There, here: Path) -> None:
    (here / "token").write_text("nonsense\n")
    source = (f"http://{there.listen}", "--token-file", "token")
    done = run("import", "zitadel", *source, folder=here)
    assert done.status == 1
    assert "answered 401: Errors.Token.Invalid" in done.err
    assert "nonsense" not in done.err


def test_a_service_on_the_folder_has_to_be_stopped(there: There) -> None:
    done = moved(there, there.folder, "--no-trial")
    assert done.status == 1
    assert "stop it first, as import needs the folder for itself" in done.err
