"""A ZITADEL calls targets here at requests, responses and events: what then goes on there."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import pytest

from actions.v1 import bridge_pb2, execution_pb2
from tests.support.accounts import Accounts
from tests.support.api_client import ApiClient, Caller
from tests.support.metadata_api import MetadataApi, metadata_api
from tests.support.prepared import action, set_trigger
from tests.support.real_server import RealServer
from tests.support.tables import cases
from tests.support.waiting import WITHIN_S
from tests.support.zitadel import SESSIONS, USERS, ExecutionFailed, Target, Zitadel

KEY: Final = "a signing key of ZITADEL"
THERE, DEFAULT, ADA = "900000000000000001", "900000000000000003", "300000000000000001"

HUMAN: Final[dict[str, Any]] = {
    "profile": {"givenName": "Ada", "familyName": "Lovelace"},
    "email": {"email": "ada@example.com", "sendCode": {}},
    "password": {"password": "a password"},
}
LINKS: Final = [{"idpId": "4", "userId": "ext-1", "userName": "ada@idp"}]
ADD: Final[dict[str, Any]] = {"username": "ada", "organization": {"orgId": THERE}, **HUMAN}
CREATE: Final[dict[str, Any]] = {"username": "ada", "organizationId": THERE, "human": HUMAN}
INTENT: Final[dict[str, Any]] = {
    "idpInformation": {
        "oauth": {"accessToken": "an access token"},
        "idpId": "4",
        "userId": "ext-1",
        "userName": "ada@idp",
        "rawInformation": {"sub": "ext-1", "given_name": "Ada", "groups": ["staff"]},
    },
    "addHumanUser": {**ADD, "idpLinks": LINKS},
}
PASSWORD: Final = {"checks": {"user": {"userId": ADA}, "password": {"password": "a password"}}}
SESSION: Final = {"sessionId": "8", "sessionToken": "a token"}


@dataclass(frozen=True, slots=True)
class Bridge:
    """A target here, and the ZITADEL that calls it at all executions of the table."""

    id: str
    zitadel: Zitadel
    caller: Caller
    owner: Caller

    async def has_account(self, upstream: MetadataApi) -> None:
        """Gives the target a service account."""
        change = bridge_pb2.UpdateTargetRequest(target_id=self.id)
        change.account.issuer = upstream.url
        change.account.credential = upstream.key_file
        await self.owner.get(change)

    async def runs(self, script: str, flow: str, trigger: str) -> None:
        """Has the organisation run a script at a trigger."""
        id = await action(self.caller, "f", script=script)
        await set_trigger(self.caller, id, flow=flow, trigger=trigger)


@pytest.fixture
def server(on_sqlite: RealServer) -> RealServer:
    """The store makes no difference to messages."""
    return on_sqlite


@pytest.fixture
async def bridge(
    server: RealServer, api: ApiClient, accounts: Accounts, caller: Caller
) -> AsyncIterator[Bridge]:
    org_id = await accounts.org()
    _, token = await accounts.token(await accounts.user(org_id, "IAM_OWNER"))
    owner = Caller(api, token, org_id)
    orgs = {THERE: caller.org_id, DEFAULT: caller.org_id}
    request = bridge_pb2.CreateTargetRequest(name="production", signing_key=KEY, orgs=orgs)
    request.timeout.FromSeconds(60)
    target = (await owner.get(request)).target
    async with aiohttp.ClientSession() as session:
        zitadel = Zitadel(session)
        called = [Target(f"http://{server.http}/targets/{target.id}", (KEY,))]
        for part, service, methods in (
            ("request", USERS, ("AddHumanUser", "CreateUser")),
            ("response", USERS, ("AddHumanUser", "CreateUser", "RetrieveIdentityProviderIntent")),
            ("response", SESSIONS, ("CreateSession", "SetSession")),
        ):
            for method in methods:
                zitadel.executions[f"{part}{service}/{method}"] = called
        for event in ("user.human.added", "user.human.password.check.failed", "user.locked"):
            zitadel.executions[f"event/{event}"] = called
        yield Bridge(target.id, zitadel, caller, owner)
    await owner.get(bridge_pb2.DeleteTargetRequest(target_id=target.id))


def calling(calls: str) -> str:
    return f"function f(ctx, api) {{ {calls} }}"


SHOWS_USER: Final = calling("api.setNickName(JSON.stringify(ctx.v1.user.human.email))")
CREATION_SCRIPTS: Final = {
    "nothing": (calling(""), {}),
    "a setter": (
        calling("api.setFirstName('A')"), {"profile": {**HUMAN["profile"], "givenName": "A"}},
    ),
    "a gender": (
        calling("api.setGender(1)"), {"profile": {**HUMAN["profile"], "gender": "GENDER_FEMALE"}},
    ),
    "verify_email, as the example does": (
        calling("api.setEmailVerified(true)"),
        {"email": {"email": "ada@example.com", "isVerified": True}},
    ),
    "a phone": (
        calling("api.setPhone('+41'); api.setPhoneVerified(true)"),
        {"phone": {"phone": "+41", "isVerified": True}},
    ),
    "add_metadata, as the example does": (
        calling("api.v1.user.appendMetadata('k', 'v')"),
        {"metadata": [{"key": "k", "value": "InYi"}]},
    ),
    "what is seen": (
        SHOWS_USER, {"profile": {**HUMAN["profile"], "nickName": '"ada@example.com"'}},
    ),
}  # fmt: skip


@cases("script, changes", CREATION_SCRIPTS)
async def test_a_user_is_created_as_actions_before_leave_it(
    bridge: Bridge, script: str, changes: dict[str, Any]
) -> None:
    await bridge.runs(script, "3", "2")
    sent = await bridge.zitadel.requested(f"{USERS}/AddHumanUser", ADD, DEFAULT)
    assert sent == {**ADD, **changes}
    sent = await bridge.zitadel.requested(f"{USERS}/CreateUser", CREATE, DEFAULT)
    assert sent == {**CREATE, "human": {**HUMAN, **changes}}


async def test_a_username_is_set_before_creation(bridge: Bridge) -> None:
    await bridge.runs(calling("api.setUsername(ctx.v1.user.username + '!')"), "3", "2")
    sent = await bridge.zitadel.requested(f"{USERS}/CreateUser", CREATE, DEFAULT)
    assert sent == {**CREATE, "username": "ada!"}


async def test_a_user_with_a_link_has_the_actions_of_flow_1(bridge: Bridge) -> None:
    await bridge.runs(calling("api.setNickName('external')"), "1", "2")
    linked = {**ADD, "idpLinks": LINKS}
    sent = await bridge.zitadel.requested(f"{USERS}/AddHumanUser", linked, DEFAULT)
    assert sent["profile"]["nickName"] == "external"
    assert await bridge.zitadel.requested(f"{USERS}/AddHumanUser", ADD, DEFAULT) == ADD


THROWS: Final = calling("throw new Error('not today')")


async def test_an_action_that_fails_ends_the_creation(bridge: Bridge) -> None:
    await bridge.runs(THROWS, "3", "2")
    with pytest.raises(ExecutionFailed) as failed:
        await bridge.zitadel.requested(f"{USERS}/AddHumanUser", ADD, DEFAULT)
    assert (failed.value.status, failed.value.message.partition(" at ")[0]) == (
        412, "action 'f' failed: Error: not today",
    )  # fmt: skip


async def test_a_request_of_an_organisation_that_is_not_bound_stays_as_it_is(
    bridge: Bridge,
) -> None:
    await bridge.runs(THROWS, "3", "2")
    other = {**ADD, "organization": {"orgId": "404"}}
    assert await bridge.zitadel.requested(f"{USERS}/AddHumanUser", other, DEFAULT) == other


SEEN: Final = "JSON.stringify([ctx.accessToken, ctx.v1.externalUser.externalId, ctx.v1.authError])"
INTENT_SCRIPTS: Final = {
    "setters": (
        calling("api.setFirstName('A'); api.setPreferredUsername('al')"),
        {"username": "al", "profile": {**HUMAN["profile"], "givenName": "A"}},
    ),
    "what is seen": (
        calling(f"api.setNickName({SEEN})"),
        {"profile": {**HUMAN["profile"], "nickName": '["an access token","ext-1","none"]'}},
    ),
    "what the provider said": (
        calling(
            "const p = ctx.v1.providerInfo;"
            " api.setNickName([p.given_name, p.givenName, p.subject, p.claims.groups[0]].join())"
        ),
        {"profile": {**HUMAN["profile"], "nickName": "Ada,Ada,ext-1,staff"}},
    ),
    "metadata": (
        calling("api.v1.user.appendMetadata('k', 1)"),
        {"metadata": [{"key": "k", "value": "MQ=="}]},
    ),
}


@cases("script, changes", INTENT_SCRIPTS)
async def test_a_login_by_an_identity_provider_proposes_what_actions_set(
    bridge: Bridge, script: str, changes: dict[str, Any]
) -> None:
    await bridge.runs(script, "1", "1")
    method = f"{USERS}/RetrieveIdentityProviderIntent"
    response = await bridge.zitadel.responded(method, {"idpIntentId": "1"}, INTENT, DEFAULT)
    assert response == {**INTENT, "addHumanUser": {**INTENT["addHumanUser"], **changes}}


async def test_a_linked_user_is_updated_if_the_provider_updates_users(bridge: Bridge) -> None:
    await bridge.runs(calling("api.setFirstName('A')"), "1", "1")
    method = f"{USERS}/RetrieveIdentityProviderIntent"
    linked = {"userId": ADA, "idpInformation": INTENT["idpInformation"]}
    assert await bridge.zitadel.responded(method, {}, linked, DEFAULT) == linked
    updated = {**linked, "updateHumanUser": {"userId": ADA}}
    response = await bridge.zitadel.responded(method, {}, updated, DEFAULT)
    assert response["updateHumanUser"] == {"userId": ADA, "profile": {"givenName": "A"}}


@cases(
    "method, sent, response, flow",
    {
        "AddHumanUser": ("AddHumanUser", ADD, {"userId": ADA}, "3"),
        "AddHumanUser with a link": (
            "AddHumanUser", {**ADD, "idpLinks": LINKS}, {"userId": ADA}, "1",
        ),
        "CreateUser": ("CreateUser", CREATE, {"id": ADA}, "3"),
    },
)  # fmt: skip
async def test_actions_run_after_creation_and_can_fail_it(
    bridge: Bridge, method: str, sent: dict[str, Any], response: dict[str, Any], flow: str
) -> None:
    script = calling(
        "if (ctx.v1.getUser().username !== 'ada') throw new Error('another user');"
        " api.v1.appendUserGrant({projectId: '1', roles: ['a']})"
    )
    await bridge.runs(script, flow, "3")
    path = f"{USERS}/{method}"
    assert await bridge.zitadel.responded(path, sent, response, DEFAULT) == response
    run = await the_run(bridge, "3")
    assert (run.user_id, run.flow_type) == (ADA, flow)
    with pytest.raises(ExecutionFailed, match="another user"):
        await bridge.zitadel.responded(path, {**sent, "username": "eve"}, response, DEFAULT)


async def the_run(bridge: Bridge, trigger: str) -> execution_pb2.Run:
    """The one run of the organisation, once it is logged."""
    runs: list[execution_pb2.Run] = []
    async with asyncio.timeout(WITHIN_S):
        while not runs:
            runs = [*(await bridge.caller.get(execution_pb2.ListRunsRequest())).runs]
    (run,) = runs
    assert (run.target_id, run.trigger_type) == (bridge.id, trigger)
    return run


@cases(
    "method, sent",
    {
        "CreateSession": ("CreateSession", PASSWORD),
        "SetSession": ("SetSession", {"sessionId": "8", **PASSWORD}),
    },
)
async def test_actions_can_refuse_a_session(
    bridge: Bridge, method: str, sent: dict[str, Any]
) -> None:
    script = calling("if (ctx.v1.authMethod === 'password') throw new Error('by key only')")
    await bridge.runs(script, "3", "1")
    path = f"{SESSIONS}/{method}"
    with pytest.raises(ExecutionFailed, match="by key only"):
        await bridge.zitadel.responded(path, sent, SESSION, DEFAULT)
    by_key: dict[str, Any] = {"checks": {"webAuthN": {}}}
    assert await bridge.zitadel.responded(path, by_key, SESSION, DEFAULT) == SESSION


async def test_a_session_has_the_actions_of_its_users_organisation(bridge: Bridge) -> None:
    """With a service account; the user's organisation is bound, the call's is not."""
    await bridge.runs(calling("api.v1.user.appendMetadata('by', ctx.v1.authMethod)"), "3", "1")
    path = f"{SESSIONS}/CreateSession"
    async with metadata_api() as upstream:
        upstream.sessions["8"] = (ADA, THERE)
        await bridge.has_account(upstream)
        assert await bridge.zitadel.responded(path, PASSWORD, SESSION, "404") == SESSION
        assert upstream.users == {ADA: {"by": b'"password"'}}
        unknown = {**SESSION, "sessionId": "9"}
        with pytest.raises(ExecutionFailed, match="EXEC-dra6yamk98"):
            await bridge.zitadel.responded(path, PASSWORD, unknown, "404")


async def test_grants_are_made_by_the_service_account(bridge: Bridge) -> None:
    role = "ctx.v1.org.getMetadata().metadata[0].value"
    script = calling(f"api.userGrants.push({{projectID: 'p1', roles: ['a', {role}]}})")
    await bridge.runs(script, "3", "3")
    path = f"{USERS}/AddHumanUser"
    async with metadata_api() as upstream:
        upstream.orgs[THERE] = {"tier": b"gold"}
        await bridge.has_account(upstream)
        for _ in range(2):
            assert await bridge.zitadel.responded(path, ADD, {"userId": ADA}, DEFAULT)
        assert upstream.granted == {(ADA, "p1"): ["a", "gold"]}


EVENT: Final = {"aggregateID": ADA, "resourceOwner": THERE, "sequence": 5, "instanceID": "1"}


@cases(
    "event, members, trigger, log",
    {
        "a user was added": (
            "user.human.added",
            {"event_payload": {"userName": "ada", "firstName": "Ada", "email": "ada@example.com"}},
            "3",
            "ada Ada",
        ),
        "a password was wrong": (
            "user.human.password.check.failed", {}, "1", "password Errors.User.Password.Invalid",
        ),
    },
)  # fmt: skip
async def test_actions_run_at_events(
    bridge: Bridge, event: str, members: dict[str, Any], trigger: str, log: str
) -> None:
    script = calling(
        "const said = ctx.v1.getUser"
        " ? [ctx.v1.getUser().username, ctx.v1.getUser().human.firstName]"
        " : [ctx.v1.authMethod, ctx.v1.authError];"
        " require('zitadel/log').info(said.join(' '))"
    )
    await bridge.runs(script, "3", trigger)
    await bridge.zitadel.happened(event, **EVENT, **members)
    run = await the_run(bridge, trigger)
    assert [line.text for each in run.actions for line in each.logs] == [log]
    assert run.user_id == ADA


async def test_what_has_no_trigger_here_goes_on(bridge: Bridge, server: RealServer) -> None:
    await bridge.runs(THROWS, "3", "2")
    called = Target(f"http://{server.http}/targets/{bridge.id}", (KEY,))
    bridge.zitadel.executions[f"request{USERS}/DeleteUser"] = [called]
    sent = await bridge.zitadel.requested(f"{USERS}/DeleteUser", {"userId": "1"}, THERE)
    assert sent == {"userId": "1"}
    await bridge.zitadel.happened("user.locked", **EVENT)


async def test_a_request_that_is_not_signed_is_refused(bridge: Bridge, server: RealServer) -> None:
    await bridge.runs(THROWS, "3", "2")
    url = f"http://{server.http}/targets/{bridge.id}"
    body = json.dumps({"fullMethod": f"{USERS}/AddHumanUser", "orgID": THERE, "request": ADD})
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as response:
        assert response.status == 401
