"""The command line without a server: accounts in a free data folder."""

import json
import re
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import Outcome, run
from tests.support.tables import by_outcome, cases

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another


def made(folder: Path, *arguments: str) -> Any:
    """Returns what a command answers in JSON."""
    outcome = run(*arguments, "--json", folder=folder)
    assert (outcome.status, outcome.err) == (0, "")
    return json.loads(outcome.out)


def create_user(folder: Path) -> str:
    made(folder, "org", "create", "Acme")
    user = made(folder, "user", "create", "bot")
    return str(user["id"])


def test_a_machine_key_is_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    user_id, path = create_user(tmp_path), tmp_path / "key.json"
    key = made(tmp_path, "key", "create", user_id, "--expires", "90d", "--output", str(path))
    assert key.pop("file") == str(path)
    assert (key["user_id"], key["type"]) == (user_id, "json")
    content = path.read_text("ascii")
    file = json.loads(content)
    assert file.pop("key").startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert file == {"type": "serviceaccount", "keyId": key["id"], "userId": user_id}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made(tmp_path, "key", "list") == [key]

    again = run("key", "create", user_id, "--output", str(path), folder=tmp_path)
    expected = f"error: {path}: expected the path of a new file, got: File exists\n"
    assert again == Outcome(1, "", expected)
    refused = run("key", "create", "404", "--output", str(tmp_path / "other"), folder=tmp_path)
    assert (refused.status, (tmp_path / "other").exists()) == (1, False)
    assert path.read_text("ascii") == content
    assert made(tmp_path, "key", "list", user_id) == [key]

    assert run("key", "delete", key["id"], folder=tmp_path).out == f"deleted key {key['id']}\n"
    assert made(tmp_path, "key", "list") == []


def test_a_machine_key_is_printed_without_a_file(tmp_path: Path) -> None:
    user_id = create_user(tmp_path)
    printed = run("key", "create", user_id, folder=tmp_path)
    assert [*json.loads(printed.out)] == ["type", "keyId", "key", "userId"]
    secret = made(tmp_path, "key", "create", user_id, "--type", "client-secret")
    assert secret["client_id"] == user_id
    assert re.fullmatch(r"acs_[\w-]{43}", secret["client_secret"])
    options = ("--type", "client-secret", "--output", str(tmp_path / "file"))
    misused = run("key", "create", user_id, *options, folder=tmp_path)
    assert (misused.status, misused.out) == (2, "")
    assert "--output: expected --type json" in misused.err


def test_accounts_are_made_listed_and_taken_away(tmp_path: Path) -> None:
    org = made(tmp_path, "org", "create", "Acme Ltd")
    assert re.fullmatch(r"\d{18}", org["id"])
    assert org["name"] == "Acme Ltd"
    assert made(tmp_path, "org", "list") == [org]

    user = made(tmp_path, "user", "create", "bot")
    assert (user["name"], user["org_id"]) == ("bot", org["id"])
    assert made(tmp_path, "user", "list") == [user]

    member = made(tmp_path, "member", "add", user["id"], "ORG_OWNER", "IAM_OWNER_VIEWER")
    assert member == {
        "org_id": org["id"],
        "user_id": user["id"],
        "user_name": "bot",
        "roles": ["ORG_OWNER", "IAM_OWNER_VIEWER"],
        "created_at": member["created_at"],
    }
    assert made(tmp_path, "member", "list") == [member]

    options = ("--description", "CI", "--expires", "2100-01-01T00:00:00+01:00")
    token = made(tmp_path, "token", "create", user["id"], *options)
    secret = token.pop("token")
    assert token == {
        "id": token["id"],
        "user_id": user["id"],
        "description": "CI",
        "expires_at": "2099-12-31T23:00:00.000000Z",
        "created_at": token["created_at"],
    }
    listed = run("token", "list", "--json", folder=tmp_path)
    assert json.loads(listed.out) == [token]
    assert secret not in listed.out
    assert made(tmp_path, "token", "list", user["id"]) == [token]

    assert made(tmp_path, "token", "revoke", token["id"]) == {"id": token["id"]}
    assert made(tmp_path, "token", "list") == []
    removed = run("member", "remove", user["id"], folder=tmp_path)
    assert removed == Outcome(0, f"removed member {user['id']}\n", "")
    assert made(tmp_path, "member", "list") == []


