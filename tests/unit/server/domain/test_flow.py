"""Every row of the API's table of writes about flows, and how a flow follows from its events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from server.domain import flow as flows
from server.domain.conditions import ANY_SEQUENCE, Condition
from server.domain.events import JSON, Event, RecordedEvent
from server.domain.flow import Flow
from server.domain.org import Org
from server.triggers import TRIGGERS, FlowType, TriggerType
from tests.support.events import refusal_of
from tests.support.tables import by_outcome

ORG = Org("org", "Acme", 9, 100, 100, 1)
TOKEN, SAML = FlowType.CUSTOMISE_TOKEN, FlowType.CUSTOMISE_SAML_RESPONSE
PRE_USERINFO, PRE_ACCESS = TriggerType.PRE_USERINFO_CREATION, TriggerType.PRE_ACCESS_TOKEN_CREATION
ORGS = {"a": "org", "b": "org", "foreign": "other"}


def a_flow(triggers: Mapping[int, Sequence[str]]) -> Flow:
    pairs = tuple((trigger, tuple(ids)) for trigger, ids in triggers.items())
    return Flow("org:2", "org", TOKEN, pairs, pairs, 9, 100, 200, 7)


def after_removal_of_a(*last_set: str) -> Flow:
    flow = a_flow({4: last_set})
    return replace(flow, triggers=((4, tuple(id for id in last_set if id != "a")),))


GONE = frozenset({8, 10})
"""Sequences that these flows do not have."""
STORED = a_flow({4: ["a", "b"], 5: ["a"]})


def set_(
    *ids: str,
    flow: Flow | None = STORED,
    org: Org | None = ORG,
    org_id: str = "org",
    type: FlowType | None = TOKEN,
    trigger: TriggerType | None = PRE_USERINFO,
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    return flows.set_trigger_actions(
        org,
        flow,
        org_id=org_id,
        type=type,
        trigger=trigger,
        action_ids=ids,
        org_of=ORGS.get,
        if_sequence=if_sequence,
    )


REFUSED: dict[str, dict[str, Callable[[], object]]] = {
    "INVALID_ARGUMENT Errors.Flow.FlowTypeMissing COMMAND-Dfhj5": {
        "COMMAND-Dfhj5 unknown flow, before unknown trigger": lambda: set_(
            "nowhere", type=None, trigger=None
        ),
        "COMMAND-Dfhj5 no organisation": lambda: set_("a", org_id="", org=None),
    },
    "INVALID_ARGUMENT Errors.Flow.WrongTriggerType COMMAND-Dfgh6": {
        "COMMAND-Dfgh6 unknown trigger, before unknown actions": lambda: set_(
            "nowhere", trigger=None
        ),
        "COMMAND-Dfgh6 trigger of another flow": lambda: set_(
            "a", "b", trigger=TriggerType.POST_CREATION
        ),
    },
    "FAILED_PRECONDITION Errors.Flow.NoChanges COMMAND-Nfh52": {
        "COMMAND-Nfh52 the same in the same order": lambda: set_("a", "b", org=None),
        "COMMAND-Nfh52 before actions that do not exist": lambda: set_(
            "gone", flow=a_flow({4: ["gone"]})
        ),
        "COMMAND-Nfh52 what was last set, with an action that was removed since": lambda: set_(
            "a", "b", flow=after_removal_of_a("a", "b")
        ),
        "COMMAND-Nfh52 nothing where nothing was set": lambda: set_(flow=None),
        "COMMAND-Nfh52 nothing where only another trigger was set": lambda: set_(
            flow=a_flow({5: ["a"]})
        ),
    },
    "FAILED_PRECONDITION Errors.Flow.ActionIDsNotExist COMMAND-dg422": {
        "COMMAND-dg422 one that does not exist": lambda: set_("a", "nowhere"),
        "COMMAND-dg422 of another organisation": lambda: set_("foreign"),
        "COMMAND-dg422 one twice, before a missing organisation": lambda: set_("a", "a", org=None),
    },
    "NOT_FOUND Errors.Org.NotFound COMMAND-Fs4nf": {
        "organisation that is gone": lambda: set_("b", org=None)
    },
    "INVALID_ARGUMENT Errors.Flow.FlowTypeMissing COMMAND-Dfw2h": {
        "COMMAND-Dfw2h unknown flow": lambda: flows.clear(STORED, org_id="org", type=None),
        "COMMAND-Dfw2h no organisation": lambda: flows.clear(STORED, org_id="", type=TOKEN),
    },
    "ABORTED Errors.Sequence.Other COMMAND-Sq8ch": {
        "set: another sequence, before no changes": lambda: set_("a", "b", if_sequence=GONE),
        "set: a sequence of a flow that was never set": lambda: set_(
            "a", flow=None, if_sequence=GONE
        ),
        "clear: another sequence, before empty": lambda: flows.clear(
            a_flow({}), org_id="org", type=TOKEN, if_sequence=GONE
        ),
    },
    "FAILED_PRECONDITION Errors.Flow.Empty COMMAND-DgGh3": {
        "COMMAND-DgGh3 never set": lambda: flows.clear(None, org_id="org", type=TOKEN),
        "COMMAND-DgGh3 not set since it was clear": lambda: flows.clear(
            a_flow({}), org_id="org", type=TOKEN
        ),
    },
}


@by_outcome("decide, refusal", REFUSED)
def test_decision_is_refused(decide: Callable[[], object], refusal: str) -> None:
    assert refusal_of(decide) == refusal


@pytest.mark.parametrize(
    ("decided", "ids"),
    [
        pytest.param(set_("b", "a"), ["b", "a"], id="another order"),
        pytest.param(set_("a"), ["a"], id="fewer"),
        pytest.param(set_(), [], id="none, where some were set"),
        pytest.param(set_("a", if_sequence=frozenset({9})), ["a"], id="the sequence as it is"),
        pytest.param(
            set_("a", flow=None, if_sequence=frozenset({0})), ["a"], id="sequence 0, never set"
        ),
        pytest.param(set_("a", "b", flow=None), ["a", "b"], id="the first"),
        pytest.param(set_("b", flow=after_removal_of_a("a", "b")), ["b"], id="what a removal left"),
        pytest.param(set_(flow=after_removal_of_a("a")), [], id="none, after the last was removed"),
        pytest.param(set_("a", "b", flow=a_flow({})), ["a", "b"], id="the first after a clear"),
    ],
)
def test_actions_are_set(decided: Event, ids: list[JSON]) -> None:
    assert decided == Event(
        "org.flow.trigger_actions.set", {"flowType": 2, "triggerType": 4, "actionIDs": ids}
    )


@pytest.mark.parametrize(
    "stored",
    [pytest.param(STORED, id="with actions"), pytest.param(a_flow({4: []}), id="set to nothing")],
)
def test_flow_is_cleared(stored: Flow) -> None:
    decided = flows.clear(stored, org_id="org", type=TOKEN)
    assert decided == Event("org.flow.cleared", {"flowType": 2})


@pytest.mark.parametrize(
    ("flow", "triggers"),
    [
        pytest.param(None, [], id="flow that was never set"),
        pytest.param(a_flow({4: ["b"]}), [], id="flow without it"),
        pytest.param(STORED, [4, 5], id="each trigger that has it"),
    ],
)
def test_removed_action_leaves_the_flow(flow: Flow | None, triggers: list[int]) -> None:
    assert flows.remove_action(flow, action_id="a") == [
        Event(
            "org.flow.trigger_actions.cascade.removed",
            {"flowType": 2, "triggerType": trigger, "actionID": "a"},
        )
        for trigger in triggers
    ]


FLOW_TYPES = {
    "1": FlowType.EXTERNAL_AUTHENTICATION,
    "2": FlowType.CUSTOMISE_TOKEN,
    "3": FlowType.INTERNAL_AUTHENTICATION,
    "4": FlowType.CUSTOMISE_SAML_RESPONSE,
    "FLOW_TYPE_EXTERNAL_AUTHENTICATION": FlowType.EXTERNAL_AUTHENTICATION,
}
NO_FLOW_TYPES = dict.fromkeys(
    (
        *("FLOW_TYPE_CUSTOMISE_TOKEN", "FLOW_TYPE_INTERNAL_AUTHENTICATION"),
        *("flow_type_external_authentication", "", "0", "5", "01", " 1", "1\0", "\u0661"),
    )
)


@pytest.mark.parametrize(("text", "expected"), [*FLOW_TYPES.items(), *NO_FLOW_TYPES.items()])
def test_flow_type_is_known_by_its_number_and_one_old_name(
    text: str, expected: FlowType | None
) -> None:
    assert flows.flow_type(text) is expected


TRIGGER_TYPES = {
    "1": TriggerType.POST_AUTHENTICATION,
    "6": TriggerType.PRE_SAML_RESPONSE_CREATION,
    "TRIGGER_TYPE_POST_AUTHENTICATION": TriggerType.POST_AUTHENTICATION,
    "TRIGGER_TYPE_PRE_CREATION": TriggerType.PRE_CREATION,
    "TRIGGER_TYPE_POST_CREATION": TriggerType.POST_CREATION,
}
NO_TRIGGER_TYPES = dict.fromkeys(
    (
        *("TRIGGER_TYPE_PRE_USERINFO_CREATION", "TRIGGER_TYPE_PRE_ACCESS_TOKEN_CREATION"),
        *("TRIGGER_TYPE_PRE_SAML_RESPONSE_CREATION", "0", "7", ""),
    )
)


@pytest.mark.parametrize(("text", "expected"), [*TRIGGER_TYPES.items(), *NO_TRIGGER_TYPES.items()])
def test_trigger_type_is_known_by_its_number_and_three_old_names(
    text: str, expected: TriggerType | None
) -> None:
    assert flows.trigger_type(text) is expected


@pytest.mark.parametrize(
    ("type", "triggers"),
    [
        (FlowType.EXTERNAL_AUTHENTICATION, [1, 2, 3]),
        (FlowType.CUSTOMISE_TOKEN, [4, 5]),
        (FlowType.INTERNAL_AUTHENTICATION, [1, 2, 3]),
        (FlowType.CUSTOMISE_SAML_RESPONSE, [6]),
    ],
)
def test_triggers_of_a_flow(type: FlowType, triggers: list[int]) -> None:
    assert [*TRIGGERS[type]] == triggers


def happened(type: str, payload: Mapping[str, JSON], *, at: int, sequence: int) -> RecordedEvent:
    payload = {"flowType": 2, **payload}
    return RecordedEvent(sequence * 10, "org", "org", "org", sequence, type, payload, "ada", at)


def was_set(trigger: int, *ids: str, at: int, sequence: int) -> RecordedEvent:
    payload: dict[str, JSON] = {"triggerType": trigger, "actionIDs": [*ids]}
    return happened(flows.SET, payload, at=at, sequence=sequence)


def test_flow_follows_from_its_events() -> None:
    removed: dict[str, JSON] = {"triggerType": 4, "actionID": "a"}
    events: list[tuple[RecordedEvent, dict[int, list[str]], dict[int, list[str]]]] = [
        (was_set(5, "b", at=10, sequence=2), {5: ["b"]}, {5: ["b"]}),
        (
            was_set(4, "a", "b", at=20, sequence=3),
            {4: ["a", "b"], 5: ["b"]},
            {4: ["a", "b"], 5: ["b"]},
        ),
        (
            happened(flows.CASCADE_REMOVED, removed, at=30, sequence=4),
            {4: ["b"], 5: ["b"]},
            {4: ["a", "b"], 5: ["b"]},
        ),
        (was_set(5, at=40, sequence=5), {4: ["b"], 5: []}, {4: ["a", "b"], 5: []}),
        (was_set(4, "b", at=50, sequence=6), {4: ["b"], 5: []}, {4: ["b"], 5: []}),
    ]
    flow = None
    for event, triggers, last_set in events:
        flow = flows.evolve(flow, event)
        expected = replace(a_flow(triggers), last_set=a_flow(last_set).triggers)
        sequence, at = event.sequence, event.created_at
        assert flow == replace(
            expected, sequence=sequence, created_at=10, changed_at=at, position=20
        )


def test_flow_that_is_set_again_after_a_clear_is_made_again() -> None:
    flow = flows.evolve(None, was_set(4, "a", at=10, sequence=2))
    cleared = flows.evolve(flow, happened(flows.CLEARED, {}, at=20, sequence=3))
    assert cleared == Flow("org:2", "org", TOKEN, (), (), 3, 10, 20, 20)
    again = flows.evolve(cleared, was_set(5, "b", at=30, sequence=4))
    triggers = ((5, ("b",)),)
    assert again == Flow("org:2", "org", TOKEN, triggers, triggers, 4, 30, 30, 20)


@pytest.mark.parametrize(
    ("type", "payload"),
    [(flows.CLEARED, {}), (flows.CASCADE_REMOVED, {"triggerType": 4, "actionID": "a"})],
)
def test_flow_that_was_never_set_is_none(type: str, payload: Mapping[str, JSON]) -> None:
    assert flows.evolve(None, happened(type, payload, at=1, sequence=1)) is None


def test_actions_of_a_flow() -> None:
    assert STORED.actions_of(4) == ("a", "b")
    assert STORED.actions_of(6) == ()
    assert STORED.action_ids == {"a", "b"}
