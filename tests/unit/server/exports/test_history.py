"""The facts by which a history is checked, for every kind of event."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from server.domain.aggregates import (
    EVENT_TYPES,
    FIRST_EVENTS,
    Key,
    State,
    evolve,
    names_in,
    unique_names,
)
from server.domain.events import RecordedEvent
from server.exports.history import needs_of
from server.store.opening import engine_of
from tests.support import every_event


def stored(folder: Path) -> Sequence[RecordedEvent]:
    with engine_of("").event_reader(folder) as reader:
        return reader.events(0, 1000)


def test_every_kind_of_event_is_known() -> None:
    assert set(chain(*EVENT_TYPES.values())) == every_event.EVENT_TYPES
    assert {type_ for type_ in every_event.EVENT_TYPES if type_.endswith(".added")} == FIRST_EVENTS


def test_each_name_that_an_event_claims_is_asked_for(folder: Path) -> None:
    states: dict[Key, State | None] = {}
    claimed = 0
    for event in stored(folder):
        key = (event.aggregate_type, event.aggregate_id)
        before = states.get(key)
        states[key] = after = evolve(before, event)
        had = set() if before is None else set(unique_names(before))
        new = set() if after is None else set(unique_names(after)) - had
        assert new <= set(names_in(event))
        claimed += len(new)
    assert claimed == 19


def test_the_facts_of_all_events_are_those_of_each(folder: Path) -> None:
    events = stored(folder)
    needs = needs_of(events)
    each = [needs_of([event]) for event in events]
    assert needs.aggregates == {key for one in each for key in one.aggregates}
    assert needs.names == {name for one in each for name in one.names}
    assert needs.actions == {"1", "2", "3", "7", "10"}
