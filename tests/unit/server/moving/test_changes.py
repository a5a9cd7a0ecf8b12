"""Imports into an instance in memory: its states and the differences after each."""

from dataclasses import replace

import pytest

from server.domain.action import Action, ActionState
from server.domain.aggregates import Key, State, evolve, evolve_flow, flows_of
from server.domain.flow import Flow
from server.domain.org import Org
from server.moving.changes import Changes, changes_of, keys_of
from server.moving.source import SourceAction, SourceError, SourceOrg
from server.triggers import FlowType
from tests.support.tables import cases

ORG, NOW = "100000000000000001", 9_000
ONE = SourceAction(
    id="1", name="a", script="s", state=ActionState.ACTIVE, created_at=10, changed_at=10
)
TWO = SourceAction(
    id="2", name="b", script="t", state=ActionState.INACTIVE, created_at=20, changed_at=30
)
SOURCE = SourceOrg(
    id=ORG,
    name="Acme",
    created_at=5,
    actions=(ONE, TWO),
    triggers={(2, 4): ("2", "1")},
    flows_changed_at={FlowType.CUSTOMISE_TOKEN: 40},
)


class Here:
    """An instance in memory."""

    def __init__(self) -> None:
        self.states: dict[Key, State | None] = {}
        self.ended: dict[Key, int] = {}
        self.position = 0

    def take(self, source: SourceOrg, *, updates: bool = False) -> Changes:
        states = {key: self.states.get(key) for key in keys_of(source)}
        changes = changes_of(source, states, self.ended, updates=updates, now=NOW)
        for event in changes.events:
            self.position += 1
            event = event._replace(position=self.position)
            key = (event.aggregate_type, event.aggregate_id)
            self.states[key] = evolve(self.states.get(key), event)
            for flow in flows_of(event):
                self.states[flow] = evolve_flow(self.states.get(flow), event)
        return changes

    def action(self, id: str) -> Action:
        found = self.states["action", id]
        assert isinstance(found, Action)
        return found

    def remove(self, key: Key) -> None:
        state = self.states[key]
        assert state is not None
        self.ended[key] = state.sequence + 1
        self.states[key] = None


@pytest.fixture
def here() -> Here:
    made = Here()
    made.take(SOURCE)
    return made


def test_an_organisation_comes_with_states_order_and_dates() -> None:
    here = Here()
    changes = here.take(SOURCE)
    assert (changes.orgs, changes.actions, changes.triggers) == (1, 2, 1)
    assert changes.differences == []
    org, flow = here.states["org", ORG], here.states["flow", f"{ORG}:2"]
    assert isinstance(org, Org)
    assert (org.name, org.created_at) == ("Acme", 5)
    one, two = here.action("1"), here.action("2")
    assert (one.state, one.created_at, one.changed_at) == (ActionState.ACTIVE, 10, 10)
    assert (two.state, two.created_at, two.changed_at) == (ActionState.INACTIVE, 20, 30)
    assert isinstance(flow, Flow)
    assert (flow.triggers, flow.changed_at) == (((4, ("2", "1")),), 40)
    assert [event.sequence for event in changes.events] == [1, 1, 1, 2, 2]


def test_a_changed_action_has_the_date_of_its_last_change() -> None:
    here = Here()
    here.take(replace(SOURCE, actions=(replace(ONE, changed_at=15), TWO)))
    assert (here.action("1").created_at, here.action("1").changed_at) == (10, 15)


def test_unknown_states_and_dates_are_active_and_now() -> None:
    here = Here()
    action = SourceAction(id="1", name="a", script="s", timeout_ns=7, allowed_to_fail=True)
    here.take(SourceOrg(id=ORG, name="Acme", actions=(action,)))
    made = here.action("1")
    assert (made.state, made.created_at, made.changed_at) == (ActionState.ACTIVE, NOW, NOW)
    assert (made.timeout_ns, made.allowed_to_fail) == (7, True)


@pytest.mark.parametrize("updates", [True, False])
def test_again_changes_nothing(here: Here, updates: bool) -> None:
    assert here.take(SOURCE, updates=updates) == Changes()


@cases(
    "fields, how",
    {
        "name": ({"name": "c"}, "name"),
        "script": ({"script": "u"}, "script"),
        "timeout": ({"timeout_ns": 5}, "timeout"),
        "allowed to fail": ({"allowed_to_fail": True}, "allowedToFail"),
        "state": ({"state": ActionState.INACTIVE}, "state"),
        "all": ({"name": "c", "script": "u", "state": ActionState.INACTIVE}, "name, script, state"),
    },
)
def test_a_differing_action_is_told_and_updated_if_asked(
    here: Here, fields: dict[str, object], how: str
) -> None:
    before = here.action("1")
    changed = replace(SOURCE, actions=(replace(ONE, **fields), TWO))  # type: ignore[arg-type]
    told = here.take(changed)
    assert [(each.how, each.is_updated) for each in told.differences] == [(how, False)]
    assert (told.events, here.action("1")) == ([], before)
    updated = here.take(changed, updates=True)
    assert [(each.how, each.is_updated) for each in updated.differences] == [(how, True)]
    assert here.take(changed) == Changes()
    assert here.action("1").changed_at == NOW


def test_a_state_that_the_source_does_not_say_is_no_difference(here: Here) -> None:
    unsaid = replace(SOURCE, actions=(replace(ONE, state=None), replace(TWO, state=None)))
    assert here.take(unsaid, updates=True) == Changes()


def test_flows_that_the_source_does_not_know_are_left_alone(here: Here) -> None:
    lacking = replace(SOURCE, triggers={}, flows=frozenset({FlowType.EXTERNAL_AUTHENTICATION}))
    assert here.take(lacking, updates=True) == Changes()


def test_a_differing_trigger_is_told_and_updated_if_asked(here: Here) -> None:
    turned = replace(SOURCE, triggers={(2, 4): ("1", "2"), (2, 5): ("1",)})
    told = here.take(turned)
    assert [(each.what, each.how) for each in told.differences] == [
        ("flow 2, trigger 4", "2, 1 here, 1, 2 there"),
        ("flow 2, trigger 5", "no action here, 1 there"),
    ]
    assert told.events == []
    here.take(turned, updates=True)
    assert here.take(turned) == Changes()


def test_a_removed_action_stays_removed_unless_updates_are_asked(here: Here) -> None:
    here.remove(("action", "1"))
    flow = here.states["flow", f"{ORG}:2"]
    assert isinstance(flow, Flow)
    here.states["flow", f"{ORG}:2"] = replace(flow, triggers=((4, ("2",)),))
    told = here.take(SOURCE)
    assert told.events == []
    assert [each.how for each in told.differences] == [
        "removed here",
        "has 1 there, removed here",
    ]
    here.take(SOURCE, updates=True)
    assert here.action("1").sequence == 3
    assert here.take(SOURCE) == Changes()


def test_a_removed_organisation_stays_removed(here: Here) -> None:
    here.remove(("org", ORG))
    for updates in (False, True):
        told = here.take(SOURCE, updates=updates)
        assert told.events == []
        assert [each.how for each in told.differences] == ["removed here, left out"]


def test_an_action_of_another_organisation_is_refused(here: Here) -> None:
    here.states["action", "1"] = replace(here.action("1"), org_id="2")
    with pytest.raises(SourceError, match=r"action 1 \(a\) belongs to organisation 2 here"):
        here.take(SOURCE)
