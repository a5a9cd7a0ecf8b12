"""Chooses conditions, and adds a target to the execution that ZITADEL takes at each."""

import pytest

from server.connecting.actions_api import Execution, There
from server.connecting.conditions import (
    FUNCTIONS,
    LOGIN_V2,
    Condition,
    conditions_of,
    target_ids_at,
    with_target,
)
from server.connecting.errors import ConnectError
from tests.support.tables import cases

USERS = "zitadel.user.v2.UserService"
BY_NAME = {condition.name: condition for condition in (*FUNCTIONS, *LOGIN_V2)}
USERINFO = BY_NAME["preuserinfo"]
ADDING = BY_NAME["request AddHumanUser"]
FAILING = BY_NAME["event user.human.password.check.failed"]

METHOD = Execution({"request": {"method": f"/{USERS}/AddHumanUser"}}, ("1",))
SERVICE = Execution({"request": {"service": USERS}}, ("2",))
ALL = Execution({"request": {"all": True}}, ("3",))
EMPTY = Execution(METHOD.condition, ())
RESPONSE = Execution({"response": {"service": USERS}}, ("4",))
EVENT = Execution({"event": {"event": "user.human.password.check.failed"}}, ("5",))
GROUP = Execution({"event": {"group": "user.human"}}, ("6",))
OTHER_GROUP = Execution({"event": {"group": "user.machine"}}, ("7",))
EVENTS = Execution({"event": {"all": True}}, ("8",))
FUNCTION = Execution({"function": {"name": "preuserinfo"}}, ("9", "10"))


def there(*functions: str) -> There:
    return There(frozenset(functions), [], [])


def names(*given: str, has_login_v2: bool = False) -> list[str]:
    known = there("presamlresponse", "preuserinfo", "preotpsmscode")
    return [each.name for each in conditions_of(given, known, has_login_v2=has_login_v2)]


def test_conditions_are_those_that_both_sides_have() -> None:
    assert names() == ["preuserinfo", "presamlresponse"]
    assert names("presamlresponse", "presamlresponse") == ["presamlresponse"]
    assert names("presamlresponse", has_login_v2=True) == [
        "presamlresponse",
        "response RetrieveIdentityProviderIntent",
        "request AddHumanUser",
        "request CreateUser",
        "response AddHumanUser",
        "response CreateUser",
        "response CreateSession",
        "response SetSession",
        "event user.human.password.check.failed",
    ]


@cases(
    "given, functions, text",
    {
        "an unknown one": (("never",), ("preuserinfo",), "--function never: expected one of preus"),
        "one that is not there": (("presamlresponse",), ("preuserinfo",), "expected one of preus"),
        "none is there": ((), ("preotpsmscode",), "this ZITADEL has no function that runs actions"),
    },
)
def test_functions_that_cannot_call_are_refused(
    given: tuple[str, ...], functions: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ConnectError, match=text):
        conditions_of(given, there(*functions), has_login_v2=False)


@cases(
    "condition, executions, ids",
    {
        "function": (USERINFO, [METHOD, FUNCTION], ("9", "10")),
        "nothing": (USERINFO, [METHOD, EVENTS], ()),
        "method before all": (ADDING, [ALL, METHOD, SERVICE], ("1",)),
        "service before all": (ADDING, [ALL, SERVICE], ("2",)),
        "all": (ADDING, [ALL, EVENTS], ("3",)),
        "another kind": (ADDING, [RESPONSE], ()),
        "a method without targets": (ADDING, [EMPTY, SERVICE], ("2",)),
        "event before its group": (FAILING, [EVENTS, GROUP, EVENT], ("5",)),
        "group before all events": (FAILING, [EVENTS, GROUP, OTHER_GROUP], ("6",)),
        "another group": (FAILING, [OTHER_GROUP], ()),
    },
)
def test_the_nearest_execution_is_called(
    condition: Condition, executions: list[Execution], ids: tuple[str, ...]
) -> None:
    assert target_ids_at(condition, executions) == ids


def test_a_target_is_added_behind_others() -> None:
    assert with_target(USERINFO, "91", [FUNCTION]).target_ids == ("9", "10", "91")
    assert with_target(USERINFO, "91", [METHOD]) == Execution(USERINFO.message, ("91",))
    assert with_target(ADDING, "91", [SERVICE, METHOD]) == Execution(METHOD.condition, ("1", "91"))


@cases(
    "condition, execution, text",
    {
        "an included execution": (
            USERINFO, Execution(USERINFO.message, ("7", "")),
            "preuserinfo: its targets include another execution",
        ),
        "targets of the service": (
            ADDING, SERVICE, f"request AddHumanUser: ZITADEL calls targets at request {USERS}, and",
        ),
        "targets of all": (ADDING, ALL, "ZITADEL calls targets at request of all, and would"),
        "targets of a group": (FAILING, GROUP, r"calls targets at event user.human.\*, and would"),
    },
)  # fmt: skip
def test_targets_of_others_are_not_lost(
    condition: Condition, execution: Execution, text: str
) -> None:
    with pytest.raises(ConnectError, match=text):
        with_target(condition, "91", [execution])
