"""Logins of a ZITADEL give what its own actions gave: each member of scripts, and real scripts.

What actions of version 1 give is what RunTrigger gives for the same user. Each claim, attribute,
entry of metadata and line of a log is a row; their number is printed.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import pytest
import pytest_asyncio

from actions.v1 import bridge_pb2
from tests.support import login_scripts, row_counts
from tests.support.accounts import Accounts
from tests.support.api_client import ApiClient, Caller
from tests.support.issuer import Issuer, Signer
from tests.support.metadata_api import metadata_api
from tests.support.prepared import action, set_trigger
from tests.support.real_server import RealServer
from tests.support.run_outcomes import attributes_of, outcome_of
from tests.support.runs import run_request
from tests.support.tables import cases
from tests.support.zitadel import Login, Outcome, Target, Zitadel

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY: Final = "a signing key of ZITADEL"
THERE, OTHER, ADA = "900000000000000001", "900000000000000002", "300000000000000001"
CREATED, CHANGED = "2025-03-04T05:06:07.123456789Z", "2025-03-05T06:07:08Z"
ENTRIES: Final = {"tier": b"gold", "limits": b'{"seats":5}', "raw": b"\xff\x00"}
FUNCTIONS: Final = {"preuserinfo": ("2", "4"), "preaccesstoken": ("2", "5")}

CLAIMS: Final = {
    "sub": ADA,
    "email": "ada@example.com",
    "email_verified": True,
    "given_name": "Ada",
    "tier": "gold",
    "urn:zitadel:iam:org:id": THERE,
}
_THEIR_METADATA: Final = [
    {"key": "department", "value": "ZW5naW5lZXJpbmc=", "sequence": 7, "resource_owner": THERE}
    | {"creation_date": CREATED, "change_date": CHANGED},
    {"key": "limits", "value": "eyJzZWF0cyI6NX0=", "sequence": 8},
    {"key": "picture", "value": "aHR0cHM6Ly9hLmV4YW1wbGUvcA==", "sequence": 9},
]
_OUR_METADATA: Final = [
    {"key": "department", "value": "engineering", "sequence": 7, "resourceOwner": THERE}
    | {"creationDate": CREATED, "changeDate": CHANGED},
    {"key": "limits", "value": '{"seats":5}', "sequence": 8},
    {"key": "picture", "value": "https://a.example/p", "sequence": 9},
]
_THEIR_GRANTS: Final = [
    {
        "id": "g1",
        "grant_id": "pg1",
        "state": 1,
        "resource_owner": THERE,
        "org_name": "There",
        "org_primary_domain": "there.example",
        "creation_date": CREATED,
        "change_date": CHANGED,
        "sequence": 11,
        "roles": ["admin", "editor"],
        "project_id": "p1",
        "project_name": "Portal",
        "user_id": ADA,
        "user_resource_owner": THERE,
        "granted_org_name": "There",  # of SAML only; no script sees it
    },
    {"id": "g2", "state": 2, "resource_owner": OTHER, "org_name": "Granting", "roles": ["a"]},
]
_OUR_GRANTS: Final = [
    {
        "id": "g1",
        "projectGrantId": "pg1",
        "state": 1,
        "userGrantResourceOwner": THERE,
        "userGrantResourceOwnerName": "There",
        "creationDate": CREATED,
        "changeDate": CHANGED,
        "sequence": 11,
        "roles": ["admin", "editor"],
        "projectId": "p1",
        "projectName": "Portal",
        "userId": ADA,
        "userResourceOwner": THERE,
    },
    {
        "id": "g2",
        "state": 2,
        "userGrantResourceOwner": OTHER,
        "userGrantResourceOwnerName": "Granting",
        "roles": ["a"],
    },
]
_THEIR_USER: Final = {
    "id": ADA,
    "creation_date": CREATED,
    "change_date": CHANGED,
    "resource_owner": THERE,
    "sequence": 42,
    "state": 1,
    "username": "ada",
    "preferred_login_name": "ada@example.com",
}
_OUR_USER: Final = {
    "id": ADA,
    "creationDate": CREATED,
    "changeDate": CHANGED,
    "resourceOwner": THERE,
    "sequence": 42,
    "state": 1,
    "username": "ada",
    "preferredLoginName": "ada@example.com",
}
_THEIR_HUMAN: Final = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "nick_name": "ada",
    "display_name": "Ada Lovelace",
    "avatar_key": "users/ada",
    "preferred_language": "en",
    "gender": 1,
    "email": "ada@example.com",
    "is_email_verified": True,
    "phone": "+41791234567",
    "password_change_required": False,
    "password_changed": CREATED,
}
_OUR_HUMAN: Final = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "nickName": "ada",
    "displayName": "Ada Lovelace",
    "avatarKey": "users/ada",
    "preferredLanguage": "en",
    "gender": 1,
    "email": "ada@example.com",
    "isEmailVerified": True,
    "phone": "+41791234567",
}


def there(owner: str) -> dict[str, Any]:
    """Returns the metadata that the API of ZITADEL has of an owner, as RunTrigger takes it."""
    values = ("gold", '{"seats":5}', "\ufffd\0")
    return {
        "sequence": 99,
        "timestamp": "2025-04-01T00:00:00Z",
        "metadata": [
            {
                "key": key,
                "value": value,
                "sequence": 7 + at,
                "creationDate": "2025-03-04T05:06:07.123456Z",
                "changeDate": "2025-03-05T06:07:08Z",
                "resourceOwner": owner,
            }
            for at, (key, value) in enumerate(zip(ENTRIES, values, strict=True))
        ],
    }


def with_orgs(grants: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "orgMetadata": there(each["userGrantResourceOwner"])} for each in grants]


LOGINS: Final[Mapping[str, tuple[Login, dict[str, Any]]]] = {
    "a human": (
        Login(
            user={**_THEIR_USER, "human": _THEIR_HUMAN, "type": 1},
            userinfo=CLAIMS,
            user_metadata=_THEIR_METADATA,
            user_grants=_THEIR_GRANTS,
            client_id="318838900000000003@portal",
        ),
        {
            "user": {**_OUR_USER, "human": _OUR_HUMAN},
            "claims": CLAIMS,
            "userMetadata": _OUR_METADATA,
            "userGrants": with_orgs(_OUR_GRANTS),
            "application": {"clientId": "318838900000000003@portal"},
            "orgMetadata": there(THERE),
        },
    ),
    "a machine without grants, for which another acts": (
        Login(
            user={**_THEIR_USER, "machine": {"name": "Robot", "description": "of Ada"}, "type": 2},
            userinfo={"sub": ADA},
            actor={"user_id": "7", "issuer": "https://a.example", "actor": {"user_id": "8"}},
        ),
        {
            "user": {**_OUR_USER, "machine": {"name": "Robot", "description": "of Ada"}},
            "claims": {"sub": ADA},
            "actor": {"userId": "7", "issuer": "https://a.example", "actor": {"userId": "8"}},
            "orgMetadata": there(THERE),
        },
    ),
}
"""By the user: the login there, and the same as the context of RunTrigger."""


@pytest.fixture(scope="module")
def issuer() -> Any:
    """Runs a web server that a script may fetch from."""
    with Issuer(Signer()) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    options = ("--no-access-log", "--script-fetch-allow", "127.0.0.1")
    with RealServer(tmp_path_factory.mktemp("members") / "data", *options) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(server: RealServer) -> AsyncIterator[Caller]:
    async with ApiClient(http=server.http, grpc=server.grpc) as api:
        accounts = Accounts(server.data)
        org_id = await accounts.org()
        _, token = await accounts.token(await accounts.user(org_id, "IAM_OWNER"))
        yield Caller(api, token, org_id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def zitadel(server: RealServer, caller: Caller) -> AsyncIterator[Zitadel]:
    """A ZITADEL that calls a target here at all functions, and has metadata for its account."""
    request = bridge_pb2.CreateTargetRequest(
        name="production", signing_key=KEY, orgs={THERE: caller.org_id}
    )
    request.timeout.FromSeconds(60)
    target = (await caller.get(request)).target
    async with aiohttp.ClientSession() as session, metadata_api() as upstream:
        upstream.orgs = {THERE: ENTRIES, OTHER: ENTRIES}
        upstream.users = {ADA: ENTRIES}
        account = bridge_pb2.UpdateTargetRequest(target_id=target.id)
        account.account.issuer, account.account.credential = upstream.url, upstream.key_file
        await caller.get(account)
        made = Zitadel(session)
        for function in (*FUNCTIONS, "presamlresponse"):
            endpoint = f"http://{server.http}/targets/{target.id}"
            made.executions[function] = [Target(endpoint, (KEY,))]
        yield made


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str, Outcome], None]:
    def count(function: str, outcome: Outcome) -> None:
        logs = [value for key, value in outcome.claims.items() if key.endswith(":log")]
        lines = sum(map(len, logs)) - len(logs)
        rows = len(outcome.claims) + len(outcome.attributes) + len(outcome.metadata) + lines
        record_property(row_counts.PROPERTY, [function, rows])

    return count


async def sets(caller: Caller, sources: Sequence[str], flow: str, trigger: str) -> None:
    """Makes the sources the actions of a trigger."""
    ids = []
    for source in sources:
        found = re.match(r"function (\w+)", source)
        assert found is not None
        ids.append(await action(caller, found[1], script=source))
    await set_trigger(caller, *ids, flow=flow, trigger=trigger)


@pytest_asyncio.fixture(loop_scope="module")
async def clean(caller: Caller) -> AsyncIterator[None]:
    """Removes all actions at the end, so that names are free."""
    yield
    from zitadel import management_pb2

    for each in (await caller.get(management_pb2.ListActionsRequest())).result:
        await caller.get(management_pb2.DeleteActionRequest(id=each.id))


@cases("login", {name: name for name in LOGINS})
@cases("function", {name: name for name in FUNCTIONS})
@cases("scripts", login_scripts.TOKENS)
@pytest.mark.usefixtures("clean")
async def test_a_token_holds_what_actions_there_gave(
    zitadel: Zitadel,
    caller: Caller,
    counted: Callable[[str, Outcome], None],
    scripts: Sequence[str],
    function: str,
    login: str,
) -> None:
    flow, trigger = FUNCTIONS[function]
    await sets(caller, scripts, flow, trigger)
    there, here = LOGINS[login]
    response = await caller.get(run_request(flow, trigger, **here))
    token = await zitadel.token(there, function)
    assert token == outcome_of(response, here["claims"], function)
    counted(function, token)


@cases("login", {name: name for name in LOGINS})
@cases("scripts", login_scripts.SAML)
@pytest.mark.usefixtures("clean")
async def test_a_saml_response_holds_what_actions_there_gave(
    zitadel: Zitadel,
    caller: Caller,
    counted: Callable[[str, Outcome], None],
    scripts: Sequence[str],
    login: str,
) -> None:
    await sets(caller, scripts, "4", "6")
    their, here = LOGINS[login]
    given = {key: here[key] for key in ("user", "orgMetadata")}
    given |= {"userMetadata": there(THERE), "userGrants": here.get("userGrants", [])}
    effects = (await caller.get(run_request("4", "6", **given))).effects
    response = await zitadel.saml_response(their)
    assert response == attributes_of(effects)
    counted("presamlresponse", response)


@pytest.mark.usefixtures("clean")
async def test_a_script_that_fetches_gives_what_it_gave_there(
    zitadel: Zitadel, caller: Caller, issuer: Issuer, counted: Callable[[str, Outcome], None]
) -> None:
    source = (
        "function callApi(ctx, api) { const http = require('zitadel/http');"
        f" const answer = http.fetch('{issuer.keys_url}');"
        " api.v1.claims.setClaim('status', answer.status);"
        " api.v1.claims.setClaim('keys', answer.json().keys.length) }"
    )
    await sets(caller, [source], "2", "4")
    login, here = LOGINS["a human"]
    token = await zitadel.token(login)
    assert token == outcome_of(await caller.get(run_request(**here)), CLAIMS, "preuserinfo")
    assert (token.claims["status"], token.claims["keys"]) == (200, 1)
    counted("preuserinfo", token)
