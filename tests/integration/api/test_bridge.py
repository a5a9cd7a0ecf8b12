"""A ZITADEL calls targets here, over HTTP: what its tokens then hold, and what is refused."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

import aiohttp
import jwt
import pytest

from actions.v1 import bridge_pb2, execution_pb2
from tests.support.accounts import Accounts
from tests.support.api_client import ApiClient, Caller
from tests.support.issuer import Signer
from tests.support.prepared import action, set_trigger
from tests.support.real_server import RealServer
from tests.support.run_outcomes import attributes_of, outcome_of
from tests.support.runs import run_request
from tests.support.tables import cases
from tests.support.zitadel import (
    ExecutionFailed,
    Login,
    Outcome,
    Target,
    Zitadel,
    as_jwe,
    as_jwt,
    instance,
    signed,
)
from zitadel import management_pb2

KEY: Final = "a signing key of ZITADEL"
THERE: Final = "900000000000000001"
LOG: Final = "urn:zitadel:iam:action:function/preuserinfo:log"

LOGIN: Final = Login(
    user={
        "id": "300000000000000001",
        "creation_date": "2025-03-04T05:06:07.123456789Z",
        "change_date": "2025-03-05T06:07:08Z",
        "resource_owner": THERE,
        "sequence": 42,
        "state": 1,
        "username": "ada",
        "preferred_login_name": "ada@example.com",
        "human": {
            "first_name": "Ada",
            "last_name": "Lovelace",
            "nick_name": "ada",
            "display_name": "Ada Lovelace",
            "preferred_language": "en",
            "gender": 1,
            "email": "ada@example.com",
            "is_email_verified": True,
            "phone": "+41791234567",
            "password_change_required": False,
        },
    },
    userinfo={"sub": "300000000000000001", "email": "ada@example.com", "tier": "gold"},
    user_metadata=[
        {"key": "department", "value": "ZW5naW5lZXJpbmc=", "sequence": 7},
        {"key": "limits", "value": "eyJzZWF0cyI6NX0=", "sequence": 8},
    ],
    user_grants=[
        {
            "id": "g1",
            "grant_id": "pg1",
            "state": 1,
            "resource_owner": "900000000000000002",
            "org_name": "Granting",
            "roles": ["admin", "editor"],
            "project_id": "p1",
            "project_name": "Portal",
            "user_id": "300000000000000001",
            "user_resource_owner": THERE,
        }
    ],
    client_id="318838900000000003@portal",
)
SEEN: Final[dict[str, Any]] = {
    "claims": {"sub": "300000000000000001", "email": "ada@example.com", "tier": "gold"},
    "user": {
        "id": "300000000000000001",
        "creationDate": "2025-03-04T05:06:07.123456789Z",
        "changeDate": "2025-03-05T06:07:08Z",
        "resourceOwner": THERE,
        "sequence": 42,
        "state": 1,
        "username": "ada",
        "preferredLoginName": "ada@example.com",
        "human": {
            "firstName": "Ada",
            "lastName": "Lovelace",
            "nickName": "ada",
            "displayName": "Ada Lovelace",
            "preferredLanguage": "en",
            "gender": 1,
            "email": "ada@example.com",
            "isEmailVerified": True,
            "phone": "+41791234567",
        },
    },
    "userMetadata": [
        {"key": "department", "value": "engineering", "sequence": 7},
        {"key": "limits", "value": '{"seats":5}', "sequence": 8},
    ],
    "userGrants": [
        {
            "id": "g1",
            "projectGrantId": "pg1",
            "state": 1,
            "userGrantResourceOwner": "900000000000000002",
            "userGrantResourceOwnerName": "Granting",
            "roles": ["admin", "editor"],
            "projectId": "p1",
            "projectName": "Portal",
            "userId": "300000000000000001",
            "userResourceOwner": THERE,
        }
    ],
    "application": {"clientId": "318838900000000003@portal"},
}
"""The same login, as a caller of RunTrigger gives it."""


def claim(value: str) -> str:
    """A script that sets the claim `seen` to a value."""
    return f"function f(ctx, api) {{ api.v1.claims.setClaim('seen', {value}) }}"


def attribute(value: str) -> str:
    return f"function f(ctx, api) {{ api.v1.attributes.setCustomAttribute('seen', 'f', {value}) }}"


TOKEN_SCRIPTS: Final = {
    "claims": claim("ctx.v1.claims"),
    "a claim by name": claim("ctx.v1.claims.tier"),
    "getUser, human": claim("JSON.stringify(ctx.v1.getUser().human)"),
    "getUser, the rest": claim(
        "(u => [u.id, u.username, u.resourceOwner, u.sequence, u.state, u.preferredLoginName,"
        " u.loginNames])(ctx.v1.getUser())"
    ),
    "dates of a user": claim("String(ctx.v1.getUser().creationDate)"),
    "dates of a user as JSON": claim("JSON.stringify(ctx.v1.getUser().changeDate)"),
    "getMetadata, text": claim("ctx.v1.user.getMetadata().metadata[0].value"),
    "getMetadata, JSON": claim("ctx.v1.user.getMetadata().metadata[1].value.seats"),
    "getMetadata, counts": claim(
        "(m => [m.count, m.sequence, m.metadata[0].sequence])(ctx.v1.user.getMetadata())"
    ),
    "grants": claim("ctx.v1.user.grants.grants.map(g => [g.projectId, g.projectName, g.roles])"),
    "grants, names of the granting organisation": claim(
        "ctx.v1.user.grants.grants.map("
        "g => [g.userGrantResourceOwner, g.userGrantResourceOwnerName, g.projectGrantId, g.state])"
    ),
    "metadata of the organisation, which a payload lacks": claim(
        "ctx.v1.org.getMetadata().metadata.length"
    ),
    "getClientId": claim("ctx.v1.application.getClientId()"),
    "an object": claim("({a: [1, null, 'x', {b: true}], c: 1.5})"),
    "undefined": claim("undefined"),
    "a date": claim("new Date(0)"),
    "a map": claim("new Map([['a', 1]])"),
    "octets": claim("new Uint8Array([1, 2])"),
    "a claim that is there": (
        "function f(ctx, api) { api.v1.claims.setClaim('tier', 'x');"
        " api.v1.claims.setClaim('other', 1); api.v1.claims.setClaim('other', 2) }"
    ),
    "a reserved claim": claim("1").replace("seen", "urn:zitadel:iam:x"),
    "a standard claim that a scope filled": claim("'eve@example.com'").replace("seen", "email"),
    "a standard claim that is free": claim("'https://a.example'").replace("seen", "picture"),
    "userinfo, the other name": claim("1").replace("api.v1.claims", "api.v1.userinfo"),
    "appendLogIntoClaims": (
        "function f(ctx, api) { api.v1.claims.appendLogIntoClaims('one');"
        " api.v1.claims.appendLogIntoClaims('two') }"
    ),
    "setMetadata": (
        "function f(ctx, api) { api.v1.user.setMetadata('k', {b: '<', a: undefined});"
        " api.v1.user.setMetadata('l', 'text'); api.v1.user.setMetadata('l', 5) }"
    ),
    "roles, as the example does": (
        "function f(ctx, api) { if (ctx.v1.user.grants == undefined) return;"
        " let roles = []; ctx.v1.user.grants.grants.forEach(c => c.roles.forEach("
        "r => roles.push(c.projectId + ':' + r)));"
        " api.v1.claims.setClaim('my:zitadel:grants', roles) }"
    ),
    "nothing": "function f(ctx, api) {}",
}
SAML_SCRIPTS: Final = {
    "getUser": attribute("ctx.v1.getUser().human.email"),
    "grants": attribute("...ctx.v1.user.grants.grants.map(g => g.projectId)"),
    "roles": attribute("ctx.v1.user.grants.grants[0].roles"),
    "metadata, which a payload lacks": attribute("ctx.v1.user.getMetadata().count"),
    "several values": attribute("'a', 1, true, null"),
    "the first of a name": (
        "function f(ctx, api) { api.v1.attributes.setCustomAttribute('a', 'f', '1');"
        " api.v1.attributes.setCustomAttribute('a', 'g', '2') }"
    ),
    "setMetadata": "function f(ctx, api) { api.v1.user.setMetadata('k', [1]) }",
}


@dataclass(frozen=True, slots=True)
class Bridge:
    """A target here, and the ZITADEL that calls it at all functions."""

    id: str
    endpoint: str
    zitadel: Zitadel
    session: aiohttp.ClientSession

    async def post(
        self, body: bytes, signature: str | None, *, asks_first: bool = False
    ) -> tuple[int, Any]:
        """Posts a body; `asks_first` waits for 100 (Continue) before it is sent."""
        headers = {"Content-Type": "application/json"}
        if signature is not None:
            headers["ZITADEL-Signature"] = signature
        async with self.session.post(
            self.endpoint, data=BytesIO(body), headers=headers, expect100=asks_first
        ) as response:
            return response.status, await response.json()

    def executes(self, *targets: Target) -> None:
        for function in ("preuserinfo", "preaccesstoken", "presamlresponse"):
            self.zitadel.executions[function] = [*targets]

    def target(self, *keys: str) -> Target:
        return Target(self.endpoint, keys or (KEY,))


@pytest.fixture
async def owner(api: ApiClient, accounts: Accounts) -> Caller:
    org_id = await accounts.org()
    _, token = await accounts.token(await accounts.user(org_id, "IAM_OWNER"))
    return Caller(api, token, org_id)


@pytest.fixture
async def bridge(server: RealServer, owner: Caller, caller: Caller) -> AsyncIterator[Bridge]:
    """A target whose users of THERE have the actions of the caller's organisation."""
    request = bridge_pb2.CreateTargetRequest(
        name="production", signing_key=KEY, orgs={THERE: caller.org_id}
    )
    request.timeout.FromSeconds(60)
    target = (await owner.get(request)).target
    async with aiohttp.ClientSession() as session:
        endpoint = f"http://{server.http}/targets/{target.id}"
        made = Bridge(target.id, endpoint, Zitadel(session), session)
        made.executes(made.target())
        yield made
    await owner.get(bridge_pb2.DeleteTargetRequest(target_id=target.id))


