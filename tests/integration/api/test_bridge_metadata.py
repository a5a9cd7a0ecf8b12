"""Metadata that payloads lack is read from a ZITADEL by a service account, when a script asks."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import pytest
from google.protobuf import json_format

from actions.v1 import bridge_pb2
from server.connecting.probe import ProbeAnswer, probe
from tests.support import metadata_api as stand_in
from tests.support.accounts import Accounts
from tests.support.api_client import ApiClient, Caller
from tests.support.metadata_api import TOKEN, USER_ID, MetadataApi, metadata_api
from tests.support.prepared import action, set_trigger
from tests.support.real_server import RealServer
from tests.support.runs import run_request
from tests.support.tables import cases
from tests.support.zitadel import ExecutionFailed, Login, Target, Zitadel
from zitadel import management_pb2

KEY: Final = "a signing key of ZITADEL"
THERE, GRANTING, ADA = "900000000000000001", "900000000000000002", "300000000000000001"
ENTRIES: Final[dict[str, bytes]] = {"tier": b"gold", "limits": b'{"seats":5}'}
USER: Final = {"id": ADA, "resource_owner": THERE, "human": {"first_name": "Ada"}}
LOGIN: Final = Login(
    user=USER,
    userinfo={"sub": ADA},
    user_grants=[{"id": "g1", "resource_owner": GRANTING, "roles": ["a"], "project_id": "p1"}],
)
SEEN: Final[dict[str, Any]] = {
    "user": {"id": ADA, "resourceOwner": THERE, "human": {"firstName": "Ada"}},
    "userGrants": [
        {
            "id": "g1",
            "userGrantResourceOwner": GRANTING,
            "roles": ["a"],
            "projectId": "p1",
        }
    ],
}
VALUES: Final = "({k: m.metadata.map(e => e.key), v: m.metadata.map(e => e.value), c: m.count})"


def entries(owner: str) -> list[dict[str, Any]]:
    """Returns the list that the stand-in has, as a caller of RunTrigger gives it."""
    return [
        {"key": key, "value": value.decode(), "sequence": 7 + at, "resourceOwner": owner}
        for at, (key, value) in enumerate(ENTRIES.items())
    ]


@dataclass(frozen=True, slots=True)
class Bridge:
    """A target with a service account, and the ZITADEL that calls it and is asked by it."""

    id: str
    zitadel: Zitadel
    api: MetadataApi


@pytest.fixture
async def owner(api: ApiClient, accounts: Accounts) -> Caller:
    org_id = await accounts.org()
    _, token = await accounts.token(await accounts.user(org_id, "IAM_OWNER"))
    return Caller(api, token, org_id)


@pytest.fixture
async def bridge(server: RealServer, owner: Caller, caller: Caller) -> AsyncIterator[Bridge]:
    request = bridge_pb2.CreateTargetRequest(
        name="production", signing_key=KEY, orgs={THERE: caller.org_id}
    )
    request.timeout.FromSeconds(60)
    target = (await owner.get(request)).target
    async with aiohttp.ClientSession() as session, metadata_api() as upstream:
        upstream.orgs = {THERE: ENTRIES, GRANTING: ENTRIES}
        upstream.users = {ADA: ENTRIES}
        change = bridge_pb2.UpdateTargetRequest(target_id=target.id)
        change.account.issuer = upstream.url
        change.account.credential = upstream.key_file
        changed = (await owner.get(change)).target
        assert (changed.account_issuer, changed.account_user_id) == (upstream.url, USER_ID)
        zitadel = Zitadel(session)
        for function in ("preuserinfo", "preaccesstoken", "presamlresponse"):
            endpoint = f"http://{server.http}/targets/{target.id}"
            zitadel.executions[function] = [Target(endpoint, (KEY,))]
        yield Bridge(target.id, zitadel, upstream)
    await owner.get(bridge_pb2.DeleteTargetRequest(target_id=target.id))


def claim(value: str) -> str:
    return f"function f(ctx, api) {{ const m = {value}; api.v1.claims.setClaim('x', {VALUES}) }}"


def attribute(value: str) -> str:
    name = "api.v1.attributes.setCustomAttribute"
    return (
        f"function f(ctx, api) {{ const m = {value}; {name}('x', '', JSON.stringify({VALUES})) }}"
    )


OWN: Final = "ctx.v1.org.getMetadata()"
OF_GRANT: Final = "ctx.v1.user.grants.grants[0].getOrgMetadata()"
OF_USER: Final = "ctx.v1.user.getMetadata()"


@cases(
    "value, given, function, trigger",
    {
        "own organisation, ID token": (OWN, {"orgMetadata": entries(THERE)}, "preuserinfo", "4"),
        "own organisation, access token": (
            OWN, {"orgMetadata": entries(THERE)}, "preaccesstoken", "5",
        ),
        "granting organisation": (
            OF_GRANT,
            {"userGrants": [{**SEEN["userGrants"][0], "orgMetadata": entries(GRANTING)}]},
            "preuserinfo",
            "4",
        ),
    },
)  # fmt: skip
async def test_a_token_holds_what_run_trigger_gives(
    bridge: Bridge, caller: Caller, value: str, given: dict[str, Any], function: str, trigger: str
) -> None:
    await set_trigger(caller, await action(caller, "f", script=claim(value)), trigger=trigger)
    response = await caller.get(run_request(trigger=trigger, **SEEN | given))
    token = await bridge.zitadel.token(LOGIN, function)
    expected = json.loads(json_format.MessageToJson(response.effects.claims["x"]))
    assert expected == {"k": ["tier", "limits"], "v": ["gold", {"seats": 5}], "c": 2}
    assert token.claims["x"] == expected


@cases(
    "value, given",
    {
        "own organisation": (OWN, {"orgMetadata": entries(THERE)}),
        "granting organisation": (
            OF_GRANT, {"userGrants": [{**SEEN["userGrants"][0], "orgMetadata": entries(GRANTING)}]},
        ),
        "the user": (OF_USER, {"userMetadata": entries(THERE)}),
        "the user, with what was just set": (
            f"(api.v1.user.setMetadata('tier', 'silver'), {OF_USER})",
            {"userMetadata": entries(THERE)},
        ),
    },
)  # fmt: skip
async def test_a_saml_response_holds_what_run_trigger_gives(
    bridge: Bridge, caller: Caller, value: str, given: dict[str, Any]
) -> None:
    id = await action(caller, "f", script=attribute(value))
    await set_trigger(caller, id, flow="4", trigger="6")
    effects = (await caller.get(run_request("4", "6", **SEEN | given))).effects
    expected = {
        each.name: (each.name_format, tuple(each.values)) for each in effects.saml_attributes
    }
    assert (await bridge.zitadel.saml_response(LOGIN)).attributes == expected
    assert "limits" in str(expected)


async def test_a_script_that_asks_for_nothing_costs_no_request(
    bridge: Bridge, caller: Caller
) -> None:
    script = "function f(ctx, api) { ctx.v1.user.getMetadata(); api.v1.claims.setClaim('x', 1) }"
    await set_trigger(caller, await action(caller, "f", script=script))
    assert (await bridge.zitadel.token(LOGIN)).claims["x"] == 1
    assert bridge.api.asked == []


@cases(
    "fault",
    {
        "401": stand_in.refused,
        "403": stand_in.forbidden,
        "429": stand_in.busy,
        "no JSON": stand_in.garbage,
    },
)
async def test_a_read_that_fails_ends_the_action_as_there(
    bridge: Bridge, caller: Caller, fault: stand_in.Fault
) -> None:
    bridge.api.faults = [fault] * 2  # after a 401 the key gets a new token, and asks again
    id = await action(caller, "f", script=claim(OWN))
    await set_trigger(caller, id)
    with pytest.raises(ExecutionFailed) as failed:
        await bridge.zitadel.token(LOGIN)
    assert failed.value.status == 412
    assert failed.value.message.startswith("action 'f' failed: metadata of organisation 9000")
    await caller.get(
        management_pb2.UpdateActionRequest(id=id, name="f", script=claim(OWN), allowed_to_fail=True)
    )
    bridge.api.faults = [fault] * 2
    assert (await bridge.zitadel.token(LOGIN)).claims == LOGIN.userinfo


@cases(
    "faults, says",
    {
        "that can be read": ([], "read"),
        "that cannot": (
            [stand_in.forbidden],
            f"metadata of organisation {THERE}: ZITADEL answered 403: may the service account do"
            " this?",
        ),
    },
)
async def test_a_trial_reads_metadata_with_the_account(
    bridge: Bridge, caller: Caller, faults: list[stand_in.Fault], says: str
) -> None:
    bridge.api.faults = [*faults]
    (target,) = bridge.zitadel.executions["preuserinfo"]
    tried = await probe(target.endpoint, KEY, THERE)
    assert tried == ProbeAnswer(org_id=caller.org_id, metadata=says)
    assert tried.is_fine == (says == "read")


async def test_without_an_account_metadata_is_empty(
    bridge: Bridge, caller: Caller, owner: Caller
) -> None:
    await set_trigger(caller, await action(caller, "f", script=claim(OWN)))
    dropped = bridge_pb2.UpdateTargetRequest(target_id=bridge.id, drops_account=True)
    assert (await owner.get(dropped)).target.account_issuer == ""
    assert (await bridge.zitadel.token(LOGIN)).claims["x"] == {"k": [], "v": [], "c": 0}
    assert bridge.api.asked == []


async def test_the_credential_is_in_no_answer(bridge: Bridge, owner: Caller) -> None:
    change = bridge_pb2.UpdateTargetRequest(target_id=bridge.id)
    change.account.issuer, change.account.credential = bridge.api.url, TOKEN
    answers = [await owner.get(change), await owner.get(bridge_pb2.ListTargetsRequest())]
    assert TOKEN not in str(answers)
    assert answers[0].target.account_user_id == ""


async def test_an_account_that_does_not_fit_is_refused(
    bridge: Bridge, owner: Caller, protocol: str
) -> None:
    change = bridge_pb2.UpdateTargetRequest(target_id=bridge.id)
    change.account.issuer, change.account.credential = "http://zitadel.example", TOKEN
    answer = await owner.ask(protocol, change)
    assert answer.code == 3
    assert "TARGET-Ac7iv" in answer.message
