"""`token rotate`: the new token is in its reader's hands before the old one ends."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from actions.v1 import admin_pb2 as pb
from server.cli import token_rotation
from server.cli.failures import Failed
from server.cli.output import OutputRow
from server.cli.performing import perform
from tests.support.commandline import Outcome, Server, run
from tests.support.tables import cases

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(folder=tmp_path) as started:
        yield started


def made(folder: Path, *arguments: str) -> Any:
    outcome = run(*arguments, "--json", folder=folder)
    assert (outcome.status, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_the_token_of_the_file_is_replaced_while_the_service_runs(server: Server) -> None:
    file = server.folder / "data" / "owner.token"
    old = file.read_text("ascii").strip()
    (before,) = made(server.folder, "token", "list")
    rotated = made(server.folder, "token", "rotate", "--write")
    assert rotated == {
        "id": rotated["id"],
        "user_id": before["user_id"],
        "description": before["description"],
        "expires_at": None,
        "created_at": rotated["created_at"],
        "replaces": before["id"],
        "token_file": "data/owner.token",
    }
    assert re.fullmatch(r"act_[\w-]{43}\n", file.read_text("ascii"))
    assert [token["id"] for token in made(server.folder, "token", "list")] == [rotated["id"]]
    assert server.call("ListActions", {}, "json").status == 0
    assert server.call("ListActions", {}, "json", "--token", old).status == 1


def test_a_token_by_its_id_keeps_purpose_and_lifetime(tmp_path: Path) -> None:
    user = made(tmp_path, "org", "create", "Acme") and made(tmp_path, "user", "create", "bot")
    expiring = ("--description", "CI", "--expires", "90d")
    old = made(tmp_path, "token", "create", user["id"], *expiring)
    new = made(tmp_path, "token", "rotate", old["id"])
    assert (new["replaces"], new["user_id"], new["description"]) == (old["id"], user["id"], "CI")
    assert new["token"] != old["token"]
    short_of_90_days = timedelta(days=90) - lifetime(new)
    assert timedelta() <= short_of_90_days < timedelta(minutes=4)  # in which processes start
    lasting = made(tmp_path, "token", "rotate", new["id"], "--expires", "never")
    assert lasting["expires_at"] is None


def lifetime(token: OutputRow) -> timedelta:
    ends, starts = str(token["expires_at"]), str(token["created_at"])
    return datetime.fromisoformat(ends) - datetime.fromisoformat(starts)


def test_the_token_of_the_file_by_its_id_leaves_a_notice_there(server: Server) -> None:
    (old,) = made(server.folder, "token", "list")
    rotated = run("token", "rotate", old["id"], "--json", folder=server.folder)
    remedy = f"`token create {old['user_id']} --write` writes another"
    assert rotated.err == f"it was the token in data/owner.token: {remedy}\n"
    file = server.folder / "data" / "owner.token"
    assert file.read_text("ascii") == f"the token that was here was revoked: {remedy}\n"
    new = json.loads(rotated.out)["token"]
    assert server.call("ListActions", {}, "json", "--token", new).status == 0


@cases(
    "arguments, status, line",
    {
        "no token": ((), 2, "expected TOKEN_ID, or --write for the token in owner.token"),
        "unknown id": (("5",), 1, "token '5' not found; `token list` shows the ids"),
        "no file": (
            ("--write",),
            1,
            "expected a valid token in data/owner.token; `token create USER_ID --write` writes "
            "another",
        ),
    },
)
def test_no_token_to_replace_is_one_line(
    arguments: tuple[str, ...], status: int, line: str, tmp_path: Path
) -> None:
    made(tmp_path, "org", "create", "Acme")
    refused = run("token", "rotate", *arguments, folder=tmp_path)
    assert refused == Outcome(status, "", f"error: {line}\n")


def with_token(folder: Path) -> tuple[dict[str, object], OutputRow]:
    """The flags that name a new data folder, and the token in it."""
    flags: dict[str, object] = {"data_dir": str(folder / "data"), "config_file": None}
    perform(pb.CreateOrgRequest(name="Acme"), flags)
    (user,) = perform(pb.CreateUserRequest(name="bot"), flags)
    (token,) = perform(pb.CreateTokenRequest(user_id=str(user["id"])), flags)
    return flags, token


def ids(flags: dict[str, object]) -> list[object]:
    return [row["id"] for row in perform(pb.ListTokensRequest(), flags)]


def test_a_token_that_cannot_be_handed_over_leaves_the_old_one_valid(tmp_path: Path) -> None:
    flags, old = with_token(tmp_path)

    def lost(_new: OutputRow) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        token_rotation.rotate(old, flags, expires_at=None, hand_over=lost)
    assert old["id"] in ids(flags)


def test_a_revocation_that_fails_says_that_both_are_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags, old = with_token(tmp_path)

    def failing(request: Message, flags: dict[str, object]) -> list[OutputRow]:
        if isinstance(request, pb.RevokeTokenRequest):
            raise Failed("disk full")
        return perform(request, flags)

    monkeypatch.setattr(token_rotation, "perform", failing)
    handed: list[OutputRow] = []
    with pytest.raises(Failed) as failed:
        token_rotation.rotate(old, flags, expires_at=None, hand_over=handed.append)
    (new,) = handed
    assert str(failed.value) == (
        f"token {new['id']} was made, but the old one is still valid (disk full); "
        f"run `token revoke {old['id']}`"
    )
    assert ids(flags) == [old["id"], new["id"]]
