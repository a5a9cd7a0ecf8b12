"""Users of an identity provider, as scripts see them."""

import json
from typing import Any, Final

from jwt.utils import base64url_encode

from server.bridge.intents import context_of, humans_of
from server.scripts.host import contexts
from tests.support.tables import cases


def id_token(claims: Any) -> str:
    return f"e30.{base64url_encode(json.dumps(claims).encode()).decode()}.c2ln"


RESPONSE: Final[dict[str, Any]] = {
    "idpInformation": {
        "oauth": {"accessToken": "an access token", "idToken": id_token({"sub": "1", "a": [1]})},
        "idpId": "4",
        "userId": "ext-1",
        "userName": "ada@idp",
        "rawInformation": {"sub": "ext-1", "given_name": "Ada", "groups": ["staff"]},
    },
    "addHumanUser": {"profile": {"givenName": "Ada"}, "email": {"email": "ada@example.com"}},
}


def seen(part: str, **said: Any) -> Any:
    """Returns a part of the context as scripts see it."""
    response = {**RESPONSE, "idpInformation": {**RESPONSE["idpInformation"], **said}}
    context = context_of(response, humans_of(response))
    return contexts.decode_part(contexts.pack(1, 1, context).parts[part])


@cases(
    "part, expected",
    {
        "an access token": ("accessToken", "an access token"),
        "an id token": ("idToken", RESPONSE["idpInformation"]["oauth"]["idToken"]),
        "no refresh token": ("refreshToken", ""),
        "claims of the id token": ("idTokenClaims", {"sub": "1", "a": [1]}),
        "no login": ("authRequest", None),
        "no error": ("authError", "none"),
    },
)
def test_scripts_see(part: str, expected: object) -> None:
    assert seen(part) == expected


@cases(
    "oauth",
    {
        "none": None,
        "no text": {"idToken": 1},
        "two parts": {"idToken": "a.b"},
        "no base64": {"idToken": "a.!.c"},
        "no JSON": {"idToken": "a.YQ.c"},
        "no object": {"idToken": id_token([1])},
    },
)
def test_an_id_token_without_claims_has_none(oauth: Any) -> None:
    said = {"oauth": {"accessToken": "a", **(oauth or {})}}
    response: dict[str, Any] = {"idpInformation": said}
    assert context_of(response, ())["idTokenClaims"] is None


def test_scripts_see_the_external_user() -> None:
    user = seen("externalUser")
    assert (user["externalId"], user["externalIdpId"]) == ("ext-1", "4")
    assert (user["human"]["firstName"], user["human"]["email"]) == ("Ada", "ada@example.com")


@cases(
    "raw, expected",
    {
        "OpenID Connect": (
            {"sub": "1", "given_name": "Ada", "email_verified": True, "groups": ["staff"]},
            {
                "sub": "1", "given_name": "Ada", "email_verified": True, "groups": ["staff"],
                "subject": "1", "givenName": "Ada", "emailVerified": True,
                "claims": {"groups": ["staff"]},
            },
        ),
        "OAuth": (
            {"RawInfo": {"login": "ada"}},
            {
                "RawInfo": {"login": "ada"}, "rawInfo": {"login": "ada"},
                "claims": {"RawInfo": {"login": "ada"}},
            },
        ),
        "SAML": (
            {"id": "1", "attributes": {"mail": ["a@b"]}},
            {
                "id": "1", "iD": "1", "attributes": {"mail": ["a@b"]},
                "claims": {"id": "1", "attributes": {"mail": ["a@b"]}},
            },
        ),
        "claims of its own": ({"claims": {"a": 1}}, {"claims": {"a": 1}}),
        "a number of more than 64 bits": (
            {"n": [100000000000000000000]}, {"n": [1e20], "claims": {"n": [1e20]}},
        ),
        "nothing": (None, None),
    },
)  # fmt: skip
def test_scripts_see_the_providers_names_and_those_of_v1(raw: Any, expected: Any) -> None:
    assert seen("providerInfo", rawInformation=raw) == expected


def test_users_are_those_that_are_proposed() -> None:
    assert humans_of({}) == ()
    assert humans_of({"createUser": {"machine": {}}, "updateUser": {}}) == ()
    assert [each.makes_user for each in humans_of({"addHumanUser": {}, "updateHumanUser": {}})] == [
        True, False,
    ]  # fmt: skip
