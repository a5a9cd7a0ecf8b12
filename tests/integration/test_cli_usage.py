"""Help, version, settings and usage errors of the command line."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commandline import Outcome, run
from tests.support.tables import by_outcome

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another


COMMANDS = (
    "serve, call, rebuild, export, import, org create, org rename, org remove, org list, "
    "user create, user update, user remove, user list, member add, member set-roles, "
    "member remove, member list, token create, token list, token revoke, token rotate, "
    "secret set, secret list, secret delete, secret-key new, secret-key rotate"
)


@pytest.mark.parametrize("command", ["", *COMMANDS.split(", ")])
def test_each_command_has_help(command: str, tmp_path: Path) -> None:
    arguments = command.split()
    outcome = run(*arguments, "--help", folder=tmp_path)
    assert outcome.status == 0
    assert outcome.out.startswith(" ".join(("Usage: python -m server", *arguments, "[OPTIONS]")))
    assert outcome.err == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "group",
    [(), ("org",), ("user",), ("member",), ("token",), ("key",), ("secret",), ("bridge",)],
    ids=lambda group: " ".join(group) or "all",
)
def test_help_describes_a_command_completely(group: tuple[str, ...], tmp_path: Path) -> None:
    told = run(*group, "--help", folder=tmp_path).out.partition("\nCommands:\n")[2].splitlines()
    assert told
    assert all(line.endswith(".") and not line.endswith("...") for line in told)


def test_ctrl_c_while_it_starts_is_no_traceback(tmp_path: Path) -> None:
    # Its first import of ours is of a module that sends the signal.
    script = (
        "import os, signal, sys, types;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "class_ = type('Finder', (), {'find_spec': staticmethod(lambda name, *_: "
        "os.kill(os.getpid(), signal.SIGINT) if name == 'server.cli' else None)});"
        "sys.meta_path.insert(0, class_);"
        "from server.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_help_imports_nothing_that_takes_long(tmp_path: Path) -> None:
    script = (
        "import sys; from server.cli import commands; "
        "commands.main(['serve', '--help'], standalone_mode=False); "
        "print(sorted({'grpc', 'aiohttp', 'sqlite3', 'google', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"


def test_version_is_one_line(tmp_path: Path) -> None:
    outcome = run("--version", folder=tmp_path)
    assert outcome.status == 0
    assert re.fullmatch(r"actions-service,? [^\n]+\n", outcome.out)


EXPIRES = ("token", "create", "1", "--expires")


@by_outcome(
    "arguments, line",
    {
        "error: --listen: expected host:port, [IPv6]:port or unix:path, "
        "with a port from 0 to 65535, got 'nowhere'\n": {"flag": ("serve", "--listen", "nowhere")},
        "error: --config: cannot read 'absent.toml': No such file or directory\n": {
            "file": ("org", "list", "--config", "absent.toml")
        },
        "error: No such option '--listne'": {"unknown flag": ("serve", "--listne", "a:1")},
        "error: Option '--listen' requires an argument\n": {
            "flag without its value": ("serve", "--listen")
        },
        "error: No such command 'orgs'": {"unknown command": ("orgs",)},
        "error: Missing argument 'NAME'": {"no name": ("org", "create")},
        "error: expected --name, --language or --subject\n": {
            "nothing to update": ("user", "update", "1")
        },
        "error: Invalid value for '--expires': expected never, a time from now (12h, 90d), or "
        "a date and time with its zone (2030-01-31T12:00:00Z), got 'soon'": {
            "bad expiry": (*EXPIRES, "soon")
        },
        "error: Invalid value for '--expires'": {
            "expiry without a zone": (*EXPIRES, "2030-01-31T12:00:00"),
            "expiry beyond the calendar": (*EXPIRES, "999999999w"),
            "expiry beyond the calendar in UTC": (*EXPIRES, "9999-12-31T23:59:59-12:00"),
        },
    },
)
def test_misuse_is_one_line_and_exit_2(
    arguments: tuple[str, ...], line: str, tmp_path: Path
) -> None:
    outcome = run(*arguments, folder=tmp_path)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(line)
    assert outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_variable_is_one_line_and_exit_2(tmp_path: Path) -> None:
    environment = {"ACTIONS_LOG_FORMAT": "xml"}
    outcome = run("serve", "--check-config", folder=tmp_path, environment=environment)
    line = "error: ACTIONS_LOG_FORMAT: expected text or json, got 'xml'\n"
    assert outcome == Outcome(2, "", line)
    assert list(tmp_path.iterdir()) == []


def test_check_config_prints_the_settings_and_stops(tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_text('grpc-listen = "[::1]:0"')
    outcome = run(
        "serve",
        "--check-config",
        "--no-access-log",
        folder=tmp_path,
        environment={"ACTIONS_CONFIG": "file.toml", "ACTIONS_CORS_ORIGINS": "https://a"},
    )
    assert outcome == Outcome(
        0,
        'listen = "127.0.0.1:8080"  # default\n'
        'grpc_listen = "[::1]:0"  # file.toml: grpc-listen\n'
        'public_url = ""  # default\n'
        'tls_cert = ""  # default\n'
        'tls_key = ""  # default\n'
        'tls_client_ca = ""  # default\n'
        'data_dir = "data"  # default\n'
        'database = ""  # default\n'
        'secret_key = ""  # default\n'
        'secret_key_file = ""  # default\n'
        "workers = 1  # default\n"
        'jwt_issuer = ""  # default\n'
        "jwt_audience = []  # default\n"
        'jwt_jwks_url = ""  # default\n'
        'cors_origins = ["https://a"]  # ACTIONS_CORS_ORIGINS\n'
        "trusted_proxies = []  # default\n"
        "proxy_protocol = false  # default\n"
        "openapi = true  # default\n"
        'metrics_listen = "none"  # default\n'
        'traces_endpoint = ""  # default\n'
        "traces_sample_ratio = 1.0  # default\n"
        'log_format = "text"  # default\n'
        "access_log = false  # --access-log\n"
        "script_workers = 0  # default\n"
        "script_queue = 512  # default\n"
        "script_fetch_deny = []  # default\n"
        "script_fetch_allow = []  # default\n"
        "script_dns_servers = []  # default\n"
        "runs_keep_days = 7  # default\n"
        "runs_max_mib = 64  # default\n",
        "",
    )
    assert not (tmp_path / "data").exists()