async def by_run_trigger(caller: Caller, login: dict[str, Any], trigger: str) -> Outcome:
    """Returns the outcome of RunTrigger, as a token holds it."""
    response = await caller.get(run_request(trigger=trigger, **login))
    return outcome_of(response, login["claims"], "preuserinfo")


@cases("script", TOKEN_SCRIPTS)
async def test_a_token_holds_what_run_trigger_gives(
    bridge: Bridge, caller: Caller, script: str
) -> None:
    await set_trigger(caller, await action(caller, "f", script=script))
    assert await bridge.zitadel.token(LOGIN) == await by_run_trigger(caller, SEEN, "4")


@cases("script", SAML_SCRIPTS)
async def test_a_saml_response_holds_what_run_trigger_gives(
    bridge: Bridge, caller: Caller, script: str
) -> None:
    id = await action(caller, "f", script=script)
    await set_trigger(caller, id, flow="4", trigger="6")
    login = {"user": SEEN["user"], "userGrants": SEEN["userGrants"]}
    effects = (await caller.get(run_request("4", "6", **login))).effects
    assert await bridge.zitadel.saml_response(LOGIN) == attributes_of(effects)


async def test_access_tokens_have_the_actions_of_their_own_trigger(
    bridge: Bridge, caller: Caller
) -> None:
    id = await action(caller, "f", script=claim("'access'"))
    await set_trigger(caller, id, trigger="5")
    assert (await bridge.zitadel.token(LOGIN, "preaccesstoken")).claims["seen"] == "access"
    assert "seen" not in (await bridge.zitadel.token(LOGIN)).claims


