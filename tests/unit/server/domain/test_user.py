"""Users and their tokens: what is refused, and what follows from events."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from server.domain import user as users
from server.domain.aggregates import evolve
from server.domain.events import JSON, Event, RecordedEvent
from server.domain.org import Member, Org
from server.domain.refusals import Refusal
from server.domain.user import Token, User
from tests.support.events import happened

ORG = Org("o", "Acme", 1, 100, 100, 1)
USER = User("u", "o", "Ada", "de", "ada@issuer", 1, 100, 100, 2)
MEMBER = Member("o:u", "o", "u", ("ORG_OWNER",), 1, 100, 100, 3)
OWNER = replace(MEMBER, roles=("ORG_OWNER_VIEWER", "IAM_OWNER"))
TOKEN = Token("t", "o", "u", b"\x01" * 32, "laptop", None, 1, 100, 100, 4)


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
    ("decide", "refusal"),
    [
        pytest.param(
            lambda: made("a\nb", org=None),
            "INVALID_ARGUMENT Errors.User.Invalid COMMAND-Uf4nv",
            id="user: a name of two lines, before absent org",
        ),
        pytest.param(
            lambda: made(org=None),
            "NOT_FOUND Errors.Org.NotFound COMMAND-Uc2no",
            id="user: absent org",
        ),
        pytest.param(
            lambda: made(name_owner="u"),
            "ALREADY_EXISTS Errors.User.AlreadyExists V3-DKcYh",
            id="user: taken name",
        ),
        pytest.param(
            lambda: made(language="d", org=None),
            "INVALID_ARGUMENT Errors.User.LanguageInvalid COMMAND-Ul3nv",
            id="user: a language that is no tag, before absent org",
        ),
        pytest.param(
            lambda: made(subject="x" * 256),
            "INVALID_ARGUMENT Errors.User.SubjectInvalid COMMAND-Us5nv",
            id="user: long subject",
        ),
        pytest.param(
            lambda: made(subject="a\0b"),
            "INVALID_ARGUMENT Errors.User.SubjectInvalid COMMAND-Us5nv",
            id="user: a subject that does not print",
        ),
        pytest.param(
            lambda: made(subject="s", subject_owner="u"),
            "ALREADY_EXISTS Errors.User.SubjectTaken V3-DKcYh",
            id="user: taken subject",
        ),
        pytest.param(
            lambda: updated(None, name=""),
            "NOT_FOUND Errors.User.NotFound COMMAND-Uu2nf",
            id="user changed: absent, before empty name",
        ),
        pytest.param(
            lambda: updated(org=None, name=""),
            "NOT_FOUND Errors.User.NotFound COMMAND-Uu2nf",
            id="user changed: of no organisation any more",
        ),
        pytest.param(
            lambda: updated(name=""),
            "INVALID_ARGUMENT Errors.User.Invalid COMMAND-Uf4nv",
            id="user changed: empty name",
        ),
        pytest.param(
            lambda: updated(language="de_DE"),
            "INVALID_ARGUMENT Errors.User.LanguageInvalid COMMAND-Ul3nv",
            id="user changed: a language that is no tag",
        ),
        pytest.param(
            lambda: updated(name="Ada", language="de", name_owner="u"),
            "FAILED_PRECONDITION Errors.NoChangesFound COMMAND-Uu6nc",
            id="user changed: to what it is",
        ),
        pytest.param(
            lambda: updated(name="Bob", name_owner="v"),
            "ALREADY_EXISTS Errors.User.AlreadyExists V3-DKcYh",
            id="user changed: taken name",
        ),
        pytest.param(
            lambda: updated(subject="s", subject_owner="v"),
            "ALREADY_EXISTS Errors.User.SubjectTaken V3-DKcYh",
            id="user changed: taken subject",
        ),
        pytest.param(
            lambda: user_removed(None),
            "NOT_FOUND Errors.User.NotFound COMMAND-Ur8nf",
            id="user removed: absent",
        ),
        pytest.param(
            lambda: user_removed(USER, MEMBER, OWNER),
            "FAILED_PRECONDITION Errors.Member.LastOwner COMMAND-Ur9lo",
            id="user removed: the last owner",
        ),
        pytest.param(
            lambda: token_made(None, expires_at=1),
            "NOT_FOUND Errors.User.NotFound COMMAND-Tu3nf",
            id="token: absent user, before past expiry",
        ),
        pytest.param(
            lambda: token_made(org=None, expires_at=1),
            "NOT_FOUND Errors.User.NotFound COMMAND-Tu3nf",
            id="token: of a user of no organisation any more",
        ),
        pytest.param(
            lambda: token_made(description="a\0b"),
            "INVALID_ARGUMENT Errors.Token.DescriptionInvalid COMMAND-Td5nv",
            id="token: a description that does not print",
        ),
        pytest.param(
            lambda: token_made(expires_at=500),
            "INVALID_ARGUMENT Errors.Token.ExpiryPast COMMAND-Te7ps",
            id="token: expires now",
        ),
        pytest.param(
            lambda: users.revoke_token(None),
            "NOT_FOUND Errors.Token.NotFound COMMAND-Tr9nf",
            id="token: none to revoke",
        ),
    ],
)
def test_command_is_refused(decide: Callable[[], object], refusal: str) -> None:
    with pytest.raises(Refusal) as caught:
        decide()
    refused = caught.value
    assert f"{refused.kind.name} {refused.key} {refused.id}" == refusal


@pytest.mark.parametrize(
    ("decide", "type_", "payload"),
    [
        pytest.param(
            lambda: made(),
            "user.added",
            {"name": "Ada"},
            id="user",
        ),
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


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
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
    before: User | Token | None, event: RecordedEvent, after: User | Token | None
) -> None:
    assert evolve(before, event) == after


@pytest.mark.parametrize("tag", ["", "de", "DE", "pt-BR", "zh-Hant-TW", "x" * 8])
def test_a_language_is_a_tag_in_form(tag: str) -> None:
    assert made(language=tag).payload.get("language", "") == tag


@pytest.mark.parametrize("tag", ["d", "de_DE", "de-", "-de", "de--AT", "x" * 9, "dé", "de\n", "1a"])
def test_what_is_no_language_tag_is_named(tag: str) -> None:
    with pytest.raises(Refusal) as refused:
        made(language=tag)
    assert refused.value.values == {"language": ascii(tag)}
