"""`owner.token` after its token was revoked: what it says, and how another one gets there."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commandline import Outcome, Server, run

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another

REMEDY = "`token create {} --write` writes another"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(folder=tmp_path) as started:
        yield started


def asked(server: Server, *arguments: str) -> Outcome:
    outcome = run(*arguments, "--json", folder=server.folder)
    assert outcome.status == 0, outcome
    return outcome


def owner_token(server: Server) -> tuple[str, str]:
    """The ids of the token and of its user."""
    (token,) = json.loads(asked(server, "token", "list").out)
    return token["id"], token["user_id"]


def test_after_its_token_was_revoked_the_file_says_so_and_so_does_call(server: Server) -> None:
    token_id, user_id = owner_token(server)
    file = server.folder / "data" / "owner.token"
    secret = file.read_text("ascii").strip()
    revoked = asked(server, "token", "revoke", token_id)
    assert revoked.err == f"it was the token in data/owner.token: {REMEDY.format(user_id)}\n"
    notice = f"the token that was here was revoked: {REMEDY.format(user_id)}"
    assert file.read_text("ascii") == f"{notice}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    called = server.call("ListActions", {}, "json")
    said = f"error: data/owner.token: {notice}; give --token\n"
    assert called == Outcome(1, "", said)
    assert server.call("ListActions", {}, "json", "--token", secret).status == 1

    made = json.loads(asked(server, "token", "create", user_id, "--write").out)
    assert "token" not in made
    assert made["token_file"] == "data/owner.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert server.call("ListActions", {}, "json").status == 0


def test_a_refused_token_of_the_file_is_reported_by_call(server: Server, protocol: str) -> None:
    token_id, _ = owner_token(server)
    file = server.folder / "data" / "owner.token"
    left = file.read_bytes()
    asked(server, "token", "revoke", token_id)
    file.write_bytes(left)  # as an older version left it
    called = server.call("ListActions", {}, protocol)
    assert (called.status, json.loads(called.out)["code"]) == (1, 16)
    remedy = REMEDY.format("USER_ID")
    said = f"the token in data/owner.token was revoked or has expired: {remedy}\n"
    assert called.err == said
    given = server.call("ListActions", {}, protocol, "--token", left.decode().strip())
    assert (given.status, given.err) == (1, "")


def test_start_says_that_the_token_in_the_file_is_refused(tmp_path: Path) -> None:
    with Server(folder=tmp_path) as server:
        token_id, _ = owner_token(server)
        left = (tmp_path / "data" / "owner.token").read_bytes()
        asked(server, "token", "revoke", token_id)
        server.stop()
    (tmp_path / "data" / "owner.token").write_bytes(left)
    with Server(folder=tmp_path) as server:
        assert [server.line(), server.line(), server.line()] == [
            "data folder        data\n",
            "owner token        the one in data/owner.token was revoked or has expired;\n",
            "                   token create USER_ID --write writes another\n",
        ]


def test_removing_another_token_or_user_leaves_the_file_alone(server: Server) -> None:
    file = server.folder / "data" / "owner.token"
    before = file.read_bytes()
    user = json.loads(asked(server, "user", "create", "bot").out)
    token = json.loads(asked(server, "token", "create", user["id"]).out)
    assert token["token"].startswith("act_")
    assert asked(server, "token", "revoke", token["id"]).err == ""
    assert asked(server, "user", "remove", user["id"]).err == ""
    assert file.read_bytes() == before


def test_after_its_user_was_removed_the_file_says_so(server: Server) -> None:
    _, user_id = owner_token(server)
    other = json.loads(asked(server, "user", "create", "other").out)
    asked(server, "member", "add", other["id"], "IAM_OWNER")
    asked(server, "user", "remove", user_id)
    notice = f"the token that was here was revoked: {REMEDY.format('USER_ID')}\n"
    assert (server.folder / "data" / "owner.token").read_text("ascii") == notice