def test_accounts_are_changed_and_a_user_leaves_nothing(tmp_path: Path) -> None:
    org = made(tmp_path, "org", "create", "Acme")
    renamed = made(tmp_path, "org", "rename", org["id"], "Acme Inc")
    assert renamed == {**org, "name": "Acme Inc"}

    given = ("--language", "pt-BR", "--subject", "bot@issuer")
    user = made(tmp_path, "user", "create", "bot", *given)
    assert (user["language"], user["subject"]) == ("pt-BR", "bot@issuer")
    changes = ("--name", "robot", "--language", "")
    changed = made(tmp_path, "user", "update", user["id"], *changes)
    assert changed == {**user, "name": "robot", "language": ""}
    assert made(tmp_path, "user", "list") == [changed]

    made(tmp_path, "member", "add", user["id"], "ORG_OWNER")
    roles = ["IAM_ORG_MANAGER", "ORG_OWNER_VIEWER"]
    member = made(tmp_path, "member", "set-roles", user["id"], *roles)
    assert member["roles"] == roles
    assert made(tmp_path, "member", "list") == [member]

    made(tmp_path, "token", "create", user["id"])
    removed = run("user", "remove", user["id"], folder=tmp_path)
    assert removed == Outcome(0, f"removed user {user['id']}\n", "")
    for listed in ("user", "member", "token"):
        assert made(tmp_path, listed, "list") == []


def test_people_get_columns(tmp_path: Path) -> None:
    user_id = create_user(tmp_path)
    created = run("token", "create", user_id, folder=tmp_path)
    assert "\nexpires at   never\n" in created.out
    assert re.search(r"\ntoken        act_[\w-]{43}\n", created.out)
    listed = run("token", "list", folder=tmp_path).out.splitlines()
    assert re.split(r" {2,}", listed[0]) == [
        "ID",
        "USER ID",
        "DESCRIPTION",
        "EXPIRES AT",
        "CREATED AT",
    ]
    assert listed[1].split()[1:3] == [user_id, "never"]


def test_an_expiry_counts_from_now(tmp_path: Path) -> None:
    user_id = create_user(tmp_path)
    before = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 90 * 86400))
    token = made(tmp_path, "token", "create", user_id, "--expires", "90d")
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
    one = made(tmp_path, "org", "create", "One")
    two = made(tmp_path, "org", "create", "Two")
    assert run("user", "list", folder=tmp_path) == Outcome(
        1, "", "error: there are 2 organisations: say which with --org\n"
    )
    user = made(tmp_path, "user", "create", "bot", "--org", two["id"])
    assert user["org_id"] == two["id"]
    memberships = [
        made(tmp_path, "member", "add", user["id"], role, "--org", org["id"])
        for org, role in ((one, "ORG_OWNER_VIEWER"), (two, "ORG_OWNER"))
    ]
    assert made(tmp_path, "member", "list", user["id"]) == memberships
    assert made(tmp_path, "member", "list", "--org", one["id"]) == memberships[:1]


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


def test_the_last_owner_stays(tmp_path: Path) -> None:
    org = made(tmp_path, "org", "create", "Acme")["id"]
    ada, bob = (made(tmp_path, "user", "create", name)["id"] for name in ("Ada", "Bob"))
    made(tmp_path, "member", "add", ada, "IAM_OWNER")
    last = (
        f"error: User '{ada}' is the last IAM_OWNER: make another one first "
        "(member add, member set-roles)\n"
    )
    for refused in (
        ("member", "set-roles", ada, "ORG_OWNER"),
        ("member", "remove", ada),
        ("user", "remove", ada),
    ):
        assert run(*refused, folder=tmp_path) == Outcome(1, "", last)
    assert run("org", "remove", org, "--yes", folder=tmp_path).err == (
        f"error: Organisation '{org}' has the last IAM_OWNER: make a user of another one an "
        "IAM_OWNER there first (member add)\n"
    )
    made(tmp_path, "member", "add", bob, "IAM_OWNER")
    removed = run("user", "remove", ada, folder=tmp_path)
    assert removed == Outcome(0, f"removed user {ada}\n", "")


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
