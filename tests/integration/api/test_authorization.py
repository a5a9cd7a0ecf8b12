"""docs/api.md "Authorization", over each protocol: which callers are refused, and the texts.

A call that is refused writes nothing.
"""

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import pytest

from tests.support.accounts import Accounts
from tests.support.api_client import GRPC, JSON, Answer, ApiClient
from tests.support.api_rows import refusal
from tests.support.issuer import Issuer, Signer
from tests.support.tables import cases
from zitadel import management_pb2 as pb

SUBJECT = "Authorization"

_SUBJECTS: Final = map("subject {}".format, itertools.count())

INVALID: Final = refusal(16, "Errors.Token.Invalid", "AUTH-7fs1e")
HEADER: Final = refusal(16, "invalid auth header", "AUTH-toLo1")
NO_HEADER: Final = (16, "auth header missing", ())
NO_ORG: Final = refusal(7, "Organisation doesn't exist", "AUTH-Bs7Ds")
NO_MEMBER: Final = refusal(5, "membership not found", "AUTHZ-cdgFk")
NO_PERMISSION: Final = refusal(7, "No matching permissions found", "AUTH-5mWD2")
HTTP_STATUS: Final = {16: 401, 7: 403, 5: 404}


@dataclass(frozen=True, slots=True)
class Home:
    """An organisation and its owner, who has a token, and a subject of the issuer's."""

    api: ApiClient
    accounts: Accounts
    issuer: Issuer
    org_id: str
    user_id: str
    subject: str
    token_id: str
    token: str

    def jwt(self, **claims: object) -> str:
        return Signer().token(self.issuer.claims(self.subject, **claims))


@pytest.fixture
async def home(api: ApiClient, accounts: Accounts, issuer: Issuer) -> Home:
    org_id, subject = await accounts.org(), next(_SUBJECTS)
    user_id = await accounts.user(org_id, "ORG_OWNER", subject=subject)
    token_id, token = await accounts.token(user_id)
    return Home(api, accounts, issuer, org_id, user_id, subject, token_id, token)


async def is_untouched(home: Home) -> bool:
    """True if the organisation has no action, as its owner sees it."""
    answer = await home.api.call(GRPC, pb.ListActionsRequest(), token=home.token)
    return answer.code == 0 and answer.response.details.total_result == 0


WRITE: Final = pb.CreateActionRequest(name="greet", script="s")


def is_told(answer: Answer, protocol: str, expected: tuple[int, str, object]) -> bool:
    """True if the answer is the refusal, also in its HTTP status and headers over JSON."""
    challenged = answer.metadata.get("www-authenticate") == "Bearer"
    return answer.refusal == expected and (
        protocol != JSON
        or (answer.http_status == HTTP_STATUS[expected[0]] and challenged == (expected[0] == 16))
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, NO_HEADER, id="no header"),
        pytest.param("{token}", HEADER, id="no scheme"),
        pytest.param("bearer {token}", HEADER, id="the scheme in small letters"),
        pytest.param("Bearer{token}", HEADER, id="no space"),
        pytest.param("Basic eDp5", HEADER, id="another scheme"),
        pytest.param("Bearer Bearer {token}", HEADER, id="the scheme twice"),
        pytest.param("Bearer {token},Bearer {token}", HEADER, id="two tokens"),
        pytest.param("Bearer x", INVALID, id="garbage"),
        pytest.param("Bearer {token}x", INVALID, id="a letter more"),
        pytest.param("Bearer act_" + "x" * 43, INVALID, id="unknown"),
        pytest.param("Bearer x.y.z", INVALID, id="three parts of garbage"),
    ],
)
async def test_an_invalid_authorization_header_is_refused(
    home: Home, header: str | None, expected: tuple[int, str, object], protocol: str
) -> None:
    metadata = {} if header is None else {"authorization": header.format(token=home.token)}
    answer = await home.api.call(protocol, WRITE, metadata=metadata)
    assert is_told(answer, protocol, expected)
    assert await is_untouched(home)


Take: TypeAlias = Callable[[Home], Awaitable[tuple[str, str]]]
"""Takes a right away, or never gives it: the token, and the organisation that the call is about."""


async def used(home: Home, token: str, org_id: str = "") -> str:
    """Returns the token, after a call that was not refused."""
    answer = await home.api.call(GRPC, pb.ListActionsRequest(), token=token, org_id=org_id)
    assert answer.code == 0
    return token


async def owner_with_token(home: Home) -> tuple[str, str]:
    """Returns the id of another owner of the organisation, and a token that was used."""
    user_id = await home.accounts.user(home.org_id, "ORG_OWNER")
    return user_id, await used(home, (await home.accounts.token(user_id))[1])


