"""Organisations and their members: what is refused, and what follows from events."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from server.domain import org as orgs
from server.domain.aggregates import evolve
from server.domain.events import JSON, Event, RecordedEvent
from server.domain.org import Member, Org
from server.domain.refusals import Refusal
from tests.support.events import happened

ORG = Org("o", "Acme", 1, 100, 100, 1)
MEMBER = Member("o:u", "o", "u", ("ORG_OWNER",), 1, 100, 100, 2)
OWNER = replace(MEMBER, roles=("ORG_OWNER_VIEWER", "IAM_OWNER"))

ALL_ROLES = (
    "IAM_OWNER, IAM_ORG_MANAGER, IAM_OWNER_VIEWER, ORG_OWNER, ORG_OWNER_VIEWER, ORG_ACTION_RUNNER"
)


def added(
    member: Member | None = None,
    *,
    org: Org | None = ORG,
    user_id: str | None = "u",
    roles: tuple[str, ...] = ("ORG_OWNER",),
) -> Event:
    return orgs.add_member(member, org=org, user_id=user_id, roles=roles)


def renamed(name: str, org: Org | None = ORG, name_owner: str | None = None) -> Event:
    return orgs.rename(org, name=name, name_owner=name_owner)


def roles_set(member: Member | None, *roles: str, is_owned_otherwise: bool = False) -> Event:
    return orgs.set_roles(member, roles=roles, is_owned_otherwise=is_owned_otherwise)


@pytest.mark.parametrize(
    ("decide", "refusal"),
    [
        pytest.param(
            lambda: orgs.create(name=" ", name_owner=None),
            "INVALID_ARGUMENT Errors.Org.Invalid COMMAND-Wd3rv",
            id="org: blank name",
        ),
        pytest.param(
            lambda: orgs.create(name="x" * 201, name_owner=None),
            "INVALID_ARGUMENT Errors.Org.Invalid COMMAND-Wd3rv",
            id="org: long name",
        ),
        pytest.param(
            lambda: orgs.create(name="a\udcff", name_owner=None),
            "INVALID_ARGUMENT Errors.Org.Invalid COMMAND-Wd3rv",
            id="org: a name that is not text",
        ),
        pytest.param(
            lambda: orgs.create(name="Acme", name_owner="o"),
            "ALREADY_EXISTS Errors.Org.AlreadyExists V3-DKcYh",
            id="org: taken name",
        ),
        pytest.param(
            lambda: orgs.remove(None, is_owned_elsewhere=False),
            "NOT_FOUND Errors.Org.NotFound COMMAND-Wx4nf",
            id="org removed: absent",
        ),
        pytest.param(
            lambda: orgs.remove(ORG, is_owned_elsewhere=False),
            "FAILED_PRECONDITION Errors.Org.LastOwner COMMAND-Wx6lo",
            id="org removed: the last owner",
        ),
        pytest.param(
            lambda: renamed(""),
            "INVALID_ARGUMENT Errors.Org.Invalid COMMAND-Wr2iv",
            id="org renamed: empty name",
        ),
        pytest.param(
            lambda: renamed("Other", None),
            "NOT_FOUND Errors.Org.NotFound COMMAND-Wr5nf",
            id="org renamed: absent",
        ),
        pytest.param(
            lambda: renamed("Acme", ORG, "o"),
            "FAILED_PRECONDITION Errors.NoChangesFound COMMAND-Wr7nc",
            id="org renamed: the same name",
        ),
        pytest.param(
            lambda: renamed("Other", ORG, "p"),
            "ALREADY_EXISTS Errors.Org.AlreadyExists V3-DKcYh",
            id="org renamed: taken name",
        ),
        pytest.param(
            lambda: added(org=None, user_id=None),
            "NOT_FOUND Errors.Org.NotFound COMMAND-Mz5bo",
            id="member: absent org, before absent user",
        ),
        pytest.param(
            lambda: added(user_id=None, roles=()),
            "NOT_FOUND Errors.User.NotFound COMMAND-Mk2tu",
            id="member: absent user, before no role",
        ),
        pytest.param(
            lambda: added(roles=()),
            "INVALID_ARGUMENT Errors.Member.RolesMissing COMMAND-Mq8re",
            id="member: no role",
        ),
        pytest.param(
            lambda: added(MEMBER, roles=("ORG_OWNER", "org_owner")),
            "INVALID_ARGUMENT Errors.Member.RoleUnknown COMMAND-Mr4uk",
            id="member: unknown role, before already a member",
        ),
        pytest.param(
            lambda: added(MEMBER),
            "ALREADY_EXISTS Errors.Member.AlreadyExists COMMAND-Ma6ex",
            id="member: already one",
        ),
        pytest.param(
            lambda: roles_set(None),
            "NOT_FOUND Errors.Member.NotFound COMMAND-Ms3nf",
            id="roles: no member, before no role",
        ),
        pytest.param(
            lambda: roles_set(MEMBER),
            "INVALID_ARGUMENT Errors.Member.RolesMissing COMMAND-Mq8re",
            id="roles: none",
        ),
        pytest.param(
            lambda: roles_set(OWNER, "OWNER"),
            "INVALID_ARGUMENT Errors.Member.RoleUnknown COMMAND-Mr4uk",
            id="roles: unknown, before the last owner",
        ),
        pytest.param(
            lambda: roles_set(MEMBER, "ORG_OWNER", "ORG_OWNER"),
            "FAILED_PRECONDITION Errors.NoChangesFound COMMAND-Ms6nc",
            id="roles: those that it has",
        ),
        pytest.param(
            lambda: roles_set(OWNER, "IAM_ORG_MANAGER"),
            "FAILED_PRECONDITION Errors.Member.LastOwner COMMAND-Ms8lo",
            id="roles: the last owner",
        ),
        pytest.param(
            lambda: orgs.remove_member(None, is_owned_otherwise=False),
            "NOT_FOUND Errors.Member.NotFound COMMAND-Mn7nf",
            id="member: none to remove",
        ),
        pytest.param(
            lambda: orgs.remove_member(OWNER, is_owned_otherwise=False),
            "FAILED_PRECONDITION Errors.Member.LastOwner COMMAND-Mn8lo",
            id="member removed: the last owner",
        ),
    ],
)
def test_command_is_refused(decide: Callable[[], object], refusal: str) -> None:
    with pytest.raises(Refusal) as caught:
        decide()
    refused = caught.value
    assert f"{refused.kind.name} {refused.key} {refused.id}" == refusal


def test_unknown_role_is_named_with_the_known_ones() -> None:
    with pytest.raises(Refusal) as refused:
        added(roles=("OWNER\n",))
    assert refused.value.values == {"role": "'OWNER\\n'", "known": ALL_ROLES}


@pytest.mark.parametrize(
    ("decide", "type_", "payload"),
    [
        pytest.param(
            lambda: orgs.create(name="Acme", name_owner=None),
            "org.added",
            {"name": "Acme"},
            id="org",
        ),
        pytest.param(
            lambda: added(roles=("ORG_OWNER", "IAM_OWNER", "ORG_OWNER")),
            "member.added",
            {"orgId": "o", "userId": "u", "roles": ["ORG_OWNER", "IAM_OWNER"]},
            id="member: a role given twice counts once",
        ),
        pytest.param(
            lambda: orgs.remove(ORG, is_owned_elsewhere=True), "org.removed", {}, id="org removed"
        ),
        pytest.param(lambda: renamed("ACME"), "org.changed", {"name": "ACME"}, id="org renamed"),
        pytest.param(
            lambda: roles_set(MEMBER, "IAM_OWNER", "IAM_OWNER"),
            "member.changed",
            {"roles": ["IAM_OWNER"]},
            id="member: other roles",
        ),
        pytest.param(
            lambda: roles_set(OWNER, "ORG_OWNER", "IAM_OWNER"),
            "member.changed",
            {"roles": ["ORG_OWNER", "IAM_OWNER"]},
            id="member: the last owner, who stays one",
        ),
        pytest.param(
            lambda: roles_set(OWNER, "ORG_OWNER", is_owned_otherwise=True),
            "member.changed",
            {"roles": ["ORG_OWNER"]},
            id="member: one of many owners, no owner any more",
        ),
        pytest.param(
            lambda: orgs.remove_member(MEMBER, is_owned_otherwise=False),
            "member.removed",
            {},
            id="member removed: no owner",
        ),
        pytest.param(
            lambda: orgs.remove_member(OWNER, is_owned_otherwise=True),
            "member.removed",
            {},
            id="member removed: one of many owners",
        ),
    ],
)
def test_command_decides(decide: Callable[[], Event], type_: str, payload: dict[str, JSON]) -> None:
    assert decide() == Event(type_, payload)


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        pytest.param(
            None,
            happened("org", "o", "org.added", {"name": "Acme"}),
            Org("o", "Acme", 2, 300, 300, 9),
            id="org added",
        ),
        pytest.param(
            ORG,
            happened("org", "o", "org.of.a.later.version", {}),
            Org("o", "Acme", 2, 100, 300, 1),
            id="org: any other event counts",
        ),
        pytest.param(None, happened("org", "o", "org.other", {}), None, id="no org"),
        pytest.param(ORG, happened("org", "o", "org.removed", {}), None, id="org removed"),
        pytest.param(
            ORG,
            happened("org", "o", "org.changed", {"name": "Other"}),
            Org("o", "Other", 2, 100, 300, 1),
            id="org renamed",
        ),
        pytest.param(
            MEMBER,
            happened("member", "o:u", "member.changed", {"roles": ["A"]}),
            Member("o:u", "o", "u", ("A",), 2, 100, 300, 2),
            id="member changed",
        ),
        pytest.param(
            None,
            happened(
                "member", "o:u", "member.added", {"orgId": "o", "userId": "u", "roles": ["A", "B"]}
            ),
            Member("o:u", "o", "u", ("A", "B"), 2, 300, 300, 9),
            id="member added",
        ),
        pytest.param(
            MEMBER,
            happened("member", "o:u", "member.of.a.later.version", {}),
            Member("o:u", "o", "u", ("ORG_OWNER",), 2, 100, 300, 2),
            id="member: any other event counts",
        ),
        pytest.param(
            MEMBER, happened("member", "o:u", "member.removed", {}), None, id="member removed"
        ),
    ],
)
def test_event_changes_the_state(
    before: Org | Member | None, event: RecordedEvent, after: Org | Member | None
) -> None:
    assert evolve(before, event) == after


def test_event_whose_list_is_of_another_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="roles is not a list of strings"):
        evolve(None, happened("member", "o:u", "member.added", {"roles": "ORG_OWNER"}))
