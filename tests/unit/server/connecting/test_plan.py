"""Plans a connection, for each way in which both sides differ from what is wanted."""

from dataclasses import replace

import pytest

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import JSON, JWE, JWT, Execution, TargetForm, TargetThere, There
from server.connecting.errors import ConnectError
from server.connecting.link import Link
from server.connecting.plan import Key, Plan, plan_of
from server.connecting.wanted import Wanted
from tests.support.tables import cases

FUNCTIONS = ("preuserinfo", "preaccesstoken", "presamlresponse")
WANTED = Wanted(
    name="zitadel.example",
    name_there="us.example",
    public_url="https://us.example",
    orgs={"100": "200"},
)


def execution(function: str, *ids: str) -> Execution:
    return Execution({"function": {"name": function}}, ids)


def here(**fields: object) -> pb.Target:
    target = pb.Target(id="1", name="zitadel.example", has_signing_key=True, orgs={"100": "200"})
    target.timeout.FromSeconds(10)
    target.MergeFrom(pb.Target(**fields))  # type: ignore[arg-type]
    return target


TARGET = TargetThere(
    "91", "us.example", "https://us.example/targets/1", 10_000, True, True, JSON, signing_key="k"
)
THERE = There(
    frozenset({*FUNCTIONS, "preotpsmscode"}),
    [TARGET],
    [execution(name, "7", "91", "8") for name in FUNCTIONS],
)
EMPTY = There(THERE.functions, [], [execution("preuserinfo", "7")])


def plan(
    wanted: Wanted = WANTED,
    link: Link | None = None,
    there: There = THERE,
    is_key_right: bool | None = True,
) -> Plan:
    return plan_of(wanted, link or Link(here(), TARGET), there, is_key_right=is_key_right)


def names(planned: Plan) -> list[str]:
    """Returns the conditions at which the target is not called yet."""
    return [condition.name for condition, _ in planned.missing]


def test_what_is_as_wanted_stays() -> None:
    same = plan()
    assert (same.here.request, same.is_form_set, same.key, names(same)) == (
        None,
        False,
        Key.KEEP,
        [],
    )
    assert same.lines == []


def test_all_is_made_where_there_is_nothing() -> None:
    made = plan(link=Link(), there=EMPTY)
    create = pb.CreateTargetRequest(name="zitadel.example", orgs={"100": "200"})
    create.timeout.FromSeconds(10)
    assert made.here.request == create
    assert made.form("5") == TargetForm("https://us.example/targets/5", 10_000, interrupts=True)
    assert (made.key, names(made)) == (Key.SET, [*FUNCTIONS])
    assert made.lines == [
        "create target zitadel.example here, for 1 organisation (100=200)",
        "create a target in ZITADEL, time limit 10s",
        "store its signing key here",
        "have ZITADEL call it at function preuserinfo, after 1 other",
        "have ZITADEL call it at function preaccesstoken",
        "have ZITADEL call it at function presamlresponse",
    ]


@cases(
    "wanted, ours, line",
    {
        "an organisation": (
            replace(WANTED, orgs={"100": "200", "101": "201"}), here(),
            "bind at target 1 here: 1 organisation (101=201)",
        ),
        "an organisation less": (
            replace(WANTED, orgs={"100": ""}), here(),
            "unbind at target 1 here: 1 organisation (100=)",
        ),
        "a time limit": (
            replace(WANTED, timeout_ms=2500), here(), "set the time limit of target 1 here: 2.500s",
        ),
        "failures": (
            replace(WANTED, ignores_failures=True), here(),
            "let logins go on after a failed run of target 1 here",
        ),
        "failures again": (
            replace(WANTED, ignores_failures=False), here(ignores_failures=True),
            "let logins fail after a failed run of target 1 here",
        ),
    },
)  # fmt: skip
def test_the_target_here_is_changed(wanted: Wanted, ours: pb.Target, line: str) -> None:
    changed = plan(wanted, Link(ours, TARGET))
    assert isinstance(changed.here.request, pb.UpdateTargetRequest)
    assert changed.here.request.target_id == "1"
    assert line in changed.lines