async def test_an_action_that_is_deactivated_is_out_of_the_next_login(
    bridge: Bridge, caller: Caller
) -> None:
    id = await action(caller, "f", script=claim("1"))
    await set_trigger(caller, id)
    seen = []
    for request in (
        None,
        management_pb2.DeactivateActionRequest(id=id),
        management_pb2.ReactivateActionRequest(id=id),
    ):
        if request is not None:
            await caller.get(request)
        seen.append((await bridge.zitadel.token(LOGIN)).claims.get("seen"))
    assert seen == [1, None, 1]


async def test_actions_run_in_the_order_of_the_flow_and_see_earlier_claims(
    bridge: Bridge, caller: Caller
) -> None:
    first = await action(caller, "f", script=claim("'first'"))
    second = await action(
        caller,
        "g",
        script=claim("ctx.v1.claims.seen").replace("f(", "g(").replace("'seen'", "'b'"),
    )
    await set_trigger(caller, first, second)
    assert (await bridge.zitadel.token(LOGIN)).claims["b"] == "first"
    await set_trigger(caller, second, first)
    assert (await bridge.zitadel.token(LOGIN)).claims["b"] is None


THROWS: Final = "function f() { throw new Error('not today') }"


async def test_an_action_that_fails_ends_the_login_with_its_text(
    bridge: Bridge, caller: Caller
) -> None:
    await set_trigger(caller, await action(caller, "f", script=THROWS))
    with pytest.raises(ExecutionFailed) as failed:
        await bridge.zitadel.token(LOGIN)
    assert failed.value.status == 412
    assert failed.value.message.startswith("action 'f' failed: Error: not today at f (")


