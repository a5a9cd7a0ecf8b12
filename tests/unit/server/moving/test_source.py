"""Checks which organisations can be imported, and how others are refused."""

import pytest

from server.moving.source import (
    SourceAction,
    SourceError,
    SourceOrg,
    checked,
    duration_text,
    timeout_of,
    trigger_named,
)
from tests.support.tables import cases

ORG = "100000000000000001"
GOOD = SourceAction(id="1", name="a", script="s")


def org(*actions: SourceAction, **fields: object) -> SourceOrg:
    return SourceOrg(**{"id": ORG, "name": "Acme", "actions": actions, **fields})  # type: ignore[arg-type]


@cases(
    "good",
    {
        "longest name": org(SourceAction(id="1", name="ü" * 200, script="s")),
        "longest script": org(SourceAction(id="1", name="a", script="ü" * 20_000)),
        "longest timeout": org(SourceAction(id="1", name="a", script="s", timeout_ns=20 * 10**9)),
        "order": org(
            GOOD, SourceAction(id="2", name="b", script="s"), triggers={(2, 4): ("2", "1")}
        ),
    },
)
def test_what_the_limits_allow_is_imported(good: SourceOrg) -> None:
    assert checked([good]) == [good]


@cases(
    "bad, text",
    {
        "id": (org(SourceAction(id="a\nb", name="a", script="s")), "expected an id of 1 to 200"),
        "no id": (org(SourceAction(id="", name="a", script="s")), "expected an id of 1 to 200"),
        "no name": (org(SourceAction(id="1", name="", script="s")), "1 to 200 characters, got 0"),
        "name": (org(SourceAction(id="1", name="a" * 201, script="s")), "characters, got 201"),
        "no script": (org(SourceAction(id="1", name="a", script="")), "40000 bytes, got 0"),
        "script": (org(SourceAction(id="1", name="a", script="ü" * 20_001)), "bytes, got 40002"),
        "timeout": (
            org(SourceAction(id="1", name="a", script="s", timeout_ns=20 * 10**9 + 1)),
            "expected a timeout of 0 to 20 s",
        ),
        "twice": (
            org(GOOD, SourceAction(id="1", name="b", script="s")),
            "action '1' is there twice",
        ),
        "case": (
            org(GOOD, SourceAction(id="2", name="A", script="s")),
            "actions 1 ('a') and 2 ('A') have the same name, apart from case; rename one",
        ),
        "unknown": (org(GOOD, triggers={(2, 4): ("9",)}), "trigger 4: there is no action '9'"),
        "repeated": (org(GOOD, triggers={(2, 4): ("1", "1")}), "action '1' is there twice"),
        "organisation": (org(name=""), "expected a name of 1 to 200 characters, got 0"),
    },
)
def test_what_cannot_be_imported_is_named(bad: SourceOrg, text: str) -> None:
    with pytest.raises(SourceError) as raised:
        checked([bad])
    assert text in str(raised.value)
    assert str(raised.value).startswith(f"organisation '{ORG}': ")


def test_each_fault_has_a_line() -> None:
    faulty = org(SourceAction(id="", name="", script=""))
    with pytest.raises(SourceError) as raised:
        checked([faulty, org()])
    lines = str(raised.value).split("\n")
    assert len(lines) == 4
    assert lines[-1] == f"organisation '{ORG}' is there twice"


def test_triggers_have_numbers_or_names() -> None:
    assert trigger_named("2", "5") == (2, 5)
    assert trigger_named("FLOW_TYPE_EXTERNAL_AUTHENTICATION", "TRIGGER_TYPE_PRE_CREATION") == (1, 2)


@cases(
    "flow, trigger",
    {
        "flow": ("9", "4"),
        "trigger of another flow": ("4", "1"),
        "nothing": ("", ""),
    },
)
def test_unknown_triggers_are_refused(flow: str, trigger: str) -> None:
    with pytest.raises(SourceError, match="expected a flow and one of its triggers"):
        trigger_named(flow, trigger)


@cases(
    "text, timeout_ns",
    {
        "whole": ("10s", 10**10),
        "part": ("0.500s", 5 * 10**8),
        "none": ("0s", 0),
    },
)
def test_timeouts_are_read_and_written(text: str, timeout_ns: int) -> None:
    assert timeout_of(text) == timeout_ns
    assert duration_text(timeout_ns) == text


def test_a_timeout_without_a_unit_is_refused() -> None:
    with pytest.raises(SourceError, match='expected seconds as "10s", got'):
        timeout_of("10")
