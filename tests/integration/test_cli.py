"""The command line without a server: accounts in a free data folder."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import Outcome, run
from tests.support.tables import by_outcome, cases

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another


def made(outcome: Outcome) -> Any:
    assert outcome.err == ""
    assert outcome.status == 0
    return json.loads(outcome.out)


def create_user(folder: Path) -> str:
    made(run("org", "create", "Acme", "--json", folder=folder))
    user = made(run("user", "create", "bot", "--json", folder=folder))
    return str(user["id"])


def test_accounts_are_made_listed_and_taken_away(tmp_path: Path) -> None:
    org = made(run("org", "create", "Acme Ltd", "--json", folder=tmp_path))
    assert re.fullmatch(r"\d{18}", org["id"])
    assert org["name"] == "Acme Ltd"
    assert made(run("org", "list", "--json", folder=tmp_path)) == [org]

    user = made(run("user", "create", "bot", "--json", folder=tmp_path))
    assert (user["name"], user["org_id"]) == ("bot", org["id"])
    assert made(run("user", "list", "--json", folder=tmp_path)) == [user]

    added = ("member", "add", user["id"], "ORG_OWNER", "IAM_OWNER_VIEWER", "--json")
    member = made(run(*added, folder=tmp_path))
    assert member == {
        "org_id": org["id"],
        "user_id": user["id"],
        "user_name": "bot",
        "roles": ["ORG_OWNER", "IAM_OWNER_VIEWER"],
        "created_at": member["created_at"],
    }
    assert made(run("member", "list", "--json", folder=tmp_path)) == [member]

    created = ("token", "create", user["id"], "--description", "CI", "--json")
    token = made(run(*created, "--expires", "2100-01-01T00:00:00+01:00", folder=tmp_path))
    secret = token.pop("token")
    assert token == {
        "id": token["id"],
        "user_id": user["id"],
        "description": "CI",
        "expires_at": "2099-12-31T23:00:00.000000Z",
        "created_at": token["created_at"],
    }
    listed = run("token", "list", "--json", folder=tmp_path)
    assert made(listed) == [token]
    assert secret not in listed.out
    assert made(run("token", "list", user["id"], "--json", folder=tmp_path)) == [token]

    revoked = run("token", "revoke", token["id"], "--json", folder=tmp_path)
    assert made(revoked) == {"id": token["id"]}
    assert made(run("token", "list", "--json", folder=tmp_path)) == []
    removed = run("member", "remove", user["id"], folder=tmp_path)
    assert removed == Outcome(0, f"removed member {user['id']}\n", "")
    assert made(run("member", "list", "--json", folder=tmp_path)) == []


def test_accounts_are_changed_and_a_user_leaves_nothing(tmp_path: Path) -> None:
    org = made(run("org", "create", "Acme", "--json", folder=tmp_path))
    renamed = made(run("org", "rename", org["id"], "Acme Inc", "--json", folder=tmp_path))
    assert renamed == {**org, "name": "Acme Inc"}

    given = ("--language", "pt-BR", "--subject", "bot@issuer", "--json")
    user = made(run("user", "create", "bot", *given, folder=tmp_path))
    assert (user["language"], user["subject"]) == ("pt-BR", "bot@issuer")
    changes = ("--name", "robot", "--language", "", "--json")
    changed = made(run("user", "update", user["id"], *changes, folder=tmp_path))
    assert changed == {**user, "name": "robot", "language": ""}
    assert made(run("user", "list", "--json", folder=tmp_path)) == [changed]

    made(run("member", "add", user["id"], "ORG_OWNER", "--json", folder=tmp_path))
    roles = ("member", "set-roles", user["id"], "IAM_ORG_MANAGER", "ORG_OWNER_VIEWER", "--json")
    member = made(run(*roles, folder=tmp_path))
    assert member["roles"] == ["IAM_ORG_MANAGER", "ORG_OWNER_VIEWER"]
    assert made(run("member", "list", "--json", folder=tmp_path)) == [member]

    made(run("token", "create", user["id"], "--json", folder=tmp_path))
    removed = run("user", "remove", user["id"], folder=tmp_path)
    assert removed == Outcome(0, f"removed user {user['id']}\n", "")
    for listed in ("user", "member", "token"):
        assert made(run(listed, "list", "--json", folder=tmp_path)) == []


def test_people_get_columns(tmp_path: Path) -> None:
    user_id = create_user(tmp_path)
    created = run("token", "create", user_id, folder=tmp_path)
    assert "\nexpires at   never\n" in created.out
    assert re.search(r"\ntoken        act_[\w-]{43}\n", created.out)
    listed = run("token", "list", folder=tmp_path).out.splitlines()
    assert listed[0].split() == [
        "ID",
        "USER",
        "ID",
        "DESCRIPTION",
        "EXPIRES",
        "AT",
        "CREATED",
        "AT",
    ]
    assert listed[1].split()[1:3] == [user_id, "never"]


def test_an_expiry_counts_from_now(tmp_path: Path) -> None:
    user_id = create_user(tmp_path)
    before = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 90 * 86400))
    token = made(run("token", "create", user_id, "--expires", "90d", "--json", folder=tmp_path))
    after = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 90 * 86400))
    assert before <= token["expires_at"][:16] <= after


@by_outcome(
    "arguments, line",
    {
        "error: A user with the name 'bot' exists already\n": {
            "user's name taken": ("user", "create", "bot")
        },
        "error: Organisation '1' not found\n": {"list": ("user", "list", "--org", "1")},
        "error: User '1' not found\n": {
            "no user": ("member", "add", "1", "ORG_OWNER"),
            "nobody's roles": ("member", "list", "1"),
            "token of nobody": ("token", "create", "1"),
            "tokens of nobody": ("token", "list", "1"),
        },
        "error: No changes\n": {"no change": ("user", "update", "USER", "--name", "bot")},
        "error: User '1' is not a member\n": {"no member": ("member", "remove", "1")},
        "error: Unknown role 'OWNER': expected one of IAM_OWNER, IAM_ORG_MANAGER, "
        "IAM_OWNER_VIEWER, ORG_OWNER, ORG_OWNER_VIEWER, ORG_ACTION_RUNNER\n": {
            "unknown role": ("member", "add", "USER", "OWNER")
        },
        "error: A token cannot expire in the past, got 2001-01-01T00:00:00.000000Z\n": {
            "expired": ("token", "create", "USER", "--expires", "2001-01-01T00:00:00Z")
        },
    },
)
def test_a_failing_command_is_one_line_and_exit_1(
    arguments: tuple[str, ...], line: str, shared_accounts: tuple[Path, str]
) -> None:
    folder, user_id = shared_accounts
    given = [user_id if argument == "USER" else argument for argument in arguments]
    assert run(*given, folder=folder) == Outcome(1, "", line)


@pytest.fixture(scope="module")
def shared_accounts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("accounts")
    return folder, create_user(folder)


def test_one_of_two_organisations_has_to_be_named(tmp_path: Path) -> None:
    one = made(run("org", "create", "One", "--json", folder=tmp_path))
    two = made(run("org", "create", "Two", "--json", folder=tmp_path))
    assert run("user", "list", folder=tmp_path) == Outcome(
        1, "", "error: there are 2 organisations: say which with --org\n"
    )
    user = made(run("user", "create", "bot", "--org", two["id"], "--json", folder=tmp_path))
    assert user["org_id"] == two["id"]
    memberships = [
        made(run("member", "add", user["id"], role, "--org", org["id"], "--json", folder=tmp_path))
        for org, role in ((one, "ORG_OWNER_VIEWER"), (two, "ORG_OWNER"))
    ]
    assert made(run("member", "list", user["id"], "--json", folder=tmp_path)) == memberships
    of_one = run("member", "list", "--org", one["id"], "--json", folder=tmp_path)
    assert made(of_one) == memberships[:1]


@cases(
    "arguments",
    {
        "name": ("org", "create", "\udcffx"),
        "option": ("user", "list", "--org", "\udcffx"),
        "role": ("member", "add", "1", "\udcffx"),
        "id": ("token", "revoke", "\udcffx"),
    },
)
def test_an_argument_that_is_not_utf_8_is_one_line(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    outcome = run(*arguments, folder=tmp_path)
    assert outcome == Outcome(2, "", "error: expected UTF-8, got b'\\xffx'\n")


def test_a_mistyped_data_folder_is_not_made(tmp_path: Path) -> None:
    outcome = run("org", "list", "--data-dir", "typo", folder=tmp_path)
    assert outcome == Outcome(
        1, "", "error: typo has no database yet; run serve or org create first\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    outcome = run("org", "create", "Acme", "--data-dir", "/proc/data", folder=tmp_path)
    assert outcome.status == 1
    assert outcome.err == (
        "error: data folder /proc/data cannot be used: No such file or directory\n"
    )


def test_a_reader_that_leaves_ends_the_command_quietly(tmp_path: Path) -> None:
    create_user(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "server", "org", "list"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    create_user(tmp_path)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "server", "org", "list"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"error: No space left on device\n"
