"""`call`: the three protocols of a real server give the same answers, and a failure is one line."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_client import METHODS
from tests.support.commandline import TIMEOUT_S, Outcome, Server, run
from tests.support.tables import by_outcome

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another

SCRIPT = "function hello(ctx, api) {}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(folder=tmp_path_factory.mktemp("serve")) as running:
        yield running


def asked(protocol: str, address: str, *options: str, folder: Path) -> Outcome:
    """Calls Healthz at an address."""
    at = ("--protocol", protocol, "--address", address)
    return run("call", "Healthz", *at, *options, folder=folder)


def answer(outcome: Outcome) -> Any:
    assert outcome.err == ""
    assert outcome.status == 0
    return json.loads(outcome.out)


def status(outcome: Outcome) -> Any:
    assert outcome.err == ""
    assert outcome.status == 1
    return json.loads(outcome.out)


def test_a_deactivated_action_is_reactivated_once(protocol: str, server: Server) -> None:
    created = answer(
        server.call("CreateAction", {"name": f"a {protocol}", "script": SCRIPT}, protocol)
    )
    action = {"id": created["id"]}
    answer(server.call("DeactivateAction", action, protocol))
    details = answer(server.call("ReactivateAction", action, protocol))["details"]
    assert details == {
        "sequence": "3",
        "creationDate": created["details"]["creationDate"],
        "changeDate": details["changeDate"],
        "resourceOwner": created["details"]["resourceOwner"],
    }
    assert status(server.call("ReactivateAction", action, protocol)) == {
        "code": 9,
        "message": "Action is not inactive (COMMAND-J53zh)",
        "details": [
            {
                "@type": "type.googleapis.com/zitadel.v1.ErrorDetail",
                "id": "COMMAND-J53zh",
                "message": "Action is not inactive",
            }
        ],
    }


def test_actions_are_run_and_runs_are_listed(protocol: str, server: Server) -> None:
    name = protocol.replace("-", "_")
    script = f"function {name}(ctx, api) {{ if (ctx.v1.claims.sub) throw new Error('no') }}"
    id = answer(server.call("CreateAction", {"name": name, "script": script}, protocol))["id"]
    trigger = {"flowType": "2", "triggerType": "4"}
    answer(server.call("SetTriggerActions", {**trigger, "actionIds": [id]}, protocol))
    ran = answer(server.call("RunTrigger", {**trigger, "context": {"claims": {"a": 1}}}, protocol))
    assert ran["actions"][0]["state"] == "ACTION_STATE_SUCCEEDED"
    failed = server.call("RunTrigger", {**trigger, "context": {"claims": {"sub": "1"}}}, protocol)
    text, detail = status(failed)["details"]
    assert text["message"].startswith(f"Action {name} failed: Error: no at {name} (<eval>:1:")
    assert detail["@type"] == "type.googleapis.com/actions.v1.RunFailure"
    only_failed = {"actionId": id, "onlyFailed": True}
    (logged,) = answer(server.call("ListRuns", only_failed, protocol))["runs"]
    assert logged["id"] == detail["runId"]
    assert answer(server.call("GetExampleContext", trigger, protocol))["context"]["claims"]


def test_each_kind_of_rule_is_called(protocol: str, server: Server) -> None:
    answer(server.call("Healthz", {}, protocol))
    message = {"name": f"é {protocol}", "script": SCRIPT, "timeout": "10s", "allowedToFail": True}
    action_id = answer(server.call("CreateAction", message, protocol))["id"]
    answer(server.call("UpdateAction", {**message, "id": action_id, "timeout": "5s"}, protocol))
    action = answer(server.call("GetAction", {"id": action_id}, protocol))["action"]
    assert action == {
        "id": action_id,
        "details": action["details"],
        "state": "ACTION_STATE_ACTIVE",
        "name": f"é {protocol}",
        "script": SCRIPT,
        "timeout": "5s",
        "allowedToFail": True,
    }
    listed = answer(server.call("ListActions", {"query": {"limit": 1000}}, protocol))["result"]
    assert action in listed
    assert answer(server.call("DeleteAction", {"id": action_id}, protocol)) == {}
    assert status(server.call("GetAction", {"id": action_id}, protocol))["code"] == 5


def test_the_caller_may_be_given(protocol: str, server: Server) -> None:
    nobody = server.call("ListActions", {}, protocol, "--token", "")
    assert status(nobody) == {"code": 16, "message": "auth header missing"}
    stranger = server.call("ListActions", {}, protocol, "--token", "garbage")
    assert status(stranger)["message"] == "Errors.Token.Invalid (AUTH-7fs1e)"
    elsewhere = server.call("ListActions", {}, protocol, "--org", "1")
    assert status(elsewhere)["message"] == "Organisation doesn't exist (AUTH-Bs7Ds)"


def test_the_message_may_come_from_standard_input(server: Server, tmp_path: Path) -> None:
    outcome = run(
        "call", "Healthz", "-", "--address", server.listen, folder=tmp_path, stdin='{"unknown": 1}'
    )
    assert outcome == Outcome(
        2,
        "",
        "error: expected a HealthzRequest as JSON: body: 'unknown' is no field of "
        "zitadel.management.v1.HealthzRequest\n",
    )


def test_input_that_is_not_text_is_one_line(tmp_path: Path) -> None:
    outcome = run("call", "Healthz", "-", folder=tmp_path, stdin="\udcff")
    line = "error: expected a HealthzRequest as JSON: expected an object, got '\\udcff'\n"
    assert outcome == Outcome(2, "", line)


@by_outcome(
    "arguments, line",
    {
        f"error: unknown method 'Reactivate': expected one of {', '.join(METHODS)}\n": {
            "unknown method": ("Reactivate",)
        },
        "error: expected a GetActionRequest as JSON: body: expected JSON, got the end of the "
        "text at line 1, column 6\n": {"no JSON": ("GetAction", '{"id"')},
        "error: expected a ListActionsRequest as JSON: query: 'limitt' is no field of "
        "zitadel.v1.ListQuery\n": {
            "an unknown member": ("ListActions", '{"query": {"limitt": 1}}')
        },
        "error: expected a GetActionRequest as JSON: id: given twice\n": {
            "a member twice": ("GetAction", '{"id": "1", "id": "2"}')
        },
        "error: expected a RunTriggerRequest as JSON: body: expected JSON, got 'NaN}}' at ": {
            "NaN in a Struct": ("RunTrigger", '{"context": {"a": NaN}}')
        },
        "error: expected a GetActionRequest as JSON: ": {
            "nested too deep": ("GetAction", '{"id":' * 10_000)
        },
        "error: expected a GetActionRequest as JSON: expected an object, got '[]'\n": {
            "no object": ("GetAction", "[]")
        },
        "error: expected a GetActionRequest as JSON: expected an object, got ''\n": {
            "nothing": ("GetAction", "")
        },
        "error: expected a GetActionRequest as JSON: id: expected string, got 1\n": {
            "wrong type": ("GetAction", '{"id": 1}')
        },
        "error: --address: expected host:port or unix:path, got '8080'\n": {
            "address": ("GetAction", "--address", "8080")
        },
        "error: --token: expected printable ASCII\n": {"token": ("GetAction", "--token", "a\nb")},
        "error: Invalid value for '--protocol': 'soap' is not one of ": {
            "protocol": ("GetAction", "--protocol", "soap")
        },
        **{
            f"error: Invalid value for '--timeout': expected seconds from 0.001 to 86400, "
            f"got '{text}' (python -m server call --help shows usage)\n": {
                f"timeout {text}": ("GetAction", "--timeout", text)
            }
            for text in ("0", "86401", "nan", "soon")
        },
    },
)
def test_misuse_is_one_line_and_exit_2(
    arguments: tuple[str, ...], line: str, tmp_path: Path
) -> None:
    outcome = run("call", *arguments, folder=tmp_path)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(line)
    assert outcome.err.count("\n") == 1


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address that nobody listens at, and that nobody else takes meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_refused_connection_is_one_line(protocol: str, closed_port: str, tmp_path: Path) -> None:
    outcome = asked(protocol, closed_port, folder=tmp_path)
    assert outcome == Outcome(1, "", f"error: {closed_port}: Connection refused\n")


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of one that reads what it is sent, and answers as the test says."""

    def serve() -> None:
        with listening.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(request.param)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