async def owner_with_jwt(home: Home, org_id: str = "") -> tuple[str, str]:
    """Returns the id of another owner of the organisation, and a JWT that was used."""
    subject = next(_SUBJECTS)
    user_id = await home.accounts.user(org_id or home.org_id, "ORG_OWNER", subject=subject)
    return user_id, await used(home, Signer().token(home.issuer.claims(subject)))


async def revoked(home: Home) -> tuple[str, str]:
    token_id, token = await home.accounts.token(home.user_id)
    await used(home, token)
    await home.accounts.revoke(token_id)
    return token, ""


async def removed(home: Home) -> tuple[str, str]:
    user_id, token = await owner_with_token(home)
    await home.accounts.remove_user(user_id)
    return token, ""


async def removed_by_jwt(home: Home) -> tuple[str, str]:
    user_id, token = await owner_with_jwt(home)
    await home.accounts.remove_user(user_id)
    return token, ""


async def without_its_subject(home: Home) -> tuple[str, str]:
    user_id, token = await owner_with_jwt(home)
    await home.accounts.set_subject(user_id, "")
    return token, ""


async def no_member_any_more(home: Home) -> tuple[str, str]:
    user_id, token = await owner_with_token(home)
    await home.accounts.remove_member(home.org_id, user_id)
    return token, ""


async def never_a_member(home: Home) -> tuple[str, str]:
    _, token = await home.accounts.token(await home.accounts.user(home.org_id))
    return token, ""


async def never_a_member_elsewhere(home: Home) -> tuple[str, str]:
    return (await never_a_member(home))[0], await home.accounts.org()


async def a_viewer_by_now(home: Home) -> tuple[str, str]:
    user_id, token = await owner_with_token(home)
    await home.accounts.set_roles(home.org_id, user_id, "ORG_OWNER_VIEWER")
    return token, ""


async def elsewhere(home: Home) -> tuple[str, str]:
    return home.token, await home.accounts.org()


async def nowhere(home: Home) -> tuple[str, str]:
    return home.token, "100000000000000000"


async def elsewhere_by_jwt(home: Home) -> tuple[str, str]:
    return home.jwt(), await home.accounts.org()


async def nowhere_and_nobody(home: Home) -> tuple[str, str]:
    return "act_" + "x" * 43, "100000000000000000"


async def of_an_organisation_that_ended(home: Home) -> tuple[str, str]:
    org_id = await home.accounts.org()
    _, token = await home.accounts.token(await home.accounts.user(org_id, "IAM_OWNER"))
    await used(home, token, home.org_id)
    await home.accounts.end_org(org_id)
    return token, home.org_id


async def of_an_organisation_cleared_away(home: Home) -> tuple[str, str]:
    org_id = await home.accounts.org()
    _, token = await home.accounts.token(await home.accounts.user(org_id, "ORG_OWNER"))
    await used(home, token)
    await home.accounts.end_org(org_id)
    await home.accounts.clear_org(org_id)
    return token, ""


async def by_jwt_of_an_organisation_that_ended(home: Home) -> tuple[str, str]:
    org_id = await home.accounts.org()
    _, token = await owner_with_jwt(home, org_id)
    await home.accounts.end_org(org_id)
    return token, ""


async def into_an_organisation_that_ended(home: Home) -> tuple[str, str]:
    org_id = await home.accounts.org()
    await home.accounts.member(org_id, home.user_id, "ORG_OWNER")
    answer = await home.api.call(GRPC, WRITE, token=home.token, org_id=org_id)
    assert answer.code == 0
    await home.accounts.end_org(org_id)
    return home.token, org_id


async def by_a_role_of_an_organisation_that_ended(home: Home) -> tuple[str, str]:
    org_id = await home.accounts.org()
    user_id = await home.accounts.user(await home.accounts.org())
    await home.accounts.member(org_id, user_id, "IAM_OWNER")
    _, token = await home.accounts.token(user_id)
    await used(home, token, home.org_id)
    await home.accounts.end_org(org_id)
    return token, home.org_id


