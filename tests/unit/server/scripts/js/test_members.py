"""Reads or calls every member of `ctx` and `api` by a script, in every trigger that has it.

Values are those of the example contexts, written out.
"""

import json

import pytest

from server.scripts.contract import AttributeEffect, Effects, GrantEffect, JsonValue, MetadataEffect
from server.triggers import Trigger
from tests.unit.server.scripts.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")

Members = dict[str, JsonValue]

DATE = "2025-03-04T05:06:07.123456789Z"
ORG = "318838541687652737"
USER_ID = "318838604669387137"


def below(path: str, members: Members) -> Members:
    return {f"{path}.{name}": value for name, value in members.items()}


HUMAN: Members = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "nickName": "ada",
    "displayName": "Ada Lovelace",
    "preferredLanguage": "en",
    "email": "ada@example.com",
    "isEmailVerified": True,
    "phone": "+41791234567",
    "isPhoneVerified": False,
}
USER: Members = {
    "id": USER_ID,
    "creationDate": DATE,
    "changeDate": "2025-03-05T06:07:08Z",
    "resourceOwner": ORG,
    "sequence": 42,
    "state": 1,
    "username": "ada",
    "preferredLoginName": "ada@example.com",
    **below("human", HUMAN),
}
FULL_USER: Members = {**USER, "human.avatarKey": "users/1/avatar", "human.gender": 1}
EXTERNAL_USER: Members = {
    "externalId": "ext-1",
    "externalIdpId": "318838666690558337",
    **below("human", HUMAN),
}


def metadata_list(name: str, value: JsonValue, count: int, sequence: int) -> Members:
    return {
        "count": count,
        "sequence": sequence,
        "timestamp": DATE,
        "metadata.length": count,
        "metadata[0].creationDate": DATE,
        "metadata[0].changeDate": DATE,
        "metadata[0].resourceOwner": ORG,
        "metadata[0].sequence": 7,
        "metadata[0].key": name,
        "metadata[0].value": value,
    }


ORG_METADATA = below("ctx.v1.org.getMetadata()", metadata_list("tenant", "acme", 1, 8))
USER_METADATA: Members = {
    **below("ctx.v1.user.getMetadata()", metadata_list("department", "engineering", 2, 7)),
    "ctx.v1.user.getMetadata().metadata[1].value": {"seats": 5},
}
GRANTS = below(
    "ctx.v1.user.grants",
    {
        "count": 1,
        "sequence": 9,
        "timestamp": DATE,
        "grants.length": 1,
        "grants[0].id": "318838700000000001",
        "grants[0].projectGrantId": "",
        "grants[0].state": 1,
        "grants[0].userGrantResourceOwner": ORG,
        "grants[0].userGrantResourceOwnerName": "Acme",
        "grants[0].creationDate": DATE,
        "grants[0].changeDate": DATE,
        "grants[0].sequence": 3,
        "grants[0].userId": USER_ID,
        "grants[0].userResourceOwner": ORG,
        "grants[0].roles": ["admin", "viewer"],
        "grants[0].projectId": "318838800000000001",
        "grants[0].projectName": "Portal",
        **below("grants[0].getOrgMetadata()", metadata_list("tenant", "acme", 1, 8)),
    },
)
AUTH_REQUEST = below(
    "ctx.v1.authRequest",
    {
        "id": "V2_318838900000000001",
        "agentId": "318838900000000002",
        "creationDate": DATE,
        "changeDate": DATE,
        "browserInfo.userAgent": "Mozilla/5.0",
        "browserInfo.acceptLanguage": "en",
        "browserInfo.remoteIp": "192.0.2.7",
        "applicationId": "318838900000000003",
        "callbackUri": "https://app.example.com/callback",
        "transferState": "xyz",
        "prompt": [2],
        "uiLocales": ["en"],
        "loginHint": "ada@example.com",
        "maxAuthAge": 3600000000000,
        "instanceId": "318838000000000000",
        "request.oidc.scopes": ["openid", "profile", "email"],
        "userId": USER_ID,
        "userName": "ada",
        "loginName": "ada@example.com",
        "displayName": "Ada Lovelace",
        "resourceOwner": ORG,
        "requestedOrgId": ORG,
        "requestedOrgName": "Acme",
        "requestedPrimaryDomain": "acme.example.com",
        "requestedOrgDomain": True,
        "applicationResourceOwner": ORG,
        "privateLabelingSetting": 1,
        "selectedIdpConfigId": "318838666690558337",
        **below("linkingUsers[0]", EXTERNAL_USER),
        "passwordVerified": True,
        "mfasVerified": [0],
        "audience": ["318838900000000003", "318838800000000001"],
        "authTime": DATE,
    },
)
HTTP_REQUEST = below(
    "ctx.v1.httpRequest",
    {
        "method": "POST",
        "url": "/ui/login/password",
        "proto": "HTTP/1.1",
        "contentLength": 23,
        "host": "login.example.com",
        "form": {"loginName": ["ada@example.com"]},
        "postForm": {"loginName": ["ada@example.com"]},
        "remoteAddr": "192.0.2.7:53211",
        "headers['User-Agent'][0]": "Mozilla/5.0",
        "headers": {"User-Agent": ["Mozilla/5.0"], "Accept-Language": ["en"]},
    },
)
PROVIDER_INFO = below(
    "ctx.v1.providerInfo",
    {
        "subject": "ext-1",
        "name": "Ada Lovelace",
        "givenName": "Ada",
        "familyName": "Lovelace",
        "nickname": "ada",
        "picture": "https://idp.example.com/ada.png",
        "locale": "en",
        "updatedAt": 1741064767,
        "preferredUsername": "ada",
        "email": "ada@example.com",
        "emailVerified": True,
        "phoneNumber": "+41791234567",
        "claims": {"groups": ["staff"]},
        "getID()": "ext-1",
        "getFirstName()": "Ada",
        "getLastName()": "Lovelace",
        "getDisplayName()": "Ada Lovelace",
        "getNickname()": "ada",
        "getPreferredUsername()": "ada",
        "getEmail()": "ada@example.com",
        "isEmailVerified()": True,
        "getPhone()": "+41791234567",
        "isPhoneVerified()": False,
        "getPreferredLanguage()": "en",
        "getAvatarURL()": "https://idp.example.com/ada.png",
        "getProfile()": "",
    },
)
REQUESTS: Members = {**AUTH_REQUEST, **HTTP_REQUEST}
CREATION: Members = {**below("ctx.v1.user", {**USER, "loginNames": []}), **REQUESTS, **ORG_METADATA}
CREATED: Members = {
    **below("ctx.v1.getUser()", {**FULL_USER, "loginNames": ["ada@example.com"]}),
    **REQUESTS,
    **ORG_METADATA,
}
TOKEN: Members = {
    "ctx.v1.claims.sub": USER_ID,
    "ctx.v1.claims.email_verified": True,
    "ctx.v1.claims['urn:zitadel:iam:user:resourceowner:id']": ORG,
    **below("ctx.v1.getUser()", {**FULL_USER, "loginNames": []}),
    **USER_METADATA,
    **GRANTS,
    **ORG_METADATA,
    "ctx.v1.application.getClientId()": "318838900000000004",
    "ctx.v1.actor": {
        "userId": "318838604669387199",
        "issuer": "https://login.example.com",
        "actor": None,
    },
}

