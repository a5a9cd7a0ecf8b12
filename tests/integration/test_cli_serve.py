"""`serve`: what it prints, what it refuses, how it ends."""

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from server.commands.orgs import CreateOrg
from server.commands.queue import CommandQueue
from server.store.opening import open_store
from server.store.versions import versions_of
from tests.support.action_commands import create_action
from tests.support.commandline import TIMEOUT_S, Outcome, Server, run
from tests.support.full_disk import full_disk, make_room
from tests.support.real_server import RealServer
from tests.support.stand_ins import CURL, stand_ins
from tests.support.tables import cases
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another

STAND_INS = {
    "curl": CURL,
    "grpcurl": """
import os, subprocess, sys
plaintext, h, bearer, d, message, address, method = sys.argv[1:]
assert (plaintext, h, d) == ("-plaintext", "-H", "-d")
service, _, name = method.rpartition("/")
assert service == "zitadel.management.v1.ManagementService"
token = bearer.removeprefix("Authorization: Bearer ")
sys.exit(subprocess.call([sys.executable, "-m", "server", "call", name, message,
    "--protocol", "grpc", "--address", address, "--token", token]))
""",
}


def documents(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        text = text[end:]
        yield value


@pytest.mark.parametrize("data_dir", [pytest.param("data", id="default"), "a 'data' $folder"])
def test_every_printed_command_works_as_pasted(data_dir: str, tmp_path: Path) -> None:
    path = stand_ins(tmp_path / "bin", STAND_INS)
    with Server("--data-dir", data_dir, folder=tmp_path, has_terminal=True) as server:
        printed = server.lines_to("# gRPC, with grpcurl")
        commands = [*printed, server.line(), server.line()]
        pasted = "\n".join(
            commands[commands.index("# JSON: create an action, deactivate it, reactivate it") :]
        )
        done = subprocess.run(
            ["sh", "-eu"],  # noqa: S607  the system's
            input=pasted,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    (created,) = documents(done.stderr)
    assert re.fullmatch(r"\d{18}", created["id"])
    assert [answer["details"]["sequence"] for answer in documents(done.stdout)] == [
        "2", "3", "4", "5", "6", "7", "8", "9", "10", "11",
    ]  # fmt: skip
    assert done.returncode == 0


def test_the_first_start_prints_the_owner_token_on_a_terminal(tmp_path: Path) -> None:
    with Server(folder=tmp_path, has_terminal=True) as server:
        folder, org, token, also, _, paste = (server.line() for _ in range(6))
    assert folder == "data folder        data\n"
    assert re.fullmatch(r"organisation       \S.* \(\d{18}\), made just now\n", org)
    assert re.fullmatch(r"owner token        act_[\w-]{43}\n", token)
    assert also == "                   also in data/owner.token\n"
    assert paste == "To paste, in this order, in another shell in the same folder:\n"
    file = tmp_path / "data" / "owner.token"
    assert file.read_text().strip() == token.split()[-1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@cases(
    "options, has_terminal",
    {
        "pipe": ((), False),
        "pipe and json": (("--log-format", "json"), False),
        "terminal and json": (("--log-format", "json"), True),
    },
)
def test_first_start_whose_output_may_be_collected_prints_no_token(
    options: tuple[str, ...], has_terminal: bool, tmp_path: Path
) -> None:
    with Server(*options, folder=tmp_path, has_terminal=has_terminal) as server:
        _, org, token = server.line(), server.line(), server.line()
        server.signal(signal.SIGTERM)
        rest = server.line()
        assert server.wait() == 0
    assert org.endswith("made just now\n")
    place = "in data/owner.token; it and commands are printed on a terminal only"
    assert token == f"owner token        {place}\n"
    assert rest == ""
    secret = (tmp_path / "data" / "owner.token").read_text().strip()
    assert secret not in server.log()


def test_it_prints_the_address_of_its_openapi_document(tmp_path: Path) -> None:
    with (
        Server(folder=tmp_path) as server,
        urllib.request.urlopen(server.openapi, timeout=TIMEOUT_S) as answer,  # noqa: S310  ours
    ):
        document = json.load(answer)
    assert document["info"]["title"] == "Actions API"
    search = document["paths"]["/management/v1/actions/_search"]["post"]
    assert search["operationId"] == "zitadel.management.v1.ManagementService.ListActions"
    assert document["security"] == [{"token": []}]
    assert "security" not in search
    assert document["paths"]["/management/v1/healthz"]["get"]["security"] == []
    assert search["summary"] == "The actions of the organisation that pass all filters"


def test_it_prints_the_address_of_its_page(tmp_path: Path) -> None:
    with (
        Server(folder=tmp_path) as server,
        urllib.request.urlopen(server.docs, timeout=TIMEOUT_S) as answer,  # noqa: S310  ours
    ):
        assert "<title>Actions API</title>" in answer.read().decode()


def test_without_openapi_it_serves_and_prints_neither(tmp_path: Path) -> None:
    with RealServer(tmp_path / "data", "--no-openapi") as server:
        assert server.process.line().startswith("data folder")
        assert [server.answer("GET", path)[0] for path in ("/openapi.json", "/docs")] == [404, 404]


def test_later_starts_print_where_the_token_is(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as first:
        first.stop()
    token = (tmp_path / "data" / "owner.token").read_text()
    with Server(folder=tmp_path) as second:
        assert [second.line(), second.line()] == [
            "data folder        data\n",
            "owner token        in data/owner.token\n",
        ]
        assert second.call("ListActions", {}, "json").status == 0
        second.signal(signal.SIGTERM)
        assert second.line() == ""
    assert (tmp_path / "data" / "owner.token").read_text() == token


def test_a_store_that_is_not_empty_is_given_no_owner(tmp_path: Path) -> None:
    assert run("org", "create", "Acme", folder=tmp_path).status == 0
    with Server(folder=tmp_path) as server:
        assert [server.line(), server.line()] == [
            "data folder        data\n",
            "owner token        none in data/owner.token; token create makes one\n",
        ]
    assert not (tmp_path / "data" / "owner.token").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(number: signal.Signals, tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        server.signal(number)
        assert server.wait() == 0
        assert "Traceback" not in server.log()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "events.sqlite",
        "last-position",
        "lock",
        "owner.token",
    ]


def test_sighup_without_tls_is_a_line_in_the_log(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        server.signal(signal.SIGHUP)
        until(lambda: "nothing to read again" in server.log())
        assert run("org", "list", folder=tmp_path).status == 0
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_it_serves_on_when_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    with Server(folder=tmp_path, is_read=False) as server:
        deadline = time.monotonic() + TIMEOUT_S
        while run("org", "list", folder=tmp_path).status != 0:
            assert time.monotonic() < deadline, server.log()
        server.stop()


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_it_serves_and_drains_with_standard_streams_closed(closed: str, tmp_path: Path) -> None:
    # A shell closes what a daemon is not given; nothing may then be written to a socket instead.
    server = (
        f'exec "{sys.executable}" -m server serve --listen 127.0.0.1:0 --grpc-listen 127.0.0.1:0'
    )
    with subprocess.Popen(["/bin/sh", "-c", f"{server} {closed}"], cwd=tmp_path) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while run("org", "list", folder=tmp_path).status != 0:
            assert process.poll() is None
            assert time.monotonic() < deadline
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0


def test_it_starts_on_a_full_disk_and_writes_once_there_is_room(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as first:
        first.stop()
    # There is room for the log's first lines, and for nothing of the database.
    with full_disk(4096):
        server = Server(folder=tmp_path)
    action = {"name": "a", "script": "function a() {}"}
    with server:
        assert server.call("ListActions", {}, "json").status == 0
        refused = server.call("CreateAction", action, "json")
        assert json.loads(refused.out)["code"] == 14
        assert server.log().count("nothing can be written: reads are answered, writes fail") == 1
        make_room(server.pid)
        assert server.call("CreateAction", action, "json").status == 0
        server.stop()
        assert "Traceback" not in server.log()


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        token = (tmp_path / "data" / "owner.token").read_bytes().strip()
        host, _, port = server.listen.rpartition(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(
                b"POST /management/v1/actions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
                b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
                b"Authorization: Bearer %s\r\n\r\n" % token
            )
            assert slow.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            server.signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                server.wait(0.5)
            server.signal(signal.SIGTERM)
            assert server.wait(5) == 128 + signal.SIGTERM


def test_a_signal_that_is_told_twice_at_once_is_one(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            server.signal(number)
        assert server.wait() == 0, server.log()


@pytest.mark.parametrize("name", ["lock", "events.sqlite", "owner.token", "admin.sock"])
def test_a_file_that_somebody_has_placed_is_one_line_that_names_it(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).symlink_to(tmp_path / "victim")
    outcome = run("serve", "--listen=127.0.0.1:0", "--grpc-listen=127.0.0.1:0", folder=tmp_path)
    assert (outcome.status, outcome.out) == (1, "")
    *_, said = outcome.err.splitlines()
    kind, folder = "a regular file", "data"
    if name == "admin.sock":
        kind, folder = "a socket", f"{tmp_path}/data"
    assert said == (
        f"error: {folder}/{name}: expected {kind}, got a symbolic link; remove it, or move it away"
    )
    assert not (tmp_path / "victim").exists()


def test_a_folder_that_others_may_write_is_served_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    with Server(folder=tmp_path) as server:
        server.stop()
        warned = [line for line in server.log().splitlines() if "warning" in line]
    assert len(warned) == 1
    assert warned[0].endswith(
        "other users can replace the data folder=data "
        'reason="its mode 0777 lets others write in it"'
    )


def test_a_data_folder_in_use_is_one_line_that_names_it(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        second = run("serve", "--listen", "127.0.0.1:0", folder=tmp_path)
        assert second == Outcome(
            1, "", f"error: data folder data is in use by process {server.pid}\n"
        )
        assert run("org", "list", folder=tmp_path).status == 0


@pytest.mark.parametrize("setting", ["--listen", "--grpc-listen"])
def test_an_address_in_use_is_one_line_that_names_it(setting: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = {"--listen": "127.0.0.1:0", "--grpc-listen": "127.0.0.1:0", setting: address}
        outcome = run("serve", *(part for pair in free.items() for part in pair), folder=tmp_path)
    assert (outcome.status, outcome.out) == (1, "")
    set_by = f"{setting}, ACTIONS_{setting.strip('-').replace('-', '_').upper()}"
    assert outcome.err == f"error: cannot listen on {address} ({set_by}): Address already in use\n"
    # It was no first start: the next one is, and tells the token.
    assert not (tmp_path / "data" / "owner.token").exists()
    with Server(folder=tmp_path) as server:
        assert any("made just now" in line for line in server.lines_to("organisation"))


@pytest.mark.parametrize("setting", ["--listen", "--grpc-listen"])
def test_an_address_that_is_nowhere_is_one_line(setting: str, tmp_path: Path) -> None:
    free = {"--listen": "127.0.0.1:0", "--grpc-listen": "127.0.0.1:0", setting: "host.invalid:1"}
    outcome = run("serve", *(part for pair in free.items() for part in pair), folder=tmp_path)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"error: cannot listen on host.invalid:1 ({setting}, ")
    assert outcome.err.count("\n") == 1


def test_two_servers_do_not_share_a_grpc_port(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Server(folder=tmp_path / "one") as server:
        addresses = ("--listen", "127.0.0.1:0", "--grpc-listen", server.grpc_listen)
        second = run("serve", *addresses, folder=tmp_path / "two")
    assert second.status == 1


def test_tokens_made_and_revoked_while_it_serves_count_at_once(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        user = json.loads(run("user", "create", "bot", "--json", folder=tmp_path).out)
        run("member", "add", user["id"], "ORG_OWNER_VIEWER", folder=tmp_path)
        token = json.loads(run("token", "create", user["id"], "--json", folder=tmp_path).out)
        options = ("--token", token["token"])
        assert server.call("ListActions", {}, "json", *options).status == 0
        created = server.call("CreateAction", {"name": "a", "script": "a"}, "json", *options)
        assert json.loads(created.out)["code"] == 7
        assert run("token", "revoke", token["id"], folder=tmp_path).status == 0
        revoked = server.call("ListActions", {}, "json", *options)
        assert json.loads(revoked.out)["message"] == "Errors.Token.Invalid (AUTH-7fs1e)"


async def with_actions(folder: Path, many: int) -> None:
    """An organisation "acme" that has actions, in a data folder that is nobody's."""
    store = await open_store(folder)
    async with CommandQueue(store) as queue:
        await queue.execute(CreateOrg("acme", "Acme", ""))
        actions = (create_action("acme", str(n), str(n)) for n in range(many))
        await asyncio.gather(*map(queue.execute, actions))
    await store.close()


async def test_a_removal_goes_on_after_kill_9_of_all_that_took_part(tmp_path: Path) -> None:
    await with_actions(tmp_path / "data", 5000)
    removal = (sys.executable, "-m", "server", "org", "remove", "acme", "--yes")
    with Server(folder=tmp_path) as server:
        with subprocess.Popen(  # noqa: ASYNC220  a line is all that is waited for
            removal, cwd=tmp_path, stderr=subprocess.PIPE, encoding="utf-8"
        ) as process:
            assert process.stderr is not None
            told = process.stderr.readline()
            process.kill()
        server.signal(signal.SIGKILL)
        server.wait()
    assert told == "deleted 2048 of 5000\n"
    assert "Acme" not in run("org", "list", folder=tmp_path).out
    finished = run("org", "remove", "acme", "--yes", folder=tmp_path)
    assert (finished.status, finished.out) == (0, "removed organisation acme\n")
    assert run("org", "remove", "acme", "--yes", folder=tmp_path).status == 1


def test_after_kill_9_everything_starts_again(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        server.signal(signal.SIGKILL)
        server.wait()
    assert run("org", "list", folder=tmp_path).status == 0
    with Server(folder=tmp_path) as server:
        assert server.call("ListActions", {}, "grpc").status == 0
        assert run("org", "list", folder=tmp_path).status == 0


def test_the_log_is_json_lines_when_asked(tmp_path: Path) -> None:
    with Server("--log-format", "json", folder=tmp_path) as server:
        assert server.call("ListActions", {}, "json").status == 0
        assert server.call("ListActions", {}, "grpc").status == 0
        server.stop()
        entries = [json.loads(line) for line in server.log().splitlines()]
    calls = [entry for entry in entries if "request_id" in entry]
    assert len(calls) == 2


def test_without_an_access_log_calls_leave_no_line(tmp_path: Path) -> None:
    with Server("--no-access-log", folder=tmp_path) as server:
        assert server.call("ListActions", {}, "json").status == 0
        server.stop()
        assert "ListActions" not in server.log()


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    environment = {"ACTIONS_DATA_DIR": "elsewhere"}
    with Server(folder=tmp_path, environment=environment) as server:
        assert server.line() == "data folder        elsewhere\n"
    assert (tmp_path / "elsewhere" / "events.sqlite").exists()


def served(*arguments: str, folder: Path, **environment: str) -> tuple[Server, list[Any]]:
    """The log lines of a service that has started and was stopped."""
    options = ("--log-format", "json", *arguments)
    with Server(*options, folder=folder, environment=environment) as server:
        server.stop()
    return server, [json.loads(line) for line in server.log().splitlines()]


def test_the_log_says_what_serves_and_where(tmp_path: Path) -> None:
    server, lines = served(folder=tmp_path)
    (line,) = (line for line in lines if line["event"] == "serving")
    names = ",".join(str(version) for version in versions_of("server.store.sqlite"))
    assert {name: line[name] for name in line if name != "time"} == {
        "level": "info",
        "event": "serving",
        "version": version("actions-service"),
        "listen": server.listen,
        "grpc_listen": server.grpc_listen,
        "metrics_listen": "none",
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