def test_settings_that_are_not_given_are_those_that_are_here() -> None:
    ours = here(ignores_failures=True)
    ours.timeout.FromSeconds(3)
    kept = plan(link=Link(ours, TARGET))
    assert kept.here.request is None
    assert kept.form("1") == TargetForm("https://us.example/targets/1", 3000, interrupts=False)
    assert kept.lines == [
        "change target 91 in ZITADEL: endpoint https://us.example/targets/1, time limit 3s,"
        " payloads JSON",
    ]


@cases(
    "taken, sent, form",
    {
        "JSON": (pb.PAYLOAD_TYPE_UNSPECIFIED, JSON, JSON),
        "JSON, not JWT": (pb.PAYLOAD_TYPE_JSON, JWT, JSON),
        "JWT": (pb.PAYLOAD_TYPE_JWT, JSON, JWT),
        "JWE, when it is so": (pb.PAYLOAD_TYPE_JWE, JWE, JWE),
        "JWE, without a key yet": (pb.PAYLOAD_TYPE_JWE, JSON, JSON),
    },
)
def test_payloads_are_as_the_target_here_takes_them(
    taken: pb.PayloadType, sent: str, form: str
) -> None:
    planned = plan(link=Link(here(payload_type=taken), replace(TARGET, payload_type=sent)))
    assert planned.form("1").payload_type == form
    assert planned.is_form_set == (sent != form)


@cases(
    "change",
    {
        "endpoint": {"endpoint": "https://old.example/targets/1"},
        "time limit": {"timeout_ms": 5000},
        "kind": {"is_call": False},
        "errors": {"interrupts": False},
    },
)
def test_the_target_in_zitadel_is_changed(change: dict[str, object]) -> None:
    there = replace(TARGET, **change)  # type: ignore[arg-type]
    assert plan(link=Link(here(), there)).is_form_set


@cases(
    "has_key, shown, is_right, key",
    {
        "shown, and right": (True, "k", True, Key.KEEP),
        "shown, and wrong": (True, "k", False, Key.SET),
        "shown, and nobody knows": (True, "k", None, Key.SET_IF_OTHER),
        "shown, and none here": (False, "k", None, Key.SET),
        "hidden": (True, "", None, Key.KEEP),
        "hidden, and none here": (False, "", None, Key.RENEW),
    },
)
def test_the_signing_key(has_key: bool, shown: str, is_right: bool | None, key: Key) -> None:
    ours = here()
    ours.has_signing_key = has_key
    link = Link(ours, replace(TARGET, signing_key=shown))
    assert plan(link=link, is_key_right=is_right).key is key


def test_a_hidden_key_is_renewed_before_more_functions_call() -> None:
    there = replace(THERE, executions=[])
    link = Link(here(), replace(TARGET, signing_key=""))
    assert plan(link=link, there=there).key is Key.RENEW


def test_only_functions_that_lack_it_are_changed() -> None:
    there = replace(THERE, executions=[execution("preuserinfo", "91"), execution("other", "91")])
    assert names(plan(there=there)) == ["preaccesstoken", "presamlresponse"]
    wanted = replace(WANTED, functions=("presamlresponse",))
    assert names(plan(wanted, there=there)) == ["presamlresponse"]


def test_methods_and_an_event_are_added_for_logins_of_version_2() -> None:
    wanted = replace(WANTED, has_login_v2=True)
    first, *_, last = plan(wanted).lines
    method = "/zitadel.user.v2.UserService/RetrieveIdentityProviderIntent"
    assert first == f"have ZITADEL call it at response {method}"
    assert last == "have ZITADEL call it at event user.human.password.check.failed"
    assert len(names(plan(wanted))) == 8


def test_an_execution_that_includes_another_is_left_alone() -> None:
    with pytest.raises(ConnectError, match="include another execution"):
        plan(there=replace(THERE, executions=[execution("preuserinfo", "")]))