CONTEXTS: dict[Trigger, Members] = {
    (1, 1): {
        "ctx.accessToken": "an access token",
        "ctx.idToken": "an id token",
        "ctx.refreshToken": "",
        "ctx.getClaim('picture')": "https://idp.example.com/ada.png",
        "ctx.getClaim('none')": None,
        "JSON.parse(ctx.claimsJSON())": {
            "iss": "https://idp.example.com",
            "sub": "ext-1",
            "picture": "https://idp.example.com/ada.png",
        },
        **below("ctx.v1.externalUser", EXTERNAL_USER),
        **PROVIDER_INFO,
        **REQUESTS,
        "ctx.v1.authError": "none",
        **ORG_METADATA,
    },
    (1, 2): CREATION,
    (1, 3): CREATED,
    (2, 4): TOKEN,
    (2, 5): TOKEN,
    (3, 1): {"ctx.v1.authMethod": "password", "ctx.v1.authError": "none", **REQUESTS},
    (3, 2): CREATION,
    (3, 3): CREATED,
    (4, 6): {
        **below("ctx.v1.getUser()", {**FULL_USER, "loginNames": ["ada@example.com"]}),
        **USER_METADATA,
        **GRANTS,
        **ORG_METADATA,
    },
}


@pytest.mark.parametrize(
    ("trigger", "member", "expected"),
    [
        pytest.param(trigger, member, expected, id=f"{trigger[0]}/{trigger[1]} {member}")
        for trigger, members in CONTEXTS.items()
        for member, expected in members.items()
    ],
)
async def test_a_member_of_ctx_has_the_value_of_the_context(
    runner: Runner, trigger: Trigger, member: str, expected: JsonValue
) -> None:
    source = f"function f(ctx) {{ log(JSON.stringify({member})) }}"
    assert json.loads(await runner.logged(source, trigger=trigger)) == expected


def effects(
    *,
    claims: Members | None = None,
    fields: dict[str, str | bool | int] | None = None,
    metadata: tuple[MetadataEffect, ...] = (),
    grants: tuple[GrantEffect, ...] = (),
    attributes: tuple[AttributeEffect, ...] = (),
) -> Effects:
    return Effects(claims or {}, fields or {}, metadata, grants, attributes)


