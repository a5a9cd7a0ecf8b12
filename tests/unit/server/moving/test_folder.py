"""Organisations as a folder of scripts."""

from pathlib import Path

import pytest

from server.domain.action import ActionState
from server.moving import folder
from server.moving.source import SourceAction, SourceError, SourceOrg
from server.triggers import FlowType
from tests.support.tables import cases


def action(id: str, name: str, **fields: object) -> SourceAction:
    given = {"id": id, "name": name, "script": f"// {name}\n", "state": ActionState.ACTIVE}
    return SourceAction(**{**given, **fields})  # type: ignore[arg-type]


ORGS = [
    SourceOrg(
        id="100000000000000001",
        name='Acme "Ltd"\\\t\x7fü',
        created_at=1_700_000_000_123_456,
        actions=(
            action("1", "addClaim", timeout_ns=2_500_000_000, created_at=1, changed_at=2),
            action("2", "../../etc/passwd", state=ActionState.INACTIVE, allowed_to_fail=True),
            action("3", ".._.._etc_passwd", script="\r\nü\u2028"),
            action("4", "ADDCLAIM.js"),
            action("5", "x" * 200),
            action("6", "/"),
        ),
        triggers={(2, 4): ("2", "1"), (1, 1): ("3",)},
    ),
    SourceOrg(id="2", name="empty"),
]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    folder.write(tmp_path / "a/b", ORGS)
    read = folder.read(tmp_path / "a/b", [])
    assert [(org.id, org.name, org.created_at) for org in read] == [
        (org.id, org.name, org.created_at) for org in ORGS
    ]
    assert read[0].actions == list(ORGS[0].actions)
    assert read[0].triggers == ORGS[0].triggers
    assert read[0].flows == frozenset(FlowType)
    written = [path for path in (tmp_path / "a/b").rglob("*.js") if path.is_file()]
    assert len(written) == len(ORGS[0].actions)
    assert {path.parent.name for path in written} == {ORGS[0].id}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_one_organisation_is_read_by_its_id(tmp_path: Path) -> None:
    folder.write(tmp_path, ORGS)
    assert [org.id for org in folder.read(tmp_path, ["2"])] == ["2"]
    with pytest.raises(SourceError, match="has no organisation 3"):
        folder.read(tmp_path, ["2", "3"])


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(SourceError, match="is not empty"):
        folder.write(tmp_path, ORGS)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@cases(
    "index, text",
    {
        "no index": (None, "actions.toml: No such file"),
        "no TOML": ("[", "actions.toml: "),
        "unknown field": ('[[organisations]]\nid="1"\nname="n"\nflags=1', "unknown field `flags`"),
        "no name": ('[[organisations]]\nid="1"', "missing required field `name`"),
        "outside": (
            '[[organisations]]\nid="1"\nname="n"\n[[organisations.actions]]\nid="1"\nname="a"\n'
            'file="../a.js"',
            "expected a file within the folder, got '../a.js'",
        ),
        "absolute": (
            '[[organisations]]\nid="1"\nname="n"\n[[organisations.actions]]\nid="1"\nname="a"\n'
            'file="/etc/passwd"',
            "expected a file within the folder",
        ),
        "no script": (
            '[[organisations]]\nid="1"\nname="n"\n[[organisations.actions]]\nid="1"\nname="a"\n'
            'file="a.js"',
            "a.js: No such file",
        ),
        "timeout": (
            '[[organisations]]\nid="1"\nname="n"\n[[organisations.actions]]\nid="1"\nname="a"\n'
            'file="a.js"\ntimeout="ten"',
            "expected seconds",
        ),
        "local time": (
            '[[organisations]]\nid="1"\nname="n"\ncreated=2026-01-02T03:04:05',
            "timezone",
        ),
        "trigger": (
            '[[organisations]]\nid="1"\nname="n"\n[[organisations.triggers]]\nflow=2\ntrigger=1\n'
            "actions=[]",
            "expected a flow and one of its triggers",
        ),
        "action of a trigger": (
            '[[organisations]]\nid="1"\nname="n"\n[[organisations.triggers]]\nflow=2\ntrigger=4\n'
            'actions=["a"]',
            "there is no action 'a'",
        ),
    },
)
def test_a_faulty_folder_is_named(tmp_path: Path, index: str | None, text: str) -> None:
    if index is not None:
        (tmp_path / folder.INDEX).write_text(index)
    with pytest.raises(SourceError) as raised:
        folder.read(tmp_path, [])
    assert text in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_a_script_that_is_no_text_is_named(tmp_path: Path) -> None:
    folder.write(tmp_path, ORGS)
    (tmp_path / ORGS[0].id / "addClaim.js").write_bytes(b"\xff")
    with pytest.raises(SourceError, match=r"addClaim\.js: expected UTF-8"):
        folder.read(tmp_path, [])
