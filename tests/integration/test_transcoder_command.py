"""The command `transcoder`, as a build has it: routes of generated code, or what is wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

LIBRARY = ROOT / "examples/library"
RULES = (
    "http: {{rules: [{{selector: library.v1.Library.{}}}, {{selector: library.v1.Library.{}}}]}}"
)


def ran(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "transcoder", *arguments],
        cwd=LIBRARY,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_routes_of_generated_code_are_printed_by_path() -> None:
    status, out, err = ran("library_pb2", "--prefix", "/v1")
    assert (status, err) == (0, "")
    head, *rows = [tuple(re.split(" {2,}", line)) for line in out.splitlines()]
    assert head == ("HTTP", "PATH", "METHOD", "SERVED AS")
    assert ("POST", "/v1/books/{id}:lend", "library.v1.Library.LendBook", "JSON, gRPC-Web") in rows
    own = "library.v1.Library", "LendBook"
    assert (
        "POST",
        "/" + "/".join(own),
        ".".join(own),
        "JSON, gRPC-Web, WebSocket, Connect",
    ) in rows
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)


def test_rules_of_a_service_configuration_count(tmp_path: Path) -> None:
    config = tmp_path / "routes.yaml"
    config.write_text(RULES.format("GetBook, get: '/b/{id}'", "ListBooks, get: /b"))
    _, out, _ = ran("library_pb2", "--service-config", str(config))
    paths = [line.split()[1] for line in out.splitlines()]
    assert "/b/{id}" in paths
    assert paths.count("/books/{id}") == 1  # of RemoveBook


def test_check_prints_nothing_for_rules_that_can_be_served() -> None:
    assert ran("library_pb2", "--check") == (0, "", "")


def test_all_faults_are_told(tmp_path: Path) -> None:
    config = tmp_path / "routes.yaml"
    config.write_text(RULES.format("GetBook, get: '/b/{nope}'", "ListBooks, get: '/b/{'"))
    status, out, err = ran("library_pb2", "--check", "--service-config", str(config))
    assert (status, out) == (1, "")
    assert err.startswith("error: 2 faults:\n- ")
    assert "'nope' is not a field of library.v1.GetBookRequest" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("nope_pb2", "module nope_pb2: not found here or among installed packages"),
        ("serve", "module serve: expected generated code with a service, as library_pb2"),
        ("json", "module json: expected generated code with a service, as library_pb2"),
    ],
)
def test_what_is_no_generated_code_is_named(module: str, text: str) -> None:
    assert ran(module) == (2, "", f"error: {text}\n")


def test_its_help_and_version_are_told() -> None:
    status, out, _ = ran("--help")
    assert (status, out.startswith("usage: transcoder ")) == (0, True)
    assert ran("--version")[1].startswith("grpc-transcoder ")
