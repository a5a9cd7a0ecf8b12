"""secret: by standard input, in a service that runs; and without a key."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.commandline import Server, run
from tests.support.postgresql import shared_server

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
