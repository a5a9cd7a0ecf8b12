"""A ZITADEL is connected: what is then on both sides, and what its logins get."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp
import pytest
from google.protobuf.message import Message

from actions.v1 import bridge_pb2, execution_pb2
from server.connecting.actions_api import ActionsApi
from server.connecting.connection import Connection
from server.connecting.errors import ConnectError
from server.connecting.plan import Plan
from server.connecting.probe import ProbeAnswer, probe
from server.connecting.removal import removal_of
from server.connecting.wanted import Wanted
from server.zitadel_client import zitadel_client
from tests.support.accounts import Accounts
from tests.support.api_client import ApiClient, Caller
from tests.support.prepared import action, set_trigger
from tests.support.real_server import RealServer
from tests.support.upstream_actions import FUNCTIONS, ActionsV2
from tests.support.upstream_api import TOKEN, Upstream, upstream
from tests.support.zitadel import USERS, ExecutionFailed, Login, Outcome, Target, Zitadel
from zitadel import management_pb2

THERE: Final = "900000000000000001"
LOGIN: Final = Login(user={"id": "1", "resource_owner": THERE, "username": "ada"})
SEEN: Final = "function f(ctx, api) { api.v1.claims.setClaim('seen', ctx.v1.getUser().username) }"

pytestmark = pytest.mark.timeout(120)


class Killed(Exception):
    """Ends a run as a signal would: nothing is done afterwards."""


@dataclass
class Life:
    """Counts changes of both sides; the one whose number it has is the last.

    Attributes:
        answers: False kills before the answer of the last change is there.
    """

    last: int = 1000
    answers: bool = True
    changes: list[str] = field(default_factory=list)

    def live(self, named: str) -> None:
        self.changes.append(named)
        if len(self.changes) >= self.last:
            raise Killed


class Sides:
    """Both sides, and how they are connected."""

    def __init__(self, there: Upstream, public_url: str, owner: Caller, org_id: str) -> None:
        self.there = there
        self.owner = owner
        self.wanted = Wanted(
            name=there.url.partition("://")[2],
            name_there="us",
            public_url=public_url,
            orgs={THERE: org_id},
        )

    @property
    def actions(self) -> ActionsV2:
        return self.there.actions_v2

    @asynccontextmanager
    async def connection(self, life: Life | None = None) -> AsyncIterator[Connection]:
        async def ask(request: Message) -> Message:
            answer: Message = await self.owner.get(request)
            if life is not None and not isinstance(request, bridge_pb2.ListTargetsRequest):
                life.live(request.DESCRIPTOR.name)
            return answer

        async with zitadel_client(self.there.url, TOKEN) as client:
            api = ActionsApi(client) if life is None else MortalApi(client, life)
            yield Connection(api, ask, probe)

    async def connect(
        self, life: Life | None = None, *, is_tested: bool = True, **changes: object
    ) -> Plan:
        wanted = replace(self.wanted, **changes)  # type: ignore[arg-type]
        async with self.connection(life) as connection:
            link, there = await connection.read(wanted.name, public_url=wanted.public_url)
            plan = await connection.plan(wanted, link, there)
            await connection.carry_out(plan, is_tested=is_tested)
        return plan

    async def disconnect(self, life: Life | None = None) -> None:
        async with self.connection(life) as connection:
            removal = removal_of(*await connection.read(self.wanted.name))
            await connection.disconnect(removal)

    async def target_here(self) -> bridge_pb2.Target | None:
        found = (await self.owner.get(bridge_pb2.ListTargetsRequest())).targets
        named = [target for target in found if target.name == self.wanted.name]
        assert len(named) < 2
        return named[0] if named else None

    async def state(self) -> object:
        """Returns all that a run may change, without ids, dates and keys."""
        here = await self.target_here()
        targets = {
            id: (number, target["name"], target["timeout"], target.get("restCall"))
            for number, (id, target) in enumerate(self.actions.targets.items())
        }
        lists = {at: [targets[id][0] for id in ids] for at, ids in self.actions.lists().items()}
        endpoints = {target["endpoint"] for target in self.actions.targets.values()}
        assert here is None or f"{self.wanted.public_url}/targets/{here.id}" in endpoints
        settings = here and (dict(here.orgs), here.has_signing_key, here.timeout.seconds)
        return settings, [*targets.values()], lists

    def calls_at(self, condition: dict[str, object]) -> list[Target]:
        """Returns the targets that ZITADEL calls at a condition."""
        targets = [
            self.actions.targets[id] for id in self.actions.executions[json.dumps(condition)]
        ]
        return [Target(target["endpoint"], (target["signingKey"],)) for target in targets]

    async def login(self, function: str = "preuserinfo") -> Outcome:
        async with aiohttp.ClientSession() as session:
            zitadel = Zitadel(session)
            targets = [self.actions.targets[id] for id in self.actions.called_at(function)]
            zitadel.executions[function] = [
                Target(
                    target["endpoint"],
                    (target["signingKey"],),
                    bool(target["restCall"]["interruptOnError"]),
                )
                for target in targets
            ]
            return await zitadel.token(LOGIN, function)


class MortalApi(ActionsApi):
    """The same API, in a life that ends."""

    def __init__(self, client: object, life: Life) -> None:
        super().__init__(client)  # type: ignore[arg-type]
        for name in ("create_target", "update_target", "new_key", "delete_target", "set_execution"):
            setattr(self, name, self._mortal(name, getattr(self, name), life))

    def _mortal(
        self, name: str, change: Callable[..., Awaitable[object]], life: Life
    ) -> Callable[..., Awaitable[object]]:
        async def changed(*arguments: object) -> object:
            answer = await change(*arguments)
            life.live(name)
            return answer

        return changed


@pytest.fixture
def server(on_sqlite: RealServer) -> RealServer:
    return on_sqlite


@pytest.fixture
async def owner(api: ApiClient, accounts: Accounts) -> Caller:
    org_id = await accounts.org()
    _, token = await accounts.token(await accounts.user(org_id, "IAM_OWNER"))
    return Caller(api, token, org_id)


@pytest.fixture
async def sides(server: RealServer, owner: Caller, caller: Caller) -> AsyncIterator[Sides]:
    async with upstream() as there:
        made = Sides(there, f"http://{server.http}", owner, caller.org_id)
        yield made
        await made.disconnect()


async def test_a_login_runs_the_actions_that_are_active_here(sides: Sides, caller: Caller) -> None:
    await sides.connect()
    id = await action(caller, "f", script=SEEN)
    await set_trigger(caller, id)
    assert (await sides.login()).claims == {"seen": "ada"}
    await caller.get(management_pb2.DeactivateActionRequest(id=id))
    assert (await sides.login()).claims == {}
    await caller.get(management_pb2.ReactivateActionRequest(id=id))
    assert (await sides.login()).claims == {"seen": "ada"}
    await set_trigger(caller, id, trigger="5")
    assert (await sides.login("preaccesstoken")).claims == {"seen": "ada"}


async def test_a_trial_says_what_would_run_and_runs_nothing(sides: Sides, caller: Caller) -> None:
    await sides.connect()
    names = ["b", "a", "off"]
    ids = [await action(caller, name, script=SEEN) for name in names]
    await set_trigger(caller, *ids)
    await set_trigger(caller, ids[1], flow="4", trigger="6")
    await caller.get(management_pb2.DeactivateActionRequest(id=ids[2]))
    async with sides.connection() as connection:
        (target,) = (await connection.api.read()).targets
        bound = await connection.tried(target, THERE)
        unbound = await connection.tried(target, "404")
    expected = {"2/4": ["b", "a"], "4/6": ["a"]}
    assert bound == ProbeAnswer(org_id=caller.org_id, actions=expected)
    assert unbound == ProbeAnswer()
    assert not (await caller.get(execution_pb2.ListRunsRequest())).runs


async def test_a_second_run_changes_nothing(sides: Sides) -> None:
    assert len((await sides.connect()).lines) == 6
    before, done = await sides.target_here(), [*sides.actions.done]
    assert (await sides.connect()).lines == []
    assert (await sides.target_here(), sides.actions.done) == (before, done)


async def test_a_run_that_ends_anywhere_is_completed_by_the_next(sides: Sides) -> None:
    sides.actions.calls_at("preuserinfo", sides.actions.add_target("of another"))
    life = Life()
    await sides.connect(life)
    whole = await sides.state()
    assert life.changes == [
        "CreateTargetRequest", "create_target", "UpdateTargetRequest", *["set_execution"] * 3
    ]  # fmt: skip
    for last in range(1, len(life.changes) + 1):
        await sides.disconnect()
        with pytest.raises(Killed):
            await sides.connect(Life(last))
        await sides.connect()
        assert await sides.state() == whole, last


async def test_a_target_whose_answer_was_lost_is_found_again(sides: Sides) -> None:
    form = {"restCall": {"interruptOnError": True}, "timeout": "10s"}
    for _ in range(2):
        with pytest.raises(Killed):
            await sides.connect(Life(1))
    here = await sides.target_here()
    assert here is not None
    endpoint = f"{sides.wanted.public_url}/targets/{here.id}"
    for _ in range(3):
        sides.actions.call("CreateTarget", {"name": "us", "endpoint": endpoint, **form})
    assert "which an interrupted run left" in "".join((await sides.connect()).lines)
    assert len(sides.actions.targets) == 1
    assert (await sides.login()).claims == {}


async def test_creations_run_actions_where_methods_call_the_target(
    sides: Sides, caller: Caller
) -> None:
    await sides.connect(has_login_v2=True)
    script = "function f(ctx, api) { api.setNickName('ours') }"
    await set_trigger(caller, await action(caller, "f", script=script), flow="3", trigger="2")
    method = f"{USERS}/AddHumanUser"
    async with aiohttp.ClientSession() as session:
        zitadel = Zitadel(session)
        zitadel.executions[f"request{method}"] = sides.calls_at({"request": {"method": method}})
        request = {"profile": {"givenName": "Ada", "familyName": "Lovelace"}}
        sent = await zitadel.requested(method, request, THERE)
    assert sent["profile"]["nickName"] == "ours"
    assert (await sides.connect(has_login_v2=True)).lines == []
    assert len(sides.actions.lists()) == 11
    await sides.disconnect()
    assert sides.actions.lists() == {}


async def test_targets_of_a_whole_service_are_not_lost(sides: Sides) -> None:
    service = '{"request": {"service": "zitadel.user.v2.UserService"}}'
    sides.actions.executions[service] = [sides.actions.add_target("of another")]
    before = sides.actions.lists()
    with pytest.raises(ConnectError, match="request AddHumanUser: ZITADEL calls targets at req"):
        await sides.connect(has_login_v2=True)
    assert (sides.actions.lists(), await sides.target_here()) == (before, None)


async def test_payloads_that_are_jwts_stay_so(sides: Sides, owner: Caller) -> None:
    await sides.connect()
    here = await sides.target_here()
    assert here is not None
    change = bridge_pb2.UpdateTargetRequest(
        target_id=here.id, payload_type=bridge_pb2.PAYLOAD_TYPE_JWT, issuer="https://z.example"
    )
    await owner.get(change)
    assert "payloads JWT" in "".join((await sides.connect()).lines)
    (target,) = sides.actions.targets.values()
    assert target["payloadType"] == "PAYLOAD_TYPE_JWT"
    before = await sides.target_here()
    assert (await sides.connect()).lines == []
    assert await sides.target_here() == before


async def test_targets_of_others_keep_their_places(sides: Sides) -> None:
    first, second = sides.actions.add_target("first"), sides.actions.add_target("second")
    sides.actions.calls_at("preuserinfo", first, second)
    sides.actions.executions['{"request": {"all": true}}'] = [second]
    before = (sides.actions.lists(), dict(sides.actions.targets))
    await sides.connect()
    (own,) = sides.actions.targets.keys() - {first, second}
    assert sides.actions.lists() == before[0] | {
        f'{{"function": {{"name": "{name}"}}}}': ids
        for name, ids in zip(FUNCTIONS, ([first, second, own], [own], [own]), strict=True)
    }
    sides.actions.calls_at("preuserinfo", first, own, second)
    assert (await sides.connect()).lines == []
    assert sides.actions.called_at("preuserinfo") == [first, own, second]
    await sides.disconnect()
    assert (sides.actions.lists(), sides.actions.targets) == before
    assert await sides.target_here() is None


async def test_a_disconnection_that_ends_anywhere_is_completed_by_the_next(sides: Sides) -> None:
    other = sides.actions.add_target("of another")
    sides.actions.calls_at("preuserinfo", other)
    before = (sides.actions.lists(), dict(sides.actions.targets))
    life = Life()
    await sides.connect()
    await sides.disconnect(life)
    assert life.changes == [*["set_execution"] * 3, "delete_target", "DeleteTargetRequest"]
    for last in range(1, len(life.changes) + 1):
        await sides.connect()
        with pytest.raises(Killed):
            await sides.disconnect(Life(last))
        await sides.disconnect()
        assert (sides.actions.lists(), sides.actions.targets) == before, last
        assert await sides.target_here() is None


async def test_a_key_that_is_another_is_stored_again(sides: Sides) -> None:
    await sides.connect()
    (target,) = sides.actions.targets.values()
    sides.actions.call("UpdateTarget", {"id": target["id"], "expirationSigningKey": "0s"})
    with pytest.raises(ExecutionFailed):
        await sides.login()
    assert (await sides.connect()).lines == ["store its signing key here"]
    assert (await sides.login()).claims == {}


async def test_a_target_that_calls_one_that_is_gone_is_taken_over(
    sides: Sides, owner: Caller
) -> None:
    await sides.connect()
    here = await sides.target_here()
    assert here is not None
    await owner.get(bridge_pb2.DeleteTargetRequest(target_id=here.id))
    with pytest.raises(ExecutionFailed):
        await sides.login()
    lists = sides.actions.lists()
    assert (await sides.connect()).lines[1].startswith("change target ")
    assert (sides.actions.lists(), len(sides.actions.targets)) == (lists, 1)
    assert (await sides.login()).claims == {}


async def test_keys_that_are_not_shown_are_renewed_until_functions_call(sides: Sides) -> None:
    sides.actions.shows_keys = False
    with pytest.raises(Killed):
        await sides.connect(Life(2))
    assert "have ZITADEL make a new signing key" in "".join((await sides.connect()).lines)
    assert (await sides.login()).claims == {}
    assert (await sides.connect()).lines == []


async def test_zitadel_calls_nothing_that_does_not_answer(sides: Sides) -> None:
    away = "http://127.0.0.1:1"
    with pytest.raises(ConnectError, match=r"POST http://127.0.0.1:1/targets/.*cannot connect: "):
        await sides.connect(public_url=away)
    assert sides.actions.lists() == {}
    await sides.connect(public_url=away, is_tested=False)
    assert len(sides.actions.lists()) == 3
    lines = (await sides.connect()).lines
    assert lines[0].startswith("change target ")
    assert lines[1:] == ["store its signing key here, if it is another"]
    assert (await sides.login()).claims == {}


async def test_another_site_at_the_public_url_is_told(sides: Sides) -> None:
    with pytest.raises(ConnectError, match="answered 404, expected 200 with a trial"):
        await sides.connect(public_url=f"{sides.wanted.public_url}/elsewhere")
    assert sides.actions.lists() == {}


async def test_another_service_at_the_public_url_is_told(sides: Sides) -> None:
    await sides.connect()
    async with sides.connection() as connection:
        (target,) = (await connection.api.read()).targets
        endpoint = f"{sides.wanted.public_url}/targets/404"
        answer = await connection.tried(replace(target, endpoint=endpoint))
    assert answer is not None
    assert answer.is_unproved
    assert answer.fault.startswith("answered 401: its signing key is another, it is not this")
