"""The command line sees to it that the instance keeps an owner."""

import json
from pathlib import Path

import pytest

from tests.support.commandline import Outcome, run

pytestmark = pytest.mark.timeout(240)  # a test is up to a dozen processes, one after another


def made(*arguments: str, folder: Path) -> str:
    """The id of what the command makes."""
    outcome = run(*arguments, "--json", folder=folder)
    assert (outcome.status, outcome.err) == (0, "")
    return str(json.loads(outcome.out).get("id"))


def test_the_last_owner_stays(tmp_path: Path) -> None:
    org = made("org", "create", "Acme", folder=tmp_path)
    ada, bob = (made("user", "create", name, folder=tmp_path) for name in ("Ada", "Bob"))
    made("member", "add", ada, "IAM_OWNER", folder=tmp_path)
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
    made("member", "add", bob, "IAM_OWNER", folder=tmp_path)
    removed = run("user", "remove", ada, folder=tmp_path)
    assert removed == Outcome(0, f"removed user {ada}\n", "")