async def test_an_action_that_may_fail_does_not_end_the_login(
    bridge: Bridge, caller: Caller
) -> None:
    fails = await action(caller, "f", script=THROWS, allowed_to_fail=True)
    works = await action(caller, "g", script=claim("1").replace("f(", "g("))
    await set_trigger(caller, fails, works)
    assert (await bridge.zitadel.token(LOGIN)).claims["seen"] == 1


async def test_a_target_may_let_logins_go_on(bridge: Bridge, caller: Caller, owner: Caller) -> None:
    await set_trigger(caller, await action(caller, "f", script=THROWS))
    request = bridge_pb2.UpdateTargetRequest(target_id=bridge.id, ignores_failures=True)
    assert (await owner.get(request)).target.ignores_failures
    assert (await bridge.zitadel.token(LOGIN)).claims == LOGIN.userinfo


async def test_a_login_that_takes_too_long_ends_before_the_time_limit(
    bridge: Bridge, caller: Caller, owner: Caller
) -> None:
    await set_trigger(caller, await action(caller, "f", script="function f() { for (;;) {} }"))
    request = bridge_pb2.UpdateTargetRequest(target_id=bridge.id)
    request.timeout.FromMilliseconds(200)
    await owner.get(request)
    body = json.dumps(LOGIN.payload("preuserinfo")).encode()
    status, answer = await bridge.post(body, signed(body, KEY))
    assert (status, answer) == (504, {"message": "the actions took longer than 0.1 s"})


async def test_the_answers_of_several_targets_are_one(bridge: Bridge, caller: Caller) -> None:
    """The same target twice: what it said first stays, and its second run sees it."""
    await set_trigger(
        caller, await action(caller, "f", script=TOKEN_SCRIPTS["a claim that is there"])
    )
    bridge.executes(bridge.target(), bridge.target())
    token = await bridge.zitadel.token(LOGIN)
    assert token.claims["other"] == 1
    said = ['key "tier" already exists', 'key "other" already exists']
    assert token.claims[LOG] == [*said, *said, 'key "other" already exists']


