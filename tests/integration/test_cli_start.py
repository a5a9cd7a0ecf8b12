"""`serve`: what its log says of the start."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from server.store.sqlite import schema
from tests.support.commandline import Server, run

pytestmark = pytest.mark.timeout(240)  # a test is some processes, one after another


def served(*arguments: str, folder: Path, **environment: str) -> tuple[Server, list[Any]]:
    """The log lines of a service that has started and was stopped."""
    options = ("--log-format", "json", *arguments)
    with Server(*options, folder=folder, environment=environment) as server:
        server.stop()
    return server, [json.loads(line) for line in server.log().splitlines()]


def test_the_log_says_what_serves_and_where(tmp_path: Path) -> None:
    server, lines = served(folder=tmp_path)
    (line,) = (line for line in lines if line["event"] == "serving")
    names = ",".join(f"{version.number:04}_{version.name}" for version in schema.versions())
    assert {name: line[name] for name in line if name != "time"} == {
        "level": "info",
        "event": "serving",
        "version": version("actions-service"),
        "listen": server.listen,
        "grpc_listen": server.grpc_listen,
        "data_dir": str(tmp_path / "data"),
        "migrations": names,
    }
    (tmp_path / "log.txt").unlink()
    _, lines = served(folder=tmp_path)
    assert [line["migrations"] for line in lines if line["event"] == "serving"] == ["none"]


def test_a_misspelt_variable_is_a_warning_that_names_the_nearest_setting(tmp_path: Path) -> None:
    _, (first, *rest) = served(folder=tmp_path, ACTIONS_LOG_FORMT="json", ACTIONS_PORT="tcp://x")
    assert (first["level"], first["event"], first["variable"], first["nearest"]) == (
        "warning",
        "variable is ignored, as no setting has this name",
        "ACTIONS_LOG_FORMT",
        "ACTIONS_LOG_FORMAT",
    )
    assert not [line for line in rest if "variable" in line]


def test_check_config_warns_of_a_misspelt_variable(tmp_path: Path) -> None:
    environment = {"ACTIONS_LISTN": "127.0.0.1:9"}
    outcome = run("serve", "--check-config", folder=tmp_path, environment=environment)
    assert (outcome.status, outcome.err) == (
        0,
        "warning: ACTIONS_LISTN is ignored, the nearest setting is ACTIONS_LISTEN\n",
    )
    assert 'listen = "127.0.0.1:8080"  # default' in outcome.out
