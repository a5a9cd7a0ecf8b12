"""Organisations and their members: what is refused, and what follows from events."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from server.domain import org as orgs
from server.domain.aggregates import evolve
from server.domain.events import JSON, Event, RecordedEvent
from server.domain.org import Member, Org
from server.domain.refusals import Refusal
from tests.support.events import happened, refusal_of
from tests.support.tables import by_outcome, cases

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


REFUSED: dict[str, dict[str, Callable[[], object]]] = {
    "INVALID_ARGUMENT Errors.Org.Invalid COMMAND-Wd3rv": {
        "org: blank name": lambda: orgs.create(name=" ", name_owner=None),
        "org: long name": lambda: orgs.create(name="x" * 201, name_owner=None),
        "org: a name that is not text": lambda: orgs.create(name="a\udcff", name_owner=None),
    },
    "ALREADY_EXISTS Errors.Org.AlreadyExists V3-DKcYh": {
        "org: taken name": lambda: orgs.create(name="Acme", name_owner="o"),
        "org renamed: taken name": lambda: renamed("Other", ORG, "p"),
    },
    "NOT_FOUND Errors.Org.NotFound COMMAND-Wx4nf": {
        "org removed: absent": lambda: orgs.remove(None, is_owned_elsewhere=False)
    },
    "FAILED_PRECONDITION Errors.Org.LastOwner COMMAND-Wx6lo": {
        "org removed: the last owner": lambda: orgs.remove(ORG, is_owned_elsewhere=False)
    },
    "INVALID_ARGUMENT Errors.Org.Invalid COMMAND-Wr2iv": {
        "org renamed: empty name": lambda: renamed("")
    },
    "NOT_FOUND Errors.Org.NotFound COMMAND-Wr5nf": {
        "org renamed: absent": lambda: renamed("Other", None)
    },
    "FAILED_PRECONDITION Errors.NoChangesFound COMMAND-Wr7nc": {
        "org renamed: the same name": lambda: renamed("Acme", ORG, "o")
    },
    "NOT_FOUND Errors.Org.NotFound COMMAND-Mz5bo": {
        "member: absent org, before absent user": lambda: added(org=None, user_id=None)
    },
    "NOT_FOUND Errors.User.NotFound COMMAND-Mk2tu": {
        "member: absent user, before no role": lambda: added(user_id=None, roles=())
    },
    "INVALID_ARGUMENT Errors.Member.RolesMissing COMMAND-Mq8re": {
        "member: no role": lambda: added(roles=()),
        "roles: none": lambda: roles_set(MEMBER),
    },
    "INVALID_ARGUMENT Errors.Member.RoleUnknown COMMAND-Mr4uk": {
        "member: unknown role, before already a member": lambda: added(
            MEMBER, roles=("ORG_OWNER", "org_owner")
        ),
        "roles: unknown, before the last owner": lambda: roles_set(OWNER, "OWNER"),
    },
    "ALREADY_EXISTS Errors.Member.AlreadyExists COMMAND-Ma6ex": {
        "member: already one": lambda: added(MEMBER)
    },
    "NOT_FOUND Errors.Member.NotFound COMMAND-Ms3nf": {
        "roles: no member, before no role": lambda: roles_set(None)
    },
    "FAILED_PRECONDITION Errors.NoChangesFound COMMAND-Ms6nc": {
        "roles: those that it has": lambda: roles_set(MEMBER, "ORG_OWNER", "ORG_OWNER")
    },
    "FAILED_PRECONDITION Errors.Member.LastOwner COMMAND-Ms8lo": {
        "roles: the last owner": lambda: roles_set(OWNER, "IAM_ORG_MANAGER")
    },
    "NOT_FOUND Errors.Member.NotFound COMMAND-Mn7nf": {
        "member: none to remove": lambda: orgs.remove_member(None, is_owned_otherwise=False)
    },
    "FAILED_PRECONDITION Errors.Member.LastOwner COMMAND-Mn8lo": {
        "member removed: the last owner": lambda: orgs.remove_member(
            OWNER, is_owned_otherwise=False
        )
    },
}


@by_outcome("decide, refusal", REFUSED)
def test_command_is_refused(decide: Callable[[], object], refusal: str) -> None:
    assert refusal_of(decide) == refusal


def test_unknown_role_is_named_with_the_known_ones() -> None:
    with pytest.raises(Refusal) as refused:
        added(roles=("OWNER\n",))
    assert refused.value.values == {"role": "'OWNER\\n'", "known": ALL_ROLES}


@cases(
    "decide, type_, payload",
    {
        "org": (lambda: orgs.create(name="Acme", name_owner=None), "org.added", {"name": "Acme"}),
        "member: a role given twice counts once": (
            lambda: added(roles=("ORG_OWNER", "IAM_OWNER", "ORG_OWNER")),
            "member.added",
            {"orgId": "o", "userId": "u", "roles": ["ORG_OWNER", "IAM_OWNER"]},
        ),
        "org removed": (lambda: orgs.remove(ORG, is_owned_elsewhere=True), "org.removed", {}),
        "org renamed": (lambda: renamed("ACME"), "org.changed", {"name": "ACME"}),
        "member: other roles": (
            lambda: roles_set(MEMBER, "IAM_OWNER", "IAM_OWNER"),
            "member.changed",
            {"roles": ["IAM_OWNER"]},
        ),
        "member: the last owner, who stays one": (
            lambda: roles_set(OWNER, "ORG_OWNER", "IAM_OWNER"),
            "member.changed",
            {"roles": ["ORG_OWNER", "IAM_OWNER"]},
        ),
        "member: one of many owners, no owner any more": (
            lambda: roles_set(OWNER, "ORG_OWNER", is_owned_otherwise=True),
            "member.changed",
            {"roles": ["ORG_OWNER"]},
        ),
        "member removed: no owner": (
            lambda: orgs.remove_member(MEMBER, is_owned_otherwise=False),
            "member.removed",
            {},
        ),
        "member removed: one of many owners": (
            lambda: orgs.remove_member(OWNER, is_owned_otherwise=True),
            "member.removed",
            {},
        ),
    },
)
def test_command_decides(decide: Callable[[], Event], type_: str, payload: dict[str, JSON]) -> None:
    assert decide() == Event(type_, payload)


def of_org(type_: str, **payload: JSON) -> RecordedEvent:
    return happened("org", "o", f"org.{type_}", payload)


def of_member(type_: str, **payload: JSON) -> RecordedEvent:
    return happened("member", "o:u", f"member.{type_}", payload)


@cases(
    "before, event, after",
    {
        "org added": (None, of_org("added", name="Acme"), Org("o", "Acme", 2, 300, 300, 9)),
        "org: any other event counts": (
            ORG,
            of_org("of.a.later.version"),
            Org("o", "Acme", 2, 100, 300, 1),
        ),
        "no org": (None, of_org("other"), None),
        "org removed": (ORG, of_org("removed"), None),
        "org renamed": (ORG, of_org("changed", name="Other"), Org("o", "Other", 2, 100, 300, 1)),
        "member changed": (
            MEMBER,
            of_member("changed", roles=["A"]),
            Member("o:u", "o", "u", ("A",), 2, 100, 300, 2),
        ),
        "member added": (
            None,
            of_member("added", orgId="o", userId="u", roles=["A", "B"]),
            Member("o:u", "o", "u", ("A", "B"), 2, 300, 300, 9),
        ),
        "member: any other event counts": (
            MEMBER,
            of_member("of.a.later.version"),
            Member("o:u", "o", "u", ("ORG_OWNER",), 2, 100, 300, 2),
        ),
        "member removed": (MEMBER, of_member("removed"), None),
    },
)
def test_event_changes_the_state(
    before: Org | Member | None, event: RecordedEvent, after: Org | Member | None
) -> None:
    assert evolve(before, event) == after


def test_event_whose_list_is_of_another_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="roles is not a list of strings"):
        evolve(None, of_member("added", roles="ORG_OWNER"))