@cases(
    "user, claims",
    {
        "of an organisation that is not bound": (
            {**LOGIN.user, "resource_owner": "900000000000000009"},
            LOGIN.userinfo,
        ),
        "of one that is": (LOGIN.user, {**LOGIN.userinfo, "seen": 1}),
    },
)
async def test_actions_are_those_of_the_users_organisation(
    bridge: Bridge, caller: Caller, user: dict[str, Any], claims: dict[str, Any]
) -> None:
    await set_trigger(caller, await action(caller, "f", script=claim("1")))
    assert (await bridge.zitadel.token(replace(LOGIN, user=user))).claims == claims


async def test_organisations_are_bound_and_unbound(
    bridge: Bridge, caller: Caller, owner: Caller
) -> None:
    change = bridge_pb2.UpdateTargetRequest(target_id=bridge.id, orgs={"1": caller.org_id})
    bound = (await owner.get(change)).target
    assert dict(bound.orgs) == {THERE: caller.org_id, "1": caller.org_id}
    change = bridge_pb2.UpdateTargetRequest(target_id=bridge.id, orgs={THERE: ""})
    assert dict((await owner.get(change)).target.orgs) == {"1": caller.org_id}


async def test_a_new_signing_key_replaces_the_old_one(bridge: Bridge, owner: Caller) -> None:
    change = bridge_pb2.UpdateTargetRequest(target_id=bridge.id, signing_key="a new one")
    assert "a new one" not in str(await owner.get(change))
    with pytest.raises(ExecutionFailed):
        await bridge.zitadel.token(LOGIN)
    bridge.executes(bridge.target(KEY, "a new one"))
    assert (await bridge.zitadel.token(LOGIN)).claims == LOGIN.userinfo


async def test_an_update_that_changes_nothing_writes_nothing(bridge: Bridge, owner: Caller) -> None:
    same = bridge_pb2.UpdateTargetRequest(target_id=bridge.id, signing_key=KEY)
    (before,) = [
        each
        for each in (await owner.get(bridge_pb2.ListTargetsRequest())).targets
        if each.id == bridge.id
    ]
    assert (await owner.get(same)).target == before
    changed = bridge_pb2.UpdateTargetRequest(target_id=bridge.id, signing_key="another")
    assert (await owner.get(changed)).target.changed_at != before.changed_at


async def test_targets_are_listed_without_their_keys(bridge: Bridge, owner: Caller) -> None:
    response = await owner.get(bridge_pb2.ListTargetsRequest())
    (listed,) = [each for each in response.targets if each.id == bridge.id]
    assert (listed.name, listed.has_signing_key, listed.timeout.seconds) == ("production", True, 60)
    assert KEY not in str(response)


async def test_a_deleted_target_is_refused_at_once(
    server: RealServer, owner: Caller, bridge: Bridge
) -> None:
    made = await owner.get(bridge_pb2.CreateTargetRequest(name="short", signing_key=KEY))
    short = replace(bridge, endpoint=f"http://{server.http}/targets/{made.target.id}")
    body = json.dumps(LOGIN.payload("preuserinfo")).encode()
    assert (await short.post(body, signed(body, KEY)))[0] == 200
    await owner.get(bridge_pb2.DeleteTargetRequest(target_id=made.target.id))
    assert (await short.post(body + b" ", signed(body + b" ", KEY)))[0] == 401


async def test_a_run_is_in_the_log_of_runs_with_its_target(bridge: Bridge, caller: Caller) -> None:
    await set_trigger(caller, await action(caller, "f", script=claim("1")))
    await bridge.zitadel.token(LOGIN)
    (run,) = await runs(caller)
    assert (run.target_id, run.user_id, run.flow_type, run.trigger_type) == (
        bridge.id, LOGIN.user["id"], "2", "4",
    )  # fmt: skip
    assert run.state == execution_pb2.RUN_STATE_SUCCEEDED
    assert run.duration.ToMicroseconds() > 0


