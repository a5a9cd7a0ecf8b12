"""A past state follows from few events, and is the one that all events lead to."""

from random import Random

import pytest

from server.domain.action import Action, evolve
from server.domain.events import JSON, RecordedEvent
from server.domain.history import ActionVersion, PastState, version_after
from tests.support.tables import cases


def event(sequence: int, type_: str, **payload: JSON) -> RecordedEvent:
    return RecordedEvent(
        10 * sequence, "org", "action", "1", sequence, type_, payload, f"user {sequence}", sequence
    )


ADDED = event(1, "action.added", name="Greet", script="s", allowedToFail=False)


def states_of(events: list[RecordedEvent]) -> list[Action]:
    """Returns the state after each event, from all events before it."""
    states: list[Action] = []
    for each in events:
        state = evolve(states[-1] if states else None, each)
        assert state is not None
        states.append(state)
    return states


def version_from_before(events: list[RecordedEvent], now: Action) -> tuple[ActionVersion, int]:
    """Returns the version after the last event, and how many events were asked for."""
    *before, last = events
    past = PastState(last)
    asked = 0
    for each in reversed(before):
        if each.type in past.missing_types:
            past.add(each)
            asked += 1
    return past.version(now), asked


def random_events(seed: int, count: int) -> list[RecordedEvent]:
    random = Random(seed)  # noqa: S311  the same ones each time are wanted
    events = [ADDED]
    for sequence in range(2, count + 1):
        fields: dict[str, JSON] = {
            "name": f"name {sequence}",
            "script": f"script {sequence}",
            "timeout": sequence,
            "allowedToFail": sequence % 2 == 0,
        }
        names = random.sample(sorted(fields), random.randrange(5))
        type_ = random.choice(["action.changed", "action.deactivated", "action.reactivated"])
        changed = type_ == "action.changed"
        events.append(event(sequence, type_, **{n: fields[n] for n in names if changed}))
    return events


@pytest.mark.parametrize("seed", range(20))
def test_every_version_is_the_state_after_its_event(seed: int) -> None:
    events = random_events(seed, 60)
    states = states_of(events)
    for number, state in enumerate(states):
        version, _ = version_from_before(events[: number + 1], states[-1])
        assert version == (state, events[number].type, f"user {number + 1}")


@cases(
    "later, asked",
    {
        "the first": ([], 0),
        "one that changes all but the state": (
            [
                event(2, "action.deactivated"),
                event(3, "action.changed", name="n", script="t", timeout=1, allowedToFail=True),
            ],
            1,
        ),
        "many that change the state": (
            [
                event(2, "action.changed", script="t"),
                *(event(n, "action.deactivated") for n in range(3, 100)),
            ],
            2,
        ),
    },
)
def test_only_events_that_set_something_are_asked_for(
    later: list[RecordedEvent], asked: int
) -> None:
    events = [ADDED, *later]
    states = states_of(events)
    assert version_from_before(events, states[-1]) == (
        ActionVersion(states[-1], events[-1].type, events[-1].editor),
        asked,
    )


def test_no_version_follows_the_end() -> None:
    (state,) = states_of([ADDED])
    with pytest.raises(ValueError, match=r"event 20: no version follows action\.removed"):
        version_after(state, event(2, "action.removed"))
