"""The command line for targets: made, given a key, changed, listed and deleted."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.identity.key_pairs import new_key_pair
from tests.support.commandline import Outcome, run
from tests.support.tables import cases

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another

KEY = "a-signing-key-of-zitadel"


def made(folder: Path, *arguments: str, stdin: str = "") -> Any:
    """Returns what a command answers in JSON."""
    outcome = run(*arguments, "--json", folder=folder, stdin=stdin)
    assert (outcome.status, outcome.err) == (0, "")
    assert KEY not in outcome.out
    return json.loads(outcome.out)


def test_a_target_is_made_given_a_key_changed_and_deleted(tmp_path: Path) -> None:
    org_id = made(tmp_path, "org", "create", "Acme")["id"]
    pair = f"100={org_id}"
    target = made(tmp_path, "bridge", "target", "create", "production", "--org", pair)
    id = target["id"]
    expected = {
        "id": id,
        "name": "production",
        "path": f"/targets/{id}",
        "signing_key": "missing",
        "timeout": "10s",
        "ignores_failures": False,
        "payload": "json",
        "issuer": "",
        "account": None,
        "account_user_id": None,
        "orgs": [pair],
        "created_at": target["created_at"],
    }
    assert target == expected

    with_key = {**expected, "signing_key": "set"}
    assert made(tmp_path, "bridge", "target", "key", id, stdin=f"{KEY}\n") == with_key
    change = (
        *("--timeout", "2.5", "--ignore-failures", "--org", f"101={org_id}", "--org", "100="),
        *("--payload", "jwt", "--issuer", "https://zitadel.example/"),
    )
    changed = {
        **with_key,
        "timeout": "2.5s",
        "ignores_failures": True,
        "payload": "jwt",
        "issuer": "https://zitadel.example",
        "orgs": [f"101={org_id}"],
    }
    assert made(tmp_path, "bridge", "target", "update", id, *change) == changed
    assert made(tmp_path, "bridge", "target", "list") == [changed]

    the_encryption_key_is_made_shown_and_dropped(tmp_path, id)
    deleted = run("bridge", "target", "delete", id, folder=tmp_path)
    assert deleted == Outcome(0, f"deleted target {id}\n", "")
    assert made(tmp_path, "bridge", "target", "list") == []


def the_encryption_key_is_made_shown_and_dropped(folder: Path, id: str) -> None:
    """Goes through the commands for the keys of a target that has none."""
    group = ("bridge", "target", "encryption-key")
    new = run(*group, "new", id, "--type", "ec", folder=folder)
    assert (new.status, new.err) == (0, "")
    assert new.out.startswith("-----BEGIN PUBLIC KEY-----\n")
    (key,) = made(folder, *group, "list", id)
    assert (key["type"], key["public_key"]) == ("ec", new.out)
    assert run(*group, "show", id, key["id"], folder=folder) == Outcome(0, new.out, "")
    dropped = run(*group, "drop", id, key["id"], folder=folder)
    assert dropped == Outcome(0, f"dropped encryption key {key['id']}\n", "")
    gone = run(*group, "show", id, key["id"], folder=folder)
    expected = f"error: target {id} has no encryption key '{key['id']}'\n"
    assert gone == Outcome(1, "", expected)


def test_a_service_account_is_set_and_dropped(tmp_path: Path) -> None:
    made(tmp_path, "org", "create", "Acme")
    id = made(tmp_path, "bridge", "target", "create", "production")["id"]
    url = "https://zitadel.example"
    account = ("bridge", "target", "account", id)
    key_file = new_key_pair().file_of(key_id="8", user_id="7")
    with_key = made(tmp_path, *account, "--issuer", url, stdin=key_file)
    assert (with_key["account"], with_key["account_user_id"]) == (url, "7")
    with_token = made(tmp_path, *account, "--issuer", url, stdin=f"{KEY}\n")
    assert (with_token["account"], with_token["account_user_id"]) == (url, None)
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    assert made(tmp_path, *account, "--drop")["account"] is None
    refused = run(*account, "--issuer", "http://zitadel.example", folder=tmp_path, stdin=KEY)
    assert refused.status == 1
    assert refused.err.startswith("error: The service account is invalid: issuer: expected")


def test_a_signing_key_is_in_no_file_as_text(tmp_path: Path) -> None:
    made(tmp_path, "org", "create", "Acme")
    id = made(tmp_path, "bridge", "target", "create", "production")["id"]
    made(tmp_path, "bridge", "target", "key", id, stdin=KEY)
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_an_instance_with_a_target_is_moved_and_its_target_is_made_anew(tmp_path: Path) -> None:
    made(tmp_path, "org", "create", "Acme")
    id = made(tmp_path, "bridge", "target", "create", "production")["id"]
    exported = str(tmp_path / "all.jsonl")
    assert run("export", exported, folder=tmp_path).status == 0
    there = tmp_path / "there"
    there.mkdir()
    assert run("import", exported, folder=there).status == 0
    (target,) = made(there, "bridge", "target", "list")
    assert (target["id"], target["name"], target["signing_key"]) == (id, "", "missing")
    refused = run("bridge", "target", "key", id, folder=there, stdin=KEY)
    assert refused == Outcome(1, "", f"error: Target '{id}' not found\n")
    assert run("bridge", "target", "delete", id, folder=there).status == 0
    assert made(there, "bridge", "target", "list") == []
    assert run("check", folder=there).status == 0


@cases(
    "arguments, stdin, status, err",
    {
        "an unknown target": (
            ("key", "404"), KEY, 1, "error: Target '404' not found\n",
        ),
        "an unknown organisation": (
            ("create", "a", "--org", "1=404"), "", 1, "error: Organisation '404' not found\n",
        ),
        "JWTs without an issuer": (
            ("create", "a", "--payload", "jwt"), "", 1,
            "error: A target whose payloads are JWTs has an issuer: set the URL of its ZITADEL\n",
        ),
        "to delete an unknown target": (
            ("delete", "404"), "", 1, "error: Target '404' not found\n",
        ),
    },
)  # fmt: skip
def test_what_does_not_exist_is_refused_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], stdin: str, status: int, err: str
) -> None:
    made(tmp_path, "org", "create", "Acme")
    refused = run("bridge", "target", *arguments, folder=tmp_path, stdin=stdin)
    assert refused == Outcome(status, "", err)


@cases(
    "arguments, stdin, text",
    {
        "an organisation alone": (("create", "a", "--org", "1"), "", "expected THEIRS=OURS"),
        "an unknown form of payloads": (("create", "a", "--payload", "xml"), "", "--payload"),
        "a timeout that is too long": (("create", "a", "--timeout", "271"), "", "--timeout"),
        "an empty key": (("key", "1"), "\n", "expected a signing key, one word"),
        "a key of two words": (("key", "1"), "a b", "expected a signing key, one word"),
        "a long key": (("key", "1"), "x" * 300, "expected a signing key, one word"),
        "an account without its ZITADEL": (
            ("account", "1"),
            KEY,
            "expected --issuer URL, or --drop",
        ),
        "both": (("account", "1", "--drop", "--issuer", "https://a"), "", "expected --issuer URL,"),
        "no credential": (("account", "1", "--issuer", "https://a"), " ", "expected a key file"),
    },
)
def test_misuse_is_told(tmp_path: Path, arguments: tuple[str, ...], stdin: str, text: str) -> None:
    refused = run("bridge", "target", *arguments, folder=tmp_path, stdin=stdin)
    assert (refused.status, refused.out) == (2, "")
    assert text in refused.err
