"""Events of one aggregate in SQLite: each is looked up by the index, none is scanned or sorted."""

from server.store.sqlite import tables
from server.store.sqlite.action_lists import Statement
from tests.unit.server.store.sqlite.conftest import Plan


def test_each_sequence_is_looked_up(plan: Plan) -> None:
    statement = Statement(tables.events_of(2), (9, 1, "1", "action", "a", "b", 10))
    steps = plan(statement)
    expected = "(sequence=? AND aggregate_id=? AND aggregate_type=?)"
    assert [step for step in steps if "events" in step] == [
        f"SEARCH events USING INDEX sqlite_autoindex_events_1 {expected}"
    ]
    assert not [step for step in steps if "B-TREE" in step]