WEB_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"
NO_HTTP = "expected an HTTP answer, got something else"
NO_WEB = "expected an answer over grpc-web, got something else"


@pytest.mark.parametrize(
    ("protocol", "answering", "code"),
    [
        pytest.param("json", b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", 12, id="HTML, 404"),
        pytest.param("json", b"HTTP/1.1 502 No\r\nContent-Length: 2\r\n\r\nno", 14, id="HTML, 502"),
        pytest.param("grpc-web", b"HTTP/1.1 403 No\r\n" + EMPTY, 7, id="no gRPC-Web, 403"),
        pytest.param("grpc-web", WEB_HEAD + b"grpc-status: 5\r\n" + EMPTY, 5, id="trailers only"),
    ],
    indirect=["answering"],
)
def test_an_answer_without_a_status_is_given_one(
    protocol: str, answering: str, code: int, tmp_path: Path
) -> None:
    outcome = asked(protocol, answering, folder=tmp_path)
    assert status(outcome)["code"] == code


@pytest.fixture
def http_alone() -> Iterator[str]:
    """The address of a server without HTTP/2."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("protocol", "answering", "why"),
    [
        pytest.param("json", b"SSH-2.0-x\r\n", NO_HTTP, id="no HTTP"),
        pytest.param("json", b"", "expected an HTTP answer, got none", id="nothing"),
        pytest.param(
            "json",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            "expected an HTTP answer, got a part of one",
            id="cut",
        ),
        pytest.param("grpc-web", WEB_HEAD + b"grpc-status: x\r\n" + EMPTY, NO_WEB, id="no number"),
    ],
    indirect=["answering"],
)
def test_a_server_of_another_protocol_is_one_line(
    protocol: str, answering: str, why: str, tmp_path: Path
) -> None:
    outcome = asked(protocol, answering, folder=tmp_path)
    assert outcome == Outcome(1, "", f"error: {answering}: {why}\n")


def test_the_port_of_another_protocol_is_one_line(
    server: Server, http_alone: str, tmp_path: Path
) -> None:
    for protocol, address, why in (
        ("grpc", http_alone, "expected a gRPC answer, got none"),
        ("json", server.grpc_listen, NO_HTTP),
        ("grpc-web", server.grpc_listen, NO_HTTP),
    ):
        outcome = asked(protocol, address, folder=tmp_path)
        assert outcome == Outcome(1, "", f"error: {address}: {why}\n")


def test_grpc_without_an_address_of_its_own_is_called_at_that_of_json(server: Server) -> None:
    environment = {"ACTIONS_LISTEN": server.listen, "ACTIONS_GRPC_LISTEN": "none"}
    call = ("call", "ListActions", "--protocol", "grpc")
    assert run(*call, folder=server.folder, environment=environment).status == 0


def test_a_server_that_never_answers_is_deadline_exceeded(protocol: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        outcome = asked(protocol, address, "--timeout", "0.2", folder=tmp_path)
        assert status(outcome)["code"] == 4


def test_the_token_comes_from_the_environment_before_the_data_folder(server: Server) -> None:
    outcome = run(
        "call",
        "ListActions",
        "--address",
        server.listen,
        folder=server.folder,
        environment={"ACTIONS_TOKEN": "garbage"},
    )
    assert status(outcome)["message"] == "Errors.Token.Invalid (AUTH-7fs1e)"


def test_an_owner_token_that_cannot_be_read_is_one_line(server: Server, tmp_path: Path) -> None:
    for make, why in (
        (Path.mkdir, "Is a directory"),
        (lambda path: path.write_bytes(b"act_\xff"), "not ASCII"),
    ):
        data = tmp_path / why
        data.mkdir()
        make(data / "owner.token")
        options = ("--address", server.listen, "--data-dir", str(data))
        outcome = run("call", "ListActions", *options, folder=tmp_path)
        remedy = "give --token, or --token '' to call without one"
        said = f"cannot read {data}/owner.token: {why}; {remedy}"
        assert outcome == Outcome(1, "", f"error: {said}\n")


def test_ctrl_c_ends_a_call_quietly(protocol: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        options = ("--protocol", protocol, "--address", address, "--timeout", "60")
        command = [sys.executable, "-m", "server", "call", "Healthz", *options]
        pipe = subprocess.PIPE
        with (
            subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe) as process,
            ExitStack() as left,
        ):
            left.callback(process.kill)
            left.enter_context(silent.accept()[0])
            if protocol == "grpc":  # the first only looks whether anyone listens
                left.enter_context(silent.accept()[0])
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert (out, err.strip()) == (b"", b"")
