"""secret: by standard input, in a service that runs; and without a key."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.support.commandline import Server, run
from tests.support.postgresql import shared_server
from tests.support.tables import cases

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another

VALUE = "5ecret of a command"


def test_secrets_are_set_from_standard_input_listed_and_deleted(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        to = ("--address", server.listen)
        done = run("secret", "set", "API_KEY", *to, folder=tmp_path, stdin=f"{VALUE}\n")
        assert (done.status, done.err) == (0, "")
        listed = run("secret", "list", *to, folder=tmp_path)
        (secret,) = json.loads(listed.out)["secrets"]
        assert sorted(secret) == ["changedAt", "createdAt", "name"]
        empty = run("secret", "set", "EMPTY", *to, folder=tmp_path)
        assert (empty.status, json.loads(empty.out)["code"]) == (1, 3)
        assert run("secret", "delete", "API_KEY", *to, folder=tmp_path).status == 0
        assert json.loads(run("secret", "list", *to, folder=tmp_path).out) == {}
        server.stop()
    said = [done.out, listed.out, empty.out, server.log()]
    assert not [text for text in said if "5ecret" in text]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert tmp_path / "data/secret.key" in files
    assert not [path for path in files if b"5ecret" in path.read_bytes()]


@cases("is_postgresql", {"SQLite": False, "PostgreSQL": True})
def test_after_an_import_values_are_missing_until_they_are_set(
    tmp_path: Path, is_postgresql: bool
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    with Server(folder=old) as server:
        to = ("--address", server.listen)
        assert run("secret", "set", "API_KEY", *to, folder=old, stdin=VALUE).status == 0
        server.stop()
    assert run("export", "all.jsonl", folder=old).status == 0
    environment = {"ACTIONS_SECRET_KEY": "5a" * 32}
    if is_postgresql:
        environment["ACTIONS_DATABASE"] = asyncio.run(shared_server().new_database())
    file = str(old / "all.jsonl")
    assert run("import", file, folder=new, environment=environment).status == 0
    (new / "data").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(old / "data/owner.token", new / "data/owner.token")

    def listed() -> list[tuple[str, bool]]:
        found = json.loads(run("secret", "list", *to, folder=new).out)["secrets"]
        return [(secret["name"], "isValueMissing" in secret) for secret in found]

    with Server(folder=new, environment=environment) as server:
        to = ("--address", server.listen)
        before = listed()
        assert run("secret", "set", "API_KEY", *to, folder=new, stdin=VALUE).status == 0
        after = listed()
    assert (before, after) == ([("API_KEY", True)], [("API_KEY", False)])


def test_a_value_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    done = run("secret", "set", "API_KEY", folder=tmp_path, stdin="\udcff")
    assert (done.status, done.err) == (2, "error: standard input: expected UTF-8\n")


def test_postgresql_needs_a_key_for_secrets_alone(tmp_path: Path) -> None:
    environment = {"ACTIONS_DATABASE": asyncio.run(shared_server().new_database())}
    with Server(folder=tmp_path, environment=environment) as server:
        to = ("--address", server.listen)
        refused = run("secret", "set", "API_KEY", *to, folder=tmp_path, stdin=VALUE)
        listed = run("secret", "list", *to, folder=tmp_path)
    status = json.loads(refused.out)
    assert (refused.status, status["code"]) == (1, 9)
    assert status["message"].startswith("No key seals secrets here: set ACTIONS_SECRET_KEY or ")
    assert json.loads(listed.out) == {}