async def runs(caller: Caller) -> list[execution_pb2.Run]:
    """The log of runs, once it has one."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [*(await caller.get(execution_pb2.ListRunsRequest())).runs]
        if found:
            return found
    raise AssertionError("no run was logged")


BODY: Final = json.dumps(LOGIN.payload("preuserinfo")).encode()
UNPROVED: Final = (401, {"message": "the call is not signed by the target's key, or not now"})
NOW: Final = int(time.time())


@cases(
    "body, signature",
    {
        "no signature": (BODY, None),
        "an old signature": (BODY, signed(BODY, KEY, at_s=NOW - 3600)),
        "a signature of the future": (BODY, signed(BODY, KEY, at_s=NOW + 3600)),
        "the key of another target": (BODY, signed(BODY, "the key of another")),
        "a body that was changed": (BODY + b" ", signed(BODY, KEY)),
        "no JSON": (b"{", signed(BODY, KEY)),
    },
)
async def test_a_call_that_is_not_proved_gets_one_answer(
    bridge: Bridge, body: bytes, signature: str | None
) -> None:
    assert await bridge.post(body, signature) == UNPROVED


async def test_an_unknown_target_gets_the_same_answer(bridge: Bridge) -> None:
    unknown = replace(bridge, endpoint=bridge.endpoint.replace(bridge.id, "404"))
    assert await unknown.post(BODY, signed(BODY, KEY)) == UNPROVED


async def test_a_call_that_comes_again_later_is_refused(bridge: Bridge) -> None:
    body = json.dumps({**LOGIN.payload("preuserinfo"), "once": bridge.id}).encode()
    signature = signed(body, KEY)
    assert (await bridge.post(body, signature))[0] == 200
    deadline = time.monotonic() + 60
    status = 200
    while status == 200 and time.monotonic() < deadline:
        status, answer = await bridge.post(body, signature)
    assert (status, answer) == UNPROVED


@cases(
    "body, message",
    {
        "no JSON": (b"{", "payload: expected JSON"),
        "without user": (
            b'{"function":"function/preuserinfo"}',
            "user: expected an object, got nothing",
        ),
        "a function that is unknown": (
            b'{"function":"function/later","user":{}}',
            "function: expected one of function/preuserinfo, function/preaccesstoken,"
            " function/presamlresponse, got 'function/later'",
        ),
    },
)
async def test_a_payload_that_does_not_fit_is_refused(
    bridge: Bridge, body: bytes, message: str
) -> None:
    assert await bridge.post(body, signed(body, KEY)) == (400, {"message": message})


INSTANCE: Final = Signer("RS256", "of the instance")


async def by_jwt(bridge: Bridge, owner: Caller, issuer: str) -> None:
    await owner.get(
        bridge_pb2.UpdateTargetRequest(
            target_id=bridge.id, payload_type=bridge_pb2.PAYLOAD_TYPE_JWT, issuer=issuer
        )
    )


async def test_payloads_are_sent_as_jwts(bridge: Bridge, caller: Caller, owner: Caller) -> None:
    await set_trigger(caller, await action(caller, "f", script=claim("1")))
    with instance(INSTANCE) as zitadel:
        await by_jwt(bridge, owner, f"{zitadel.url}/")
        bridge.executes(replace(bridge.target(), encode=lambda body: as_jwt(body, INSTANCE)))
        for _ in range(2):
            assert (await bridge.zitadel.token(LOGIN)).claims["seen"] == 1
        assert zitadel.asked == ["/oauth/v2/keys"]


@cases(
    "body",
    {
        "JSON": BODY,
        "alg none": jwt.PyJWS().encode(BODY, "", "none").encode(),
        "HS256 with the signing key": jwt.PyJWS().encode(BODY, KEY.ljust(32), "HS256").encode(),
        "a key of another instance": as_jwt(BODY, Signer("RS256", "of another")),
        "a key of another instance with the id of this one's": as_jwt(
            BODY, Signer("RS256", INSTANCE.key_id, private=Signer("RS256", "of another").private)
        ),
    },
)
async def test_a_jwt_that_the_instance_did_not_sign_is_as_unproved(
    bridge: Bridge, owner: Caller, body: bytes
) -> None:
    with instance(INSTANCE) as zitadel:
        await by_jwt(bridge, owner, zitadel.url)
        assert await bridge.post(body, signed(body, KEY)) == UNPROVED


@cases(
    "type_",
    {"RSA": bridge_pb2.ENCRYPTION_KEY_TYPE_RSA, "a curve": bridge_pb2.ENCRYPTION_KEY_TYPE_EC},
)
async def test_payloads_are_encrypted_to_keys_until_they_are_dropped(
    bridge: Bridge, owner: Caller, type_: bridge_pb2.EncryptionKeyType.ValueType
) -> None:
    create = bridge_pb2.CreateEncryptionKeyRequest(target_id=bridge.id, type=type_)
    old, new = [(await owner.get(create)).key for _ in range(2)]
    listed = await owner.get(bridge_pb2.ListEncryptionKeysRequest(target_id=bridge.id))
    assert [*listed.keys] == [old, new]
    with instance(INSTANCE) as zitadel:
        change = bridge_pb2.UpdateTargetRequest(
            target_id=bridge.id, payload_type=bridge_pb2.PAYLOAD_TYPE_JWE, issuer=zitadel.url
        )
        assert (await owner.get(change)).target.payload_type == bridge_pb2.PAYLOAD_TYPE_JWE

        async def status(key: bridge_pb2.EncryptionKey, signer: Signer = INSTANCE) -> int:
            body = as_jwe(as_jwt(BODY, signer), key.public_key)
            return (await bridge.post(body, signed(body, KEY)))[0]

        before = [await status(old), await status(new), await status(new, Signer("RS256", "x"))]
        drop = bridge_pb2.DeleteEncryptionKeyRequest(target_id=bridge.id, key_id=old.id)
        await owner.get(drop)
        after = [await status(old), await status(new)]
        plain = as_jwt(BODY, INSTANCE)
        assert await bridge.post(plain, signed(plain, KEY)) == UNPROVED
    assert (before, after) == ([200, 200, 401], [401, 200])
    again = await owner.ask("json", drop)
    assert (again.code, again.details[0][0]) == (5, "TARGET-Ek2nf")


async def test_a_target_has_four_encryption_keys_at_most(bridge: Bridge, owner: Caller) -> None:
    create = bridge_pb2.CreateEncryptionKeyRequest(
        target_id=bridge.id, type=bridge_pb2.ENCRYPTION_KEY_TYPE_EC
    )
    for _ in range(4):
        await owner.get(create)
    refused = await owner.ask("json", create)
    assert (refused.code, refused.details[0][0]) == (8, "TARGET-Ek1my")


async def test_a_jwt_alone_proves_nothing(bridge: Bridge, owner: Caller) -> None:
    """A user's token has the same signer, and the user can send it."""
    body = as_jwt(BODY, INSTANCE)
    with instance(INSTANCE) as zitadel:
        await by_jwt(bridge, owner, zitadel.url)
        assert await bridge.post(body, None) == UNPROVED
        assert zitadel.asked == []


async def test_a_target_whose_payloads_are_jwts_has_an_issuer(owner: Caller) -> None:
    request = bridge_pb2.CreateTargetRequest(
        name="production", payload_type=bridge_pb2.PAYLOAD_TYPE_JWT
    )
    refused = []
    for issuer in ("", "http://zitadel.example", "zitadel.example"):
        request.issuer = issuer
        answer = await owner.ask("json", request)
        refused.append((answer.code, answer.details[0][0]))
    assert refused == [(3, "TARGET-Is3ms"), (3, "TARGET-Is2nv"), (3, "TARGET-Is2nv")]


async def test_a_payload_of_10_mib_is_refused(bridge: Bridge) -> None:
    body = b"x" * (10 << 20)
    # Else the client may still be sending when its loop ends.
    status, answer = await bridge.post(body, signed(body, KEY), asks_first=True)
    limit = "the request body is larger than the limit of 1048576 bytes"
    assert (status, answer["message"]) == (413, limit)
