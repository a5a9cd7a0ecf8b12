"""docs/accounts.md "Access tokens": they are issued over HTTP, and accepted over each protocol."""

import json
import time
from typing import Any

import pytest

from actions.v1 import admin_pb2 as pb
from tests.support.accounts import Accounts
from tests.support.api_client import ApiClient, Caller
from tests.support.machine_keys import assertion_of, bearer_form
from zitadel.management_pb2 import GetMyOrgRequest

SUBJECT = "Access tokens"


@pytest.fixture
async def owner(api: ApiClient, accounts: Accounts, caller: Caller) -> Caller:
    _, token = await accounts.token(await accounts.user(caller.org_id, "IAM_OWNER"))
    return Caller(api, token, caller.org_id)


async def told(owner: Caller, protocol: str, request: Any) -> Any:
    answer = await owner.ask(protocol, request)
    assert answer.code == 0, answer
    return answer.response


async def issued(api: ApiClient, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
    async with api.session.post(f"http://{api.http}/oauth/v2/token", data=form) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, await answer.json()


async def test_a_key_file_gets_a_token_until_the_key_is_deleted(
    api: ApiClient, owner: Caller, accounts: Accounts, protocol: str
) -> None:
    user_id = await accounts.user(owner.org_id, "ORG_OWNER")
    made = await told(owner, protocol, pb.CreateKeyRequest(user_id=user_id))
    base = f"http://{api.http}"
    async with api.session.get(f"{base}/.well-known/openid-configuration") as answer:
        metadata = await answer.json()
    assert metadata["token_endpoint"] == f"{base}/oauth/v2/token"
    assert metadata["authorization_endpoint"] == f"{base}/oauth/v2/authorize"
    assertion = assertion_of(made.key_file, metadata["issuer"], now_s=int(time.time()))
    status, content = await issued(api, bearer_form(assertion))
    assert (status, content["token_type"]) == (200, "Bearer")
    by_key = Caller(api, content["access_token"], owner.org_id)
    assert (await told(by_key, protocol, GetMyOrgRequest())).org.id == owner.org_id
    await told(owner, protocol, pb.DeleteKeyRequest(key_id=made.key.id))
    assert (await by_key.ask(protocol, GetMyOrgRequest())).code == 16
    assert await issued(api, bearer_form(assertion)) == (
        400,
        {"error": "invalid_grant", "error_description": "the assertion is invalid"},
    )


async def test_a_client_secret_gets_a_token_until_the_user_is_removed(
    api: ApiClient, owner: Caller, accounts: Accounts, protocol: str
) -> None:
    user_id = await accounts.user(owner.org_id, "ORG_OWNER")
    request = pb.CreateKeyRequest(user_id=user_id, type=pb.KEY_TYPE_CLIENT_SECRET)
    secret = (await told(owner, protocol, request)).client_secret
    form = {"grant_type": "client_credentials", "client_id": user_id, "client_secret": secret}
    status, content = await issued(api, form)
    assert (status, content["token_type"]) == (200, "Bearer")
    by_secret = Caller(api, content["access_token"], owner.org_id)
    assert (await by_secret.ask(protocol, GetMyOrgRequest())).code == 0
    await told(owner, protocol, pb.RemoveUserRequest(user_id=user_id))
    assert (await by_secret.ask(protocol, GetMyOrgRequest())).code == 16
    assert (await issued(api, form))[0] == 401


async def test_the_published_keys_name_no_secret(api: ApiClient, owner: Caller) -> None:
    async with api.session.get(f"http://{api.http}/oauth/v2/keys") as answer:
        keys = json.loads(await answer.read())["keys"]
    members = {"kty", "crv", "x", "y", "use", "alg", "kid"}
    assert all(set(key) == members for key in keys)


@pytest.mark.parametrize(
    ("verb", "path", "expected"),
    [
        pytest.param("GET", "/oauth/v2/token", (405, "POST"), id="GET of a token"),
        pytest.param("POST", "/oauth/v2/keys", (405, "GET, HEAD"), id="POST of keys"),
        pytest.param("GET", "/oauth/v2/authorize", (400, None), id="a login"),
        pytest.param("GET", "/oauth/v2/userinfo", (404, None), id="another path"),
    ],
)
async def test_other_requests_are_refused(
    api: ApiClient, verb: str, path: str, expected: tuple[int, str | None]
) -> None:
    async with api.session.request(verb, f"http://{api.http}{path}") as answer:
        assert (answer.status, answer.headers.get("Allow")) == expected