@cases(
    "take, expected",
    {
        "revoked token": (revoked, INVALID),
        "token of a user removed": (removed, INVALID),
        "JWT of a user removed": (removed_by_jwt, INVALID),
        "JWT of a subject taken away": (without_its_subject, INVALID),
        "membership removed": (no_member_any_more, NO_MEMBER),
        "never a member": (never_a_member, NO_MEMBER),
        "never a member, in another organisation": (never_a_member_elsewhere, NO_MEMBER),
        "roles taken away": (a_viewer_by_now, NO_PERMISSION),
        "another organisation": (elsewhere, NO_MEMBER),
        "another organisation, by JWT": (elsewhere_by_jwt, NO_MEMBER),
        "no organisation": (nowhere, NO_ORG),
        "organisation ended": (of_an_organisation_that_ended, INVALID),
        "organisation cleared away": (of_an_organisation_cleared_away, INVALID),
        "JWT of an organisation ended": (by_jwt_of_an_organisation_that_ended, INVALID),
        "into an organisation ended": (into_an_organisation_that_ended, NO_ORG),
        "role of an organisation ended": (by_a_role_of_an_organisation_that_ended, NO_MEMBER),
        "the token before the organisation": (nowhere_and_nobody, INVALID),
    },
)
async def test_a_caller_who_lost_access_is_refused_at_the_next_call(
    home: Home, take: Take, expected: tuple[int, str, object], protocol: str
) -> None:
    token, org_id = await take(home)
    answer = await home.api.call(protocol, WRITE, token=token, org_id=org_id)
    assert is_told(answer, protocol, expected)
    assert await is_untouched(home)


async def test_a_token_is_refused_once_it_expires(home: Home, protocol: str) -> None:
    expires_at = time.time_ns() // 1000 + 300_000
    _, token = await home.accounts.token(home.user_id, expires_at=expires_at)
    answer = await home.api.call(protocol, pb.ListActionsRequest(), token=token)
    while answer.code == 0:
        answer = await home.api.call(protocol, pb.ListActionsRequest(), token=token)
    assert time.time_ns() // 1000 >= expires_at
    assert is_told(answer, protocol, INVALID)


async def test_a_jwt_of_the_issuer_speaks_for_its_user(home: Home, protocol: str) -> None:
    answer = await home.api.call(protocol, WRITE, token=home.jwt())
    assert answer.code == 0
    assert answer.response.details.resource_owner == home.org_id


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(home: Home, algorithm: str, secret: bytes = b"") -> str:
    text = f"{part({'alg': algorithm, 'kid': 'one'})}.{part(home.issuer.claims(home.subject))}"
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest() if secret else b""
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def by_stranger(home: Home, **header: object) -> str:
    return Signer(key_id="stranger").token(home.issuer.claims(home.subject), header=header)


Forge: TypeAlias = Callable[[Home], str]


@cases(
    "forge",
    {
        "expired": lambda home: home.jwt(exp=int(time.time()) - 60),
        "without end": lambda home: home.jwt(exp=None),
        "not begun": lambda home: home.jwt(nbf=int(time.time()) + 600),
        "of the future": lambda home: home.jwt(iat=int(time.time()) + 600),
        "for another audience": lambda home: home.jwt(aud="else"),
        "for no audience": lambda home: home.jwt(aud=None),
        "of another issuer": lambda home: home.jwt(iss="https://else"),
        "of a subject that no user has": lambda home: home.jwt(sub="nobody"),
        "of a user's id": lambda home: home.jwt(sub=home.user_id),
        "alg none": lambda home: unsigned(home, "none"),
        "HS256 with the public key": lambda home: unsigned(
            home, "HS256", json.dumps(Signer().jwk()).encode()
        ),
        "a foreign key": lambda home: by_stranger(home),
        "a foreign key, our key id": lambda home: by_stranger(home, kid="one"),
        "a foreign key, no key id": lambda home: by_stranger(home, kid=None),
        "a path for a key id": lambda home: by_stranger(home, kid="../keys"),
        "a huge key id": lambda home: by_stranger(home, kid="k" * 3000),
        "cut off": lambda home: home.jwt()[:-2],
        "four parts": lambda home: home.jwt().replace(".", "..", 1),
        "long and forged": lambda home: home.jwt(more="x" * 3800) + "x",
    },
)
async def test_a_jwt_that_is_not_good_is_refused(home: Home, forge: Forge, protocol: str) -> None:
    answer = await home.api.call(protocol, WRITE, token=forge(home))
    assert is_told(answer, protocol, INVALID)
    assert await is_untouched(home)


async def test_a_jwt_longer_than_any_header_is_refused_where_headers_may_be_longer(
    home: Home,
) -> None:
    answer = await home.api.call(GRPC, WRITE, token=home.jwt(more="x" * 7000))
    assert is_told(answer, GRPC, INVALID)
    assert await is_untouched(home)


async def test_a_call_that_needs_no_token_asks_for_none(home: Home, protocol: str) -> None:
    metadata = {"authorization": "Bearer garbage", "x-zitadel-orgid": "nowhere"}
    assert (await home.api.call(protocol, pb.HealthzRequest(), metadata=metadata)).code == 0
