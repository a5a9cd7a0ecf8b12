"""Every row of the API's table of writes, and how an action follows from its events."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from server.domain import action as actions
from server.domain.action import Action, ActionState
from server.domain.conditions import ANY_SEQUENCE, Condition
from server.domain.events import JSON, Event, RecordedEvent
from server.domain.org import Org
from tests.support.events import refusal_of
from tests.support.tables import by_outcome, cases

ORG = Org("org", "Acme", 1, 100, 100, 1)
ACTIVE = Action(
    id="1",
    org_id="org",
    state=ActionState.ACTIVE,
    name="Greet",
    script="function Greet() {}",
    timeout_ns=5,
    allowed_to_fail=False,
    sequence=3,
    created_at=100,
    changed_at=200,
    position=7,
)
INACTIVE = replace(ACTIVE, state=ActionState.INACTIVE)
GONE = frozenset({2, 4})
"""Sequences that these actions do not have."""
AS_READ = frozenset({2, 3})


def created(
    name: str = "Greet",
    script: str = "function Greet() {}",
    timeout_ns: int = 5,
    allowed_to_fail: bool = False,
    name_owner: str | None = None,
    org: Org | None = ORG,
) -> Event:
    return actions.create(
        org,
        org_id="org",
        name=name,
        script=script,
        timeout_ns=timeout_ns,
        allowed_to_fail=allowed_to_fail,
        name_owner=name_owner,
    )


def updated(
    action: Action | None = ACTIVE,
    *,
    action_id: str = "1",
    org_id: str = "org",
    name: str = "Greet",
    script: str = "function Greet() {}",
    timeout_ns: int = 5,
    allowed_to_fail: bool = False,
    name_owner: str | None = "1",
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    return actions.update(
        action,
        action_id=action_id,
        org_id=org_id,
        name=name,
        script=script,
        timeout_ns=timeout_ns,
        allowed_to_fail=allowed_to_fail,
        name_owner=name_owner,
        if_sequence=if_sequence,
    )


WRITTEN: dict[str, tuple[object, object]] = {
    "name": ("Greet", "Wave"),
    "script": ("function Greet() {}", "function Wave() {}"),
    "timeout_ns": (5, 6),
    "allowed_to_fail": (False, True),
}
"""The fields that clients write of an action: a value, and another."""

KEPT_BY_THE_SERVICE = {"id", "org_id", "state", "sequence", "created_at", "changed_at", "position"}


def test_every_field_is_written_by_clients_or_kept_by_the_service() -> None:
    assert {field.name for field in fields(Action)} == {*WRITTEN} | KEPT_BY_THE_SERVICE


def after(action: Action | None, event: Event) -> Action:
    recorded = RecordedEvent(8, "org", "action", "1", 4, event.type, event.payload, "ada", 300)
    evolved = actions.evolve(action, recorded)
    assert evolved is not None
    return evolved


@pytest.mark.parametrize("field", WRITTEN)
def test_each_field_that_clients_write_is_created_and_is_changed_alone(field: str) -> None:
    values: dict[str, Any] = {name: value for name, (value, _) in WRITTEN.items()}
    others = values | {field: WRITTEN[field][1]}
    made = after(None, created(**others))
    assert {name: getattr(made, name) for name in WRITTEN} == others
    changed = after(ACTIVE, updated(**others))
    expected = replace(ACTIVE, sequence=4, changed_at=300)
    assert changed == replace(expected, **{field: WRITTEN[field][1]})  # type: ignore[arg-type]


def deactivated(
    action: Action | None,
    action_id: str = "1",
    org_id: str = "org",
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    return actions.deactivate(action, action_id=action_id, org_id=org_id, if_sequence=if_sequence)


def reactivated(
    action: Action | None,
    action_id: str = "1",
    org_id: str = "org",
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    return actions.reactivate(action, action_id=action_id, org_id=org_id, if_sequence=if_sequence)


def restored(
    action: Action | None = ACTIVE,
    *,
    org_id: str = "org",
    name: str = "Greet",
    script: str = "function Greet() {}",
    timeout_ns: int = 5,
    state: ActionState = ActionState.ACTIVE,
    name_owner: str | None = "1",
    if_sequence: Condition = ANY_SEQUENCE,
) -> list[Event]:
    return actions.restore(
        action,
        action_id="1",
        org_id=org_id,
        name=name,
        script=script,
        timeout_ns=timeout_ns,
        allowed_to_fail=False,
        state=state,
        name_owner=name_owner,
        if_sequence=if_sequence,
    )


def removed(
    action: Action | None,
    action_id: str = "1",
    org_id: str = "org",
    if_sequence: Condition = ANY_SEQUENCE,
) -> Event:
    return actions.remove(action, action_id=action_id, org_id=org_id, if_sequence=if_sequence)


REFUSED: dict[str, dict[str, Callable[[], object]]] = {
    "INVALID_ARGUMENT Errors.Action.Invalid COMMAND-eg2gf": {
        "create: empty name, before taken name": lambda: created(name="", name_owner="2")
    },
    "NOT_FOUND Errors.Org.NotFound COMMAND-Ac4no": {
        "create: no organisation, before taken name": lambda: created(org=None, name_owner="2")
    },
    "ALREADY_EXISTS Errors.Action.AlreadyExists V3-DKcYh": {
        "create: taken name": lambda: created(name_owner="2"),
        "update: taken name": lambda: updated(name="Wave", name_owner="2"),
        "restore: taken name": lambda: restored(name="Wave", name_owner="2"),
        "restore: taken name, and another state": lambda: restored(
            INACTIVE, name="Wave", name_owner="2"
        ),
    },
    "INVALID_ARGUMENT Errors.Action.Invalid COMMAND-Df2f3": {
        "update: empty name, before absent": lambda: updated(None, name=""),
        "update: empty id, before absent": lambda: updated(None, action_id=""),
    },
    "NOT_FOUND Errors.Action.NotFound COMMAND-Sfg2t": {
        "update: absent": lambda: updated(None),
        "update: other org, before no changes": lambda: updated(org_id="other"),
        "update: absent, before a condition": lambda: updated(None, if_sequence=GONE),
    },
    "NOT_FOUND Errors.Action.NotFound COMMAND-Rs4nf": {
        "restore: absent, before a condition": lambda: restored(None, if_sequence=GONE),
        "restore: other org, before no changes": lambda: restored(org_id="other"),
    },
    "FAILED_PRECONDITION Errors.NoChangesFound ACTION-dg4t2": {
        "update: no changes": updated,
        "restore: no changes": restored,
    },
    "INVALID_ARGUMENT Errors.IDMissing COMMAND-DAhk5": {
        "deactivate: empty id, before absent": lambda: deactivated(None, action_id=""),
        "deactivate: empty org": lambda: deactivated(ACTIVE, org_id=""),
    },
    "NOT_FOUND Errors.Action.NotFound COMMAND-NRmhu": {
        "deactivate: absent": lambda: deactivated(None),
        "deactivate: other org, before its state": lambda: deactivated(INACTIVE, org_id="other"),
    },
    "FAILED_PRECONDITION Errors.Action.NotActive COMMAND-Dgj92": {
        "deactivate: inactive": lambda: deactivated(INACTIVE)
    },
    "INVALID_ARGUMENT Errors.IDMissing COMMAND-BNm56": {
        "reactivate: empty id, before absent": lambda: reactivated(None, action_id=""),
        "reactivate: empty org": lambda: reactivated(INACTIVE, org_id=""),
    },
    "NOT_FOUND Errors.Action.NotFound COMMAND-Aa22g": {
        "reactivate: absent": lambda: reactivated(None),
        "reactivate: other org, before its state": lambda: reactivated(ACTIVE, org_id="other"),
    },
    "FAILED_PRECONDITION Errors.Action.NotInactive COMMAND-J53zh": {
        "reactivate: active": lambda: reactivated(ACTIVE)
    },
    "INVALID_ARGUMENT Errors.IDMissing COMMAND-Gfg3g": {
        "delete: empty id, before absent": lambda: removed(None, action_id=""),
        "delete: empty org": lambda: removed(ACTIVE, org_id=""),
    },
    "NOT_FOUND Errors.Action.NotFound COMMAND-Dgh4h": {
        "delete: absent": lambda: removed(None),
        "delete: other org": lambda: removed(ACTIVE, org_id="other"),
        "delete: absent, before a condition": lambda: removed(None, if_sequence=GONE),
    },
    "ABORTED Errors.Sequence.Other COMMAND-Sq8ch": {
        "update: another sequence, before no changes": lambda: updated(if_sequence=GONE),
        "update: another sequence, before taken name": lambda: updated(
            name="Wave", name_owner="2", if_sequence=GONE
        ),
        "deactivate: another sequence, before its state": lambda: deactivated(
            INACTIVE, if_sequence=GONE
        ),
        "reactivate: another sequence, before its state": lambda: reactivated(
            ACTIVE, if_sequence=GONE
        ),
        "restore: another sequence, before no changes": lambda: restored(if_sequence=GONE),
        "restore: another sequence, before taken name": lambda: restored(
            name="Wave", name_owner="2", if_sequence=GONE
        ),
        "delete: another sequence": lambda: removed(ACTIVE, if_sequence=GONE),
    },
}


@by_outcome("decide, refusal", REFUSED)
def test_command_is_refused(decide: Callable[[], object], refusal: str) -> None:
    assert refusal_of(decide) == refusal


def changed(**payload: JSON) -> Event:
    return Event("action.changed", payload)


@cases(
    "decide, event",
    {
        "create": (
            lambda: created(timeout_ns=10_000_000_000, allowed_to_fail=True),
            Event(
                "action.added",
                {
                    "name": "Greet",
                    "script": "function Greet() {}",
                    "timeout": 10_000_000_000,
                    "allowedToFail": True,
                },
            ),
        ),
        "create: what is not given is left out": (
            lambda: created(script="", timeout_ns=0),
            Event("action.added", {"name": "Greet", "allowedToFail": False}),
        ),
        "create: a timeout past 64 bits is saturated": (
            lambda: created(timeout_ns=2**63, script=""),
            Event(
                "action.added",
                {"name": "Greet", "timeout": 9_223_372_036_854_775_807, "allowedToFail": False},
            ),
        ),
        "update: name": (lambda: updated(name="Wave", name_owner=None), changed(name="Wave")),
        "update: only the case of the name": (lambda: updated(name="GREET"), changed(name="GREET")),
        "update: all but the name": (
            lambda: updated(script="", timeout_ns=0, allowed_to_fail=True),
            changed(script="", timeout=0, allowedToFail=True),
        ),
        "update: an inactive one": (
            lambda: updated(INACTIVE, timeout_ns=20_000_000_000),
            changed(timeout=20_000_000_000),
        ),
        "update: the timeout that readers were told is a change": (
            lambda: updated(replace(ACTIVE, timeout_ns=0), timeout_ns=20_000_000_000),
            changed(timeout=20_000_000_000),
        ),
        "deactivate": (lambda: deactivated(ACTIVE), Event("action.deactivated", {})),
        "reactivate": (lambda: reactivated(INACTIVE), Event("action.reactivated", {})),
        "update: with the sequence as it is": (
            lambda: updated(script="", if_sequence=AS_READ),
            changed(script=""),
        ),
        "deactivate: with the sequence as it is": (
            lambda: deactivated(ACTIVE, if_sequence=AS_READ),
            Event("action.deactivated", {}),
        ),
        "delete active": (lambda: removed(ACTIVE), Event("action.removed", {})),
        "delete inactive": (lambda: removed(INACTIVE), Event("action.removed", {})),
    },
)
def test_command_decides(decide: Callable[[], Event], event: Event) -> None:
    assert decide() == event


@cases(
    "decided, events",
    {
        "another script": (restored(script="x"), [changed(script="x")]),
        "no timeout, with the sequence as it is": (
            restored(timeout_ns=0, if_sequence=AS_READ),
            [changed(timeout=0)],
        ),
        "the name in another case": (restored(name="GREET"), [changed(name="GREET")]),
        "inactive again": (
            restored(state=ActionState.INACTIVE),
            [Event("action.deactivated", {})],
        ),
        "active again, with another name": (
            restored(INACTIVE, name="Wave", name_owner=None),
            [changed(name="Wave"), Event("action.reactivated", {})],
        ),
    },
)
def test_version_is_restored_by_what_differs(decided: list[Event], events: list[Event]) -> None:
    assert decided == events


def happened(type_: str, payload: dict[str, JSON] | None = None) -> RecordedEvent:
    return RecordedEvent(9, "org", "action", "1", 4, type_, payload or {}, "ada", 300)


@cases(
    "before, event, after",
    {
        "added": (
            None,
            happened("action.added", {"name": "Greet", "allowedToFail": True}),
            Action("1", "org", ActionState.ACTIVE, "Greet", "", 0, True, 4, 300, 300, 9),
        ),
        "changed": (
            INACTIVE,
            happened("action.changed", {"script": "x", "timeout": 0}),
            replace(INACTIVE, script="x", timeout_ns=0, sequence=4, changed_at=300),
        ),
        "renamed": (
            ACTIVE,
            happened("action.changed", {"name": "Wave", "allowedToFail": True}),
            replace(ACTIVE, name="Wave", allowed_to_fail=True, sequence=4, changed_at=300),
        ),
        "deactivated": (
            ACTIVE,
            happened("action.deactivated"),
            replace(INACTIVE, sequence=4, changed_at=300),
        ),
        "reactivated": (
            INACTIVE,
            happened("action.reactivated"),
            replace(ACTIVE, sequence=4, changed_at=300),
        ),
        "removed": (ACTIVE, happened("action.removed"), None),
        "absent": (None, happened("action.changed", {"name": "x"}), None),
    },
)
def test_event_changes_the_action(
    before: Action | None, event: RecordedEvent, after: Action | None
) -> None:
    assert actions.evolve(before, event) == after


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"name": 1}, "event 9 (action.added): name is not a string"),
        ({"timeout": "5"}, "event 9 (action.added): timeout is not an integer"),
        ({"allowedToFail": 1}, "event 9 (action.added): allowedToFail is not true or false"),
    ],
)
def test_event_that_cannot_be_read_says_which(payload: dict[str, JSON], message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        actions.evolve(None, happened("action.added", payload))
    assert str(refused.value) == message
