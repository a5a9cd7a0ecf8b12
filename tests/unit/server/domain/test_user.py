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
from tests.support.events import happened, refusal_of
from tests.support.tables import by_outcome, cases

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


REFUSED: dict[str, dict[str, Callable[[], object]]] = {
    "INVALID_ARGUMENT Errors.User.Invalid COMMAND-Uf4nv": {
        "user: a name of two lines, before absent org": lambda: made("a\nb", org=None),
        "user changed: empty name": lambda: updated(name=""),
    },
    "NOT_FOUND Errors.Org.NotFound COMMAND-Uc2no": {"user: absent org": lambda: made(org=None)},
    "ALREADY_EXISTS Errors.User.AlreadyExists V3-DKcYh": {
        "user: taken name": lambda: made(name_owner="u"),
        "user changed: taken name": lambda: updated(name="Bob", name_owner="v"),
    },
    "INVALID_ARGUMENT Errors.User.LanguageInvalid COMMAND-Ul3nv": {
        "user: a language that is no tag, before absent org": lambda: made(language="d", org=None),
        "user changed: a language that is no tag": lambda: updated(language="de_DE"),
    },
    "INVALID_ARGUMENT Errors.User.SubjectInvalid COMMAND-Us5nv": {
        "user: long subject": lambda: made(subject="x" * 256),
        "user: a subject that does not print": lambda: made(subject="a\0b"),
    },
    "ALREADY_EXISTS Errors.User.SubjectTaken V3-DKcYh": {
        "user: taken subject": lambda: made(subject="s", subject_owner="u"),
        "user changed: taken subject": lambda: updated(subject="s", subject_owner="v"),
    },
    "NOT_FOUND Errors.User.NotFound COMMAND-Uu2nf": {
        "user changed: absent, before empty name": lambda: updated(None, name=""),
        "user changed: of no organisation any more": lambda: updated(org=None, name=""),
    },
    "FAILED_PRECONDITION Errors.NoChangesFound COMMAND-Uu6nc": {
        "user changed: to what it is": lambda: updated(name="Ada", language="de", name_owner="u")
    },
    "NOT_FOUND Errors.User.NotFound COMMAND-Ur8nf": {
        "user removed: absent": lambda: user_removed(None)
    },
    "FAILED_PRECONDITION Errors.Member.LastOwner COMMAND-Ur9lo": {
        "user removed: the last owner": lambda: user_removed(USER, MEMBER, OWNER)
    },
    "NOT_FOUND Errors.User.NotFound COMMAND-Tu3nf": {
        "token: absent user, before past expiry": lambda: token_made(None, expires_at=1),
        "token: of a user of no organisation any more": lambda: token_made(org=None, expires_at=1),
    },
    "INVALID_ARGUMENT Errors.Token.DescriptionInvalid COMMAND-Td5nv": {
        "token: a description that does not print": lambda: token_made(description="a\0b")
    },
    "INVALID_ARGUMENT Errors.Token.ExpiryPast COMMAND-Te7ps": {
        "token: expires now": lambda: token_made(expires_at=500)
    },
    "NOT_FOUND Errors.Token.NotFound COMMAND-Tr9nf": {
        "token: none to revoke": lambda: users.revoke_token(None)
    },
}


@by_outcome("decide, refusal", REFUSED)
def test_command_is_refused(decide: Callable[[], object], refusal: str) -> None:
    assert refusal_of(decide) == refusal


@cases(
    "decide, type_, payload",
    {
        "user": (lambda: made(), "user.added", {"name": "Ada"}),
        "user with a language and a subject": (
            lambda: made(language="pt-BR", subject="42"),
            "user.added",
            {"name": "Ada", "language": "pt-BR", "subject": "42"},
        ),
        "user: only what changes": (
            lambda: updated(name="ADA", name_owner="u", language="", subject="ada@issuer"),
            "user.changed",
            {"name": "ADA", "language": ""},
        ),
        "user removed: no owner": (lambda: user_removed(USER, MEMBER), "user.removed", {}),
        "user removed: one of many owners": (
            lambda: user_removed(USER, OWNER, is_owned_otherwise=True),
            "user.removed",
            {},
        ),
        "token": (
            lambda: token_made(expires_at=501, description="laptop"),
            "token.added",
            {"userId": "u", "secretHash": "01" * 32, "description": "laptop", "expiresAt": 501},
        ),
        "token that never expires": (
            token_made,
            "token.added",
            {"userId": "u", "secretHash": "01" * 32, "description": ""},
        ),
        "token revoked": (lambda: users.revoke_token(TOKEN)[1], "token.removed", {}),
    },
)
def test_command_decides(decide: Callable[[], Event], type_: str, payload: dict[str, JSON]) -> None:
    assert decide() == Event(type_, payload)


def of_user(type_: str, **payload: JSON) -> RecordedEvent:
    return happened("user", "u", f"user.{type_}", payload)


def of_token(type_: str, **payload: JSON) -> RecordedEvent:
    return happened("token", "t", f"token.{type_}", payload)


@cases(
    "before, event, after",
    {
        "user added": (
            None,
            of_user("added", name="Ada"),
            User("u", "o", "Ada", "", "", 2, 300, 300, 9),
        ),
        "user: any other event counts": (
            USER,
            of_user("of.a.later.version"),
            User("u", "o", "Ada", "de", "ada@issuer", 2, 100, 300, 2),
        ),
        "no user": (None, of_user("other"), None),
        "user added with a language and a subject": (
            None,
            of_user("added", name="A", language="de", subject="s"),
            User("u", "o", "A", "de", "s", 2, 300, 300, 9),
        ),
        "user changed": (
            USER,
            of_user("changed", name="Bob", subject=""),
            User("u", "o", "Bob", "de", "", 2, 100, 300, 2),
        ),
        "user removed": (USER, of_user("removed"), None),
        "token added": (
            None,
            of_token("added", userId="u", secretHash="0a" * 32, description="d", expiresAt=7),
            Token("t", "o", "u", b"\n" * 32, "d", 7, 2, 300, 300, 9),
        ),
        "token: any other event counts": (
            TOKEN,
            of_token("of.a.later.version"),
            Token("t", "o", "u", b"\x01" * 32, "laptop", None, 2, 100, 300, 4),
        ),
        "token revoked": (TOKEN, of_token("removed"), None),
    },
)
def test_event_changes_the_state(
    before: User | Token | None, event: RecordedEvent, after: User | Token | None
) -> None:
    assert evolve(before, event) == after


@pytest.mark.parametrize("tag", ["", "de", "DE", "pt-BR", "zh-Hant-TW", "x" * 8])
def test_a_language_is_a_tag_in_form(tag: str) -> None:
    assert made(language=tag).payload.get("language", "") == tag


@pytest.mark.parametrize("tag", ["d", "de_DE", "de-", "-de", "de--AT", "x" * 9, "dé", "de\n", "1a"])
def test_an_invalid_language_tag_is_named(tag: str) -> None:
    with pytest.raises(Refusal) as refused:
        made(language=tag)
    assert refused.value.values == {"language": ascii(tag)}
