"""Organisations, members, users and tokens: what is refused, and what follows from events."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from server.domain import org as orgs
from server.domain import user as users
from server.domain.aggregates import evolve, is_dependant, unique_names, user_key
from server.domain.events import JSON, Event, RecordedEvent
from server.domain.org import Member, Org
from server.domain.refusals import Kind, Refusal
from server.domain.user import Token, User

ORG = Org("o", "Acme", 1, 100, 100, 1)
USER = User("u", "o", "Ada", "de", "ada@issuer", 1, 100, 100, 2)
MEMBER = Member("o:u", "o", "u", ("ORG_OWNER",), 1, 100, 100, 3)
OWNER = replace(MEMBER, roles=("ORG_OWNER_VIEWER", "IAM_OWNER"))
TOKEN = Token("t", "o", "u", b"\x01" * 32, "laptop", None, 1, 100, 100, 4)

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


def made(name: str = "Ada", *, org: Org | None = ORG, **given: str | None) -> Event:
    values: dict[str, Any] = {
        "language": "",
        "subject": "",
        "name_owner": None,
        "subject_owner": None,
        **given,
    }
    return users.create(org=org, name=name, **values)


def updated(user: User | None = USER, *, org: Org | None = ORG, **given: str | None) -> Event:
    values: dict[str, Any] = {
        "name": None,
        "language": None,
        "subject": None,
        "name_owner": None,
        "subject_owner": None,
        **given,
    }
    return users.update(user, org=org, **values)[1]


def renamed(name: str, org: Org | None = ORG, name_owner: str | None = None) -> Event:
    return orgs.rename(org, name=name, name_owner=name_owner)


def roles_set(member: Member | None, *roles: str, is_owned_otherwise: bool = False) -> Event:
    return orgs.set_roles(member, roles=roles, is_owned_otherwise=is_owned_otherwise)


def user_removed(
    user: User | None, *memberships: Member, is_owned_otherwise: bool = False
) -> Event:
    return users.remove(user, memberships=memberships, is_owned_otherwise=is_owned_otherwise)[1]


def token_made(
    user: User | None = USER,
    *,
    org: Org | None = ORG,
    description: str = "",
    expires_at: int | None = None,
) -> Event:
    _, event = users.create_token(
        user,
        org=org,
        secret_hash=b"\x01" * 32,
        description=description,
        expires_at=expires_at,
        now=500,
    )
    return event


@pytest.mark.parametrize(
    ("decide", "kind", "key", "place"),
    [
        pytest.param(
            lambda: orgs.create(name=" ", name_owner=None),
            Kind.INVALID_ARGUMENT,
            "Errors.Org.Invalid",
            "COMMAND-Wd3rv",
            id="org: blank name",
        ),
        pytest.param(
            lambda: orgs.create(name="x" * 201, name_owner=None),
            Kind.INVALID_ARGUMENT,
            "Errors.Org.Invalid",
            "COMMAND-Wd3rv",
            id="org: long name",
        ),
        pytest.param(
            lambda: orgs.create(name="a\udcff", name_owner=None),
            Kind.INVALID_ARGUMENT,
            "Errors.Org.Invalid",
            "COMMAND-Wd3rv",
            id="org: a name that is not text",
        ),
        pytest.param(
            lambda: orgs.create(name="Acme", name_owner="o"),
            Kind.ALREADY_EXISTS,
            "Errors.Org.AlreadyExists",
            "V3-DKcYh",
            id="org: taken name",
        ),
        pytest.param(
            lambda: orgs.remove(None, is_owned_elsewhere=False),
            Kind.NOT_FOUND,
            "Errors.Org.NotFound",
            "COMMAND-Wx4nf",
            id="org removed: absent",
        ),
        pytest.param(
            lambda: orgs.remove(ORG, is_owned_elsewhere=False),
            Kind.FAILED_PRECONDITION,
            "Errors.Org.LastOwner",
            "COMMAND-Wx6lo",
            id="org removed: the last owner",
        ),
        pytest.param(
            lambda: renamed(""),
            Kind.INVALID_ARGUMENT,
            "Errors.Org.Invalid",
            "COMMAND-Wr2iv",
            id="org renamed: empty name",
        ),
        pytest.param(
            lambda: renamed("Other", None),
            Kind.NOT_FOUND,
            "Errors.Org.NotFound",
            "COMMAND-Wr5nf",
            id="org renamed: absent",
        ),
        pytest.param(
            lambda: renamed("Acme", ORG, "o"),
            Kind.FAILED_PRECONDITION,
            "Errors.NoChangesFound",
            "COMMAND-Wr7nc",
            id="org renamed: the same name",
        ),
        pytest.param(
            lambda: renamed("Other", ORG, "p"),
            Kind.ALREADY_EXISTS,
            "Errors.Org.AlreadyExists",
            "V3-DKcYh",
            id="org renamed: taken name",
        ),
        pytest.param(
            lambda: made("a\nb", org=None),
            Kind.INVALID_ARGUMENT,
            "Errors.User.Invalid",
            "COMMAND-Uf4nv",
            id="user: a name of two lines, before absent org",
        ),
        pytest.param(
            lambda: made(org=None),
            Kind.NOT_FOUND,
            "Errors.Org.NotFound",
            "COMMAND-Uc2no",
            id="user: absent org",
        ),
        pytest.param(
            lambda: made(name_owner="u"),
            Kind.ALREADY_EXISTS,
            "Errors.User.AlreadyExists",
            "V3-DKcYh",
            id="user: taken name",
        ),
        pytest.param(
            lambda: made(language="d", org=None),
            Kind.INVALID_ARGUMENT,
            "Errors.User.LanguageInvalid",
            "COMMAND-Ul3nv",
            id="user: a language that is no tag, before absent org",
        ),
        pytest.param(
            lambda: made(subject="x" * 256),
            Kind.INVALID_ARGUMENT,
            "Errors.User.SubjectInvalid",
            "COMMAND-Us5nv",
            id="user: long subject",
        ),
        pytest.param(
            lambda: made(subject="a\0b"),
            Kind.INVALID_ARGUMENT,
            "Errors.User.SubjectInvalid",
            "COMMAND-Us5nv",
            id="user: a subject that does not print",
        ),
        pytest.param(
            lambda: made(subject="s", subject_owner="u"),
            Kind.ALREADY_EXISTS,
            "Errors.User.SubjectTaken",
            "V3-DKcYh",
            id="user: taken subject",
        ),
        pytest.param(
            lambda: updated(None, name=""),
            Kind.NOT_FOUND,
            "Errors.User.NotFound",
            "COMMAND-Uu2nf",
            id="user changed: absent, before empty name",
        ),
        pytest.param(
            lambda: updated(org=None, name=""),
            Kind.NOT_FOUND,
            "Errors.User.NotFound",
            "COMMAND-Uu2nf",
            id="user: to update, of no organisation any more",
        ),
        pytest.param(
            lambda: updated(name=""),
            Kind.INVALID_ARGUMENT,
            "Errors.User.Invalid",
            "COMMAND-Uf4nv",
            id="user changed: empty name",
        ),
        pytest.param(
            lambda: updated(language="de_DE"),
            Kind.INVALID_ARGUMENT,
            "Errors.User.LanguageInvalid",
            "COMMAND-Ul3nv",
            id="user changed: a language that is no tag",
        ),
        pytest.param(
            lambda: updated(name="Ada", language="de", name_owner="u"),
            Kind.FAILED_PRECONDITION,
            "Errors.NoChangesFound",
            "COMMAND-Uu6nc",
            id="user changed: to what it is",
        ),
        pytest.param(
            lambda: updated(name="Bob", name_owner="v"),
            Kind.ALREADY_EXISTS,
            "Errors.User.AlreadyExists",
            "V3-DKcYh",
            id="user changed: taken name",
        ),
        pytest.param(
            lambda: updated(subject="s", subject_owner="v"),
            Kind.ALREADY_EXISTS,
            "Errors.User.SubjectTaken",
            "V3-DKcYh",
            id="user changed: taken subject",
        ),
        pytest.param(
            lambda: user_removed(None),
            Kind.NOT_FOUND,
            "Errors.User.NotFound",
            "COMMAND-Ur8nf",
            id="user removed: absent",
        ),
        pytest.param(
            lambda: user_removed(USER, MEMBER, OWNER),
            Kind.FAILED_PRECONDITION,
            "Errors.Member.LastOwner",
            "COMMAND-Ur9lo",
            id="user removed: the last owner",
        ),
        pytest.param(
            lambda: added(org=None, user_id=None),
            Kind.NOT_FOUND,
            "Errors.Org.NotFound",
            "COMMAND-Mz5bo",
            id="member: absent org, before absent user",
        ),
        pytest.param(
            lambda: added(user_id=None, roles=()),
            Kind.NOT_FOUND,
            "Errors.User.NotFound",
            "COMMAND-Mk2tu",
            id="member: absent user, before no role",
        ),
        pytest.param(
            lambda: added(roles=()),
            Kind.INVALID_ARGUMENT,
            "Errors.Member.RolesMissing",
            "COMMAND-Mq8re",
            id="member: no role",
        ),
        pytest.param(
            lambda: added(MEMBER, roles=("ORG_OWNER", "org_owner")),
            Kind.INVALID_ARGUMENT,
            "Errors.Member.RoleUnknown",
            "COMMAND-Mr4uk",
            id="member: unknown role, before already a member",
        ),
        pytest.param(
            lambda: added(MEMBER),
            Kind.ALREADY_EXISTS,
            "Errors.Member.AlreadyExists",
            "COMMAND-Ma6ex",
            id="member: already one",
        ),
        pytest.param(
            lambda: roles_set(None),
            Kind.NOT_FOUND,
            "Errors.Member.NotFound",
            "COMMAND-Ms3nf",
            id="roles: no member, before no role",
        ),
        pytest.param(
            lambda: roles_set(MEMBER),
            Kind.INVALID_ARGUMENT,
            "Errors.Member.RolesMissing",
            "COMMAND-Mq8re",
            id="roles: none",
        ),
        pytest.param(
            lambda: roles_set(OWNER, "OWNER"),
            Kind.INVALID_ARGUMENT,
            "Errors.Member.RoleUnknown",
            "COMMAND-Mr4uk",
            id="roles: unknown, before the last owner",
        ),
        pytest.param(
            lambda: roles_set(MEMBER, "ORG_OWNER", "ORG_OWNER"),
            Kind.FAILED_PRECONDITION,
            "Errors.NoChangesFound",
            "COMMAND-Ms6nc",
            id="roles: those that it has",
        ),
        pytest.param(
            lambda: roles_set(OWNER, "IAM_ORG_MANAGER"),
            Kind.FAILED_PRECONDITION,
            "Errors.Member.LastOwner",
            "COMMAND-Ms8lo",
            id="roles: the last owner",
        ),
        pytest.param(
            lambda: orgs.remove_member(None, is_owned_otherwise=False),
            Kind.NOT_FOUND,
            "Errors.Member.NotFound",
            "COMMAND-Mn7nf",
            id="member: none to remove",
        ),
        pytest.param(
            lambda: orgs.remove_member(OWNER, is_owned_otherwise=False),
            Kind.FAILED_PRECONDITION,
            "Errors.Member.LastOwner",
            "COMMAND-Mn8lo",
            id="member removed: the last owner",
        ),
        pytest.param(
            lambda: token_made(None, expires_at=1),
            Kind.NOT_FOUND,
            "Errors.User.NotFound",
            "COMMAND-Tu3nf",
            id="token: absent user, before past expiry",
        ),
        pytest.param(
            lambda: token_made(org=None, expires_at=1),
            Kind.NOT_FOUND,
            "Errors.User.NotFound",
            "COMMAND-Tu3nf",
            id="token: of a user of no organisation any more",
        ),
        pytest.param(
            lambda: token_made(description="a\0b"),
            Kind.INVALID_ARGUMENT,
            "Errors.Token.DescriptionInvalid",
            "COMMAND-Td5nv",
            id="token: a description that does not print",
        ),
        pytest.param(
            lambda: token_made(expires_at=500),
            Kind.INVALID_ARGUMENT,
            "Errors.Token.ExpiryPast",
            "COMMAND-Te7ps",
            id="token: expires now",
        ),
        pytest.param(
            lambda: users.revoke_token(None),
            Kind.NOT_FOUND,
            "Errors.Token.NotFound",
            "COMMAND-Tr9nf",
            id="token: none to revoke",
        ),
    ],
)
def test_command_is_refused(decide: Callable[[], object], kind: Kind, key: str, place: str) -> None:
    with pytest.raises(Refusal) as refused:
        decide()
    assert (refused.value.kind, refused.value.key, refused.value.id) == (kind, key, place)


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
            lambda: made(),
            "user.added",
            {"name": "Ada"},
            id="user",
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
            lambda: made(language="pt-BR", subject="42"),
            "user.added",
            {"name": "Ada", "language": "pt-BR", "subject": "42"},
            id="user with a language and a subject",
        ),
        pytest.param(
            lambda: updated(name="ADA", name_owner="u", language="", subject="ada@issuer"),
            "user.changed",
            {"name": "ADA", "language": ""},
            id="user: only what changes",
        ),
        pytest.param(
            lambda: user_removed(USER, MEMBER), "user.removed", {}, id="user removed: no owner"
        ),
        pytest.param(
            lambda: user_removed(USER, OWNER, is_owned_otherwise=True),
            "user.removed",
            {},
            id="user removed: one of many owners",
        ),
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
        pytest.param(
            lambda: token_made(expires_at=501, description="laptop"),
            "token.added",
            {
                "userId": "u",
                "secretHash": "01" * 32,
                "description": "laptop",
                "expiresAt": 501,
            },
            id="token",
        ),
        pytest.param(
            token_made,
            "token.added",
            {"userId": "u", "secretHash": "01" * 32, "description": ""},
            id="token that never expires",
        ),
        pytest.param(lambda: users.revoke_token(TOKEN)[1], "token.removed", {}, id="token revoked"),
    ],
)
def test_command_decides(decide: Callable[[], Event], type_: str, payload: dict[str, JSON]) -> None:
    assert decide() == Event(type_, payload)


def happened(kind: str, id_: str, type_: str, payload: dict[str, JSON]) -> RecordedEvent:
    return RecordedEvent(9, "o", kind, id_, 2, type_, payload, "", 300)


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
            None,
            happened("user", "u", "user.added", {"name": "Ada"}),
            User("u", "o", "Ada", "", "", 2, 300, 300, 9),
            id="user added",
        ),
        pytest.param(
            USER,
            happened("user", "u", "user.of.a.later.version", {}),
            User("u", "o", "Ada", "de", "ada@issuer", 2, 100, 300, 2),
            id="user: any other event counts",
        ),
        pytest.param(None, happened("user", "u", "user.other", {}), None, id="no user"),
        pytest.param(
            ORG,
            happened("org", "o", "org.changed", {"name": "Other"}),
            Org("o", "Other", 2, 100, 300, 1),
            id="org renamed",
        ),
        pytest.param(
            None,
            happened("user", "u", "user.added", {"name": "A", "language": "de", "subject": "s"}),
            User("u", "o", "A", "de", "s", 2, 300, 300, 9),
            id="user added with a language and a subject",
        ),
        pytest.param(
            USER,
            happened("user", "u", "user.changed", {"name": "Bob", "subject": ""}),
            User("u", "o", "Bob", "de", "", 2, 100, 300, 2),
            id="user changed",
        ),
        pytest.param(USER, happened("user", "u", "user.removed", {}), None, id="user removed"),
        pytest.param(
            MEMBER,
            happened("member", "o:u", "member.changed", {"roles": ["A"]}),
            Member("o:u", "o", "u", ("A",), 2, 100, 300, 3),
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
            Member("o:u", "o", "u", ("ORG_OWNER",), 2, 100, 300, 3),
            id="member: any other event counts",
        ),
        pytest.param(
            MEMBER, happened("member", "o:u", "member.removed", {}), None, id="member removed"
        ),
        pytest.param(
            None,
            happened(
                "token",
                "t",
                "token.added",
                {"userId": "u", "secretHash": "0a" * 32, "description": "d", "expiresAt": 7},
            ),
            Token("t", "o", "u", b"\n" * 32, "d", 7, 2, 300, 300, 9),
            id="token added",
        ),
        pytest.param(
            TOKEN,
            happened("token", "t", "token.of.a.later.version", {}),
            Token("t", "o", "u", b"\x01" * 32, "laptop", None, 2, 100, 300, 4),
            id="token: any other event counts",
        ),
        pytest.param(TOKEN, happened("token", "t", "token.removed", {}), None, id="token revoked"),
    ],
)
def test_event_changes_the_state(
    before: Org | User | Member | Token | None,
    event: RecordedEvent,
    after: Org | User | Member | Token | None,
) -> None:
    assert evolve(before, event) == after


def test_event_of_an_unknown_aggregate_is_an_error() -> None:
    with pytest.raises(ValueError, match="event 9: unknown aggregate type 'flow'"):
        evolve(None, happened("flow", "1", "flow.added", {}))


def test_event_whose_list_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="roles is not a list of strings"):
        evolve(None, happened("member", "o:u", "member.added", {"roles": "ORG_OWNER"}))


def test_names_are_unique_without_regard_to_case_and_subjects_with_it() -> None:
    user = replace(USER, subject="Ada@Issuer")
    assert [unique_names(state) for state in (ORG, user, MEMBER, TOKEN)] == [
        (("org", "", "acme"),),
        (("user", "o", "ada"), ("subject", "", "Ada@Issuer")),
        (),
        (),
    ]
    assert unique_names(replace(USER, subject="")) == (("user", "o", "ada"),)


@pytest.mark.parametrize(
    ("state", "user_id", "expected"),
    [
        pytest.param(MEMBER, "u", True, id="membership"),
        pytest.param(TOKEN, "u", True, id="token"),
        pytest.param(TOKEN, "v", False, id="token of another user"),
        pytest.param(USER, "u", False, id="the user itself"),
    ],
)
def test_memberships_and_tokens_go_with_their_user(
    state: User | Member | Token, user_id: str, expected: bool
) -> None:
    assert is_dependant(state, user_key(user_id)) is expected


@pytest.mark.parametrize("tag", ["", "de", "DE", "pt-BR", "zh-Hant-TW", "x" * 8])
def test_a_language_is_a_tag_in_form(tag: str) -> None:
    assert made(language=tag).payload.get("language", "") == tag


@pytest.mark.parametrize("tag", ["d", "de_DE", "de-", "-de", "de--AT", "x" * 9, "dé", "de\n", "1a"])
def test_what_is_no_language_tag_is_named(tag: str) -> None:
    with pytest.raises(Refusal) as refused:
        made(language=tag)
    assert refused.value.values == {"language": ascii(tag)}