def field(name: str, value: str | bool | int) -> Effects:
    return effects(fields={name: value})


FIELDS = {
    "api.setFirstName('x')": field("firstName", "x"),
    "api.setLastName('x')": field("lastName", "x"),
    "api.setNickName('x')": field("nickName", "x"),
    "api.setDisplayName('x')": field("displayName", "x"),
    "api.setPreferredLanguage('de')": field("preferredLanguage", "de"),
    "api.setEmail('x@y')": field("email", "x@y"),
    "api.setEmailVerified(true)": field("isEmailVerified", True),
    "api.setPhone('+1')": field("phone", "+1"),
    "api.setPhoneVerified(true)": field("isPhoneVerified", True),
}
LOGIN_FIELDS = {**FIELDS, "api.setPreferredUsername('x')": field("preferredUsername", "x")}
CREATION_FIELDS = {
    **FIELDS,
    "api.setUsername('x')": field("username", "x"),
    "api.setGender(2)": field("gender", 2),
}
METADATA = {
    "api.metadata.push({key: 'k', value: [1, 2]})": effects(
        metadata=(MetadataEffect("k", b"[1,2]"),)
    ),
    "api.v1.user.appendMetadataRaw('k', [104, 105])": effects(
        metadata=(MetadataEffect("k", b"hi"),)
    ),
    "api.v1.user.appendMetadata('k', {b: 1, a: 'x'})": effects(
        metadata=(MetadataEffect("k", b'{"a":"x","b":1}'),)
    ),
}
GRANT = effects(grants=(GrantEffect("p", "g", ("r",)),))
USER_GRANTS = {
    "api.userGrants.push({projectID: 'p', projectGrantID: 'g', roles: ['r']})": GRANT,
    "api.v1.appendUserGrant({projectId: 'p', projectGrantId: 'g', roles: ['r', 5]})": GRANT,
    "api.v1.appendUserGrant({projectID: 'p', projectGrantID: 'g', roles: ['r']})": GRANT,
}
SET_METADATA = {
    "api.v1.user.setMetadata('k', 'x')": effects(metadata=(MetadataEffect("k", b'"x"'),))
}
LOG_CLAIM = effects(claims={"urn:zitadel:iam:action:f:log": ["entry"]})
CLAIMS = {
    "api.v1.claims.setClaim('k', 'x')": effects(claims={"k": "x"}),
    "api.v1.userinfo.setClaim('k', 'x')": effects(claims={"k": "x"}),
    "api.v1.claims.appendLogIntoClaims('entry')": LOG_CLAIM,
    "api.v1.userinfo.appendLogIntoClaims('entry')": LOG_CLAIM,
    **SET_METADATA,
}

APIS: dict[Trigger, dict[str, Effects]] = {
    (1, 1): {**LOGIN_FIELDS, **METADATA},
    (1, 2): {**CREATION_FIELDS, **METADATA},
    (1, 3): USER_GRANTS,
    (2, 4): CLAIMS,
    (2, 5): CLAIMS,
    (3, 1): METADATA,
    (3, 2): {**CREATION_FIELDS, **METADATA},
    (3, 3): USER_GRANTS,
    (4, 6): {
        "api.v1.attributes.setCustomAttribute('n', 'urn:f', 'a', 'b')": effects(
            attributes=(AttributeEffect("n", "urn:f", ("a", "b")),)
        ),
        **SET_METADATA,
    },
}


@pytest.mark.parametrize(
    ("trigger", "call", "expected"),
    [
        pytest.param(trigger, call, expected, id=f"{trigger[0]}/{trigger[1]} {call}")
        for trigger, calls in APIS.items()
        for call, expected in calls.items()
    ],
)
async def test_a_member_of_api_has_its_effect(
    runner: Runner, trigger: Trigger, call: str, expected: Effects
) -> None:
    source = f"function f(ctx, api) {{ {call} }}"
    assert await runner.effects(source, trigger=trigger) == expected


@pytest.mark.parametrize("trigger", CONTEXTS)
async def test_no_member_is_there_that_the_trigger_does_not_have(
    runner: Runner, trigger: Trigger
) -> None:
    names = {"ctx": set[str](), "api": set[str]()}
    for member in (*CONTEXTS[trigger], *APIS[trigger]):
        start = member.find("ctx.") if "ctx." in member else 0
        root, _, rest = member[start:].partition(".")
        names[root].add(rest.split("(")[0].split(".")[0])
    source = "function f(ctx, api) { log('%j', [Object.keys(ctx), Object.keys(api)]) }"
    ctx, api = json.loads(await runner.logged(source, trigger=trigger))
    assert (set(ctx), set(api)) == (names["ctx"], names["api"])
