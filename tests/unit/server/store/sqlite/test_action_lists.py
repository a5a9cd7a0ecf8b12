"""Lists of actions in SQLite: the indexes that are used, and rows of older versions."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from server.store import read_model
from server.store.action_lists import (
    ActionFilter,
    ActionsQuery,
    IdFilter,
    Match,
    NameFilter,
    Order,
    StateFilter,
)
from server.store.read_model import ActionsOf, Query
from server.store.sqlite import action_lists, schema, tables
from server.store.sqlite.action_lists import Statement
from server.store.sqlite.read_model import ANSWERS, QUICK
from server.store.sqlite.store import SqliteEventStore
from server.store.versions import versions_of
from tests.support.tables import cases
from tests.unit.server.store.sqlite.conftest import Plan

WHOLE = NameFilter("a", Match.WHOLE, ignores_case=False)
PART = NameFilter("a", Match.ANYWHERE, ignores_case=True)
END = NameFilter("a", Match.END, ignores_case=False)
ACTIVE = StateFilter(2)


OF_AN_ORG = "SEARCH actions USING {}INDEX actions_of_an_org (org_id=?)"


@cases(
    "filters, order, expected",
    {
        "creation": ((), Order.CREATION, OF_AN_ORG.format("")),
        "part of the name": ((PART,), Order.CREATION, OF_AN_ORG.format("")),
        "name and state": ((PART, ACTIVE), Order.CREATION, OF_AN_ORG.format("")),
        "name": ((), Order.NAME, "SEARCH actions USING INDEX actions_by_name (org_id=?)"),
        "filtered, by name": (
            (PART, ACTIVE),
            Order.NAME,
            "SEARCH actions USING INDEX actions_by_name (org_id=?)",
        ),
        "by id": ((), Order.ID, "SEARCH actions USING INDEX actions_by_id (org_id=?)"),
        "by state": ((), Order.STATE, "SEARCH actions USING INDEX actions_by_state (org_id=?)"),
        "state": (
            (ACTIVE,),
            Order.CREATION,
            "SEARCH actions USING INDEX actions_by_state (org_id=? AND state=?)",
        ),
    },
)
def test_page_is_read_from_its_index_and_nothing_is_sorted(
    plan: Plan, filters: tuple[ActionFilter, ...], order: Order, expected: str
) -> None:
    for is_descending in (False, True):
        query = ActionsQuery(filters=filters, order=order, is_descending=is_descending)
        assert plan(action_lists.page("org", query)) == [expected]


@pytest.mark.parametrize("order", Order)
@cases(
    "filters, expected",
    {
        "id": (
            (PART, IdFilter("1")),
            "SEARCH actions USING INDEX actions_by_id (org_id=? AND id=?)",
        ),
        "whole name": (
            (ACTIVE, WHOLE),
            "SEARCH actions USING INDEX actions_by_name (org_id=? AND folded_name=? AND name=?)",
        ),
    },
)
def test_filter_that_finds_one_is_what_is_looked_up(
    plan: Plan, order: Order, filters: tuple[ActionFilter, ...], expected: str
) -> None:
    query = ActionsQuery(filters=filters, order=order)
    assert plan(action_lists.page("org", query))[0] == expected


COUNTED: dict[str, tuple[tuple[ActionFilter, ...], str]] = {
    "id": (
        (IdFilter("1"),),
        "SEARCH actions USING COVERING INDEX actions_by_id (org_id=? AND id=?)",
    ),
    "part of the name": ((PART,), OF_AN_ORG.format("COVERING ")),
    "end of the name": ((END,), OF_AN_ORG.format("COVERING ")),
    "state": (
        (ACTIVE,),
        "SEARCH actions USING COVERING INDEX actions_by_state (org_id=? AND state=?)",
    ),
    "whole name": (
        (WHOLE,),
        "SEARCH actions USING COVERING INDEX actions_by_name "
        "(org_id=? AND folded_name=? AND name=?)",
    ),
    "no filter, a kept number": ((), "SEARCH action_totals USING PRIMARY KEY (org_id=?)"),
}


@cases("filters, expected", COUNTED)
def test_matches_are_counted_without_a_look_at_their_rows(
    plan: Plan, filters: tuple[ActionFilter, ...], expected: str
) -> None:
    assert plan(action_lists.total("org", ActionsQuery(filters=filters))) == [expected]


def test_every_kind_of_filter_is_counted_from_an_index() -> None:
    kinds: tuple[type[ActionFilter], ...] = ActionFilter.__args__
    assert {type(each) for filters, _ in COUNTED.values() for each in filters} == {*kinds}


async def test_actions_of_an_older_version_are_found_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = versions_of("server.store.sqlite")[:2]
    with closing(sqlite3.connect(tmp_path / "events.sqlite", isolation_level=None)) as older:
        with monkeypatch.context() as patched:
            patched.setattr(schema, "versions_of", lambda _: before)
            schema.bring_up_to_date(older, path="", now=0)
        for position, (org_id, name) in enumerate([("o", "ÄA"), ("p", "ÄA"), ("o", "b")], 1):
            values = (position, f"id{position}", org_id, 2, name, "s", 0, 0, 1, 5, 5)
            older.execute("INSERT INTO actions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            claimed = ("action", org_id, name.lower(), f"id{position}")
            older.execute("INSERT INTO names VALUES (?, ?, ?, ?)", claimed)
    store = await SqliteEventStore.open(tmp_path)
    exact = ActionsQuery(filters=(NameFilter("äa", Match.WHOLE, ignores_case=True),))
    found = await store.read(ActionsOf("o", exact))
    assert [action.id for action in found.items] == ["id1"]
    assert [(await store.read(ActionsOf(org_id))).total for org_id in "opq"] == [2, 1, 0]
    await store.close()


def test_organisations_that_ended_are_looked_for_among_what_was_removed(
    plan: Plan,
) -> None:
    first, *_ = plan(Statement(tables.ENDED_ORGS, ()))
    assert first == "SEARCH removed USING PRIMARY KEY (aggregate_type=?)"


def test_every_query_has_an_answer() -> None:
    named = vars(read_model).values()
    queries = {each for each in named if isinstance(each, type) and issubclass(each, Query)}
    assert {*ANSWERS} == queries - {Query}


def test_only_the_quick_answers_are_on_the_loop() -> None:
    assert {query.__name__ for query in QUICK} == {
        *("ActionById", "ActiveActions", "FirstOrg", "MachineKeyById", "MachineKeyByVerifier"),
        *("MemberOf", "MembershipsOf", "OrgById"),
        *("OrgIdByName", "SealedContent", "TokenByHash", "TokenById", "UserById", "UserBySubject"),
    }
