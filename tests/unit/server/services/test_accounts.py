"""AdminService over a real store, as commands call it: for the operator."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from actions.v1 import admin_pb2 as pb
from server import locale
from server.cli.admin_client import method_of
from server.commands.queue import CommandQueue
from server.domain.refusals import Refusal
from server.identity.caller import OPERATOR, Caller
from server.identity.tokens import hash_of
from server.ids import IdGenerator
from server.rpc.call_info import CALL, CallInfo
from server.sealing.key_ring import KeyRing
from server.services import account_messages, account_reads, accounts
from server.services.accounts import AccountsService
from server.services.targets import TargetAdministration
from server.store.engine import Store
from server.store.opening import open_store
from server.threads import ThreadPool
from tests.support.action_commands import create_action
from tests.support.tables import by_outcome

TEXTS: Final = locale.load("en")


class Instance:
    """The service and its queue."""

    def __init__(self, store: Store, threads: ThreadPool) -> None:
        self.queue = CommandQueue(store)
        self.caller = OPERATOR
        ids = IdGenerator(1)
        targets = TargetAdministration(
            store, self.queue, ids, KeyRing([], threads=threads), threads=threads
        )
        self.service = AccountsService(store, self.queue, ids, threads=threads, targets=targets)

    async def ask(self, request: Message) -> Any:
        before = CALL.set(CallInfo(caller=self.caller))
        try:
            return await getattr(self.service, method_of(request).name)(request, None)
        finally:
            CALL.reset(before)

    async def org(self, name: str) -> str:
        id: str = (await self.ask(pb.CreateOrgRequest(name=name))).org.id
        return id

    async def refusal(self, request: Message) -> str:
        with pytest.raises(Refusal) as caught:
            await self.ask(request)
        return TEXTS.text(caught.value.key, caught.value.values)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(tmp_path)
    yield store
    await store.close()


@pytest.fixture
async def instance(store: Store) -> AsyncIterator[Instance]:
    threads = ThreadPool("accounts", threads_max=1)
    instance = Instance(store, threads)
    async with instance.queue:
        yield instance
    threads.close()


async def an_org(instance: Instance, *, actions: int = 0) -> tuple[str, str]:
    """An organisation and its user, who has a token and is an owner of it."""
    org_id = await instance.org(f"with {actions}")
    made = await instance.ask(pb.CreateUserRequest(org_id=org_id, name="Ada"))
    user_id: str = made.user.id
    await instance.ask(pb.AddMemberRequest(org_id=org_id, user_id=user_id, roles=("ORG_OWNER",)))
    await instance.ask(pb.CreateTokenRequest(user_id=user_id))
    for number in range(actions):
        await instance.queue.execute(create_action(org_id, f"{org_id}-{number}", str(number)))
    return org_id, user_id


async def test_an_organisation_is_cleared_away_operation_by_operation(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_reads, "PURGED_AT_ONCE", 2)
    monkeypatch.setattr(accounts, "PURGES_MAX", 2)
    org_id, _ = await an_org(instance, actions=5)
    contents = pb.OrgContents(actions=5, users=1, members=1, tokens=1)
    told = pb.GetOrgContentsResponse(org_id=org_id, name="with 5", contents=contents)
    assert await instance.ask(pb.GetOrgContentsRequest(org_id=org_id)) == told
    await instance.ask(pb.RemoveOrgRequest(org_id=org_id))
    told.name = ""
    assert await instance.ask(pb.GetOrgContentsRequest(org_id=org_id)) == told
    cleared = [await instance.ask(pb.ClearOrgRequest(org_id=org_id)) for _ in range(4)]
    left = [[answer.contents.actions, answer.contents.users] for answer in cleared]
    assert left == [[1, 1], [0, 1], [0, 0], [0, 0]]
    assert all(answer.HasField("contents") for answer in cleared)


async def test_a_removal_that_was_stopped_goes_on(instance: Instance) -> None:
    async def listed() -> list[pb.Org]:
        return [*(await instance.ask(pb.ListAllOrgsRequest())).orgs]

    org_id, _ = await an_org(instance, actions=1)
    other_id = await instance.org("other")
    made, other = await listed()
    assert (made.state, other.state) == (pb.ORG_STATE_ACTIVE, pb.ORG_STATE_ACTIVE)
    await instance.ask(pb.RemoveOrgRequest(org_id=org_id))
    removed = pb.Org(id=org_id, state=pb.ORG_STATE_REMOVED, created_at=made.created_at)
    assert await listed() == [other, removed]
    await instance.ask(pb.RemoveOrgRequest(org_id=org_id))
    await instance.ask(pb.ClearOrgRequest(org_id=org_id))
    assert await listed() == [other]
    assert other.id == other_id
    for request in (pb.RemoveOrgRequest(org_id=org_id), pb.GetOrgContentsRequest(org_id=org_id)):
        assert await instance.refusal(request) == f"Organisation {org_id!r} not found"


async def test_nothing_is_cleared_away_of_an_organisation_that_lives(instance: Instance) -> None:
    org_id, _ = await an_org(instance)
    assert (
        await instance.refusal(pb.ClearOrgRequest(org_id=org_id))
        == f"Organisation {org_id!r} is not removed"
    )


async def test_users_of_a_removed_organisation_are_gone_at_once(instance: Instance) -> None:
    org_id, user_id = await an_org(instance)
    other_id = await instance.org("other")
    await instance.ask(pb.RemoveOrgRequest(org_id=org_id))
    for request in (
        pb.AddMemberRequest(org_id=other_id, user_id=user_id, roles=("IAM_OWNER",)),
        pb.CreateTokenRequest(user_id=user_id),
        pb.UpdateUserRequest(user_id=user_id, name="Bob"),
        pb.ListMembersRequest(user_id=user_id),
        pb.ListTokensRequest(user_id=user_id),
    ):
        assert await instance.refusal(request) == f"User {user_id!r} not found"


async def test_the_last_owner_of_the_instance_is_not_removed(instance: Instance) -> None:
    org_id, user_id = await an_org(instance)
    other_id, _ = await an_org(instance, actions=1)
    await instance.ask(pb.AddMemberRequest(org_id=other_id, user_id=user_id, roles=("IAM_OWNER",)))
    last = (
        "Organisation {!r} has the last IAM_OWNER: make a user of another one an IAM_OWNER there "
        "first (member add)"
    )
    for holding in (org_id, other_id):  # the user's, and the membership's
        assert await instance.refusal(pb.RemoveOrgRequest(org_id=holding)) == last.format(holding)
    third_id, third_user = await an_org(instance, actions=2)
    await instance.ask(
        pb.SetMemberRolesRequest(org_id=third_id, user_id=third_user, roles=("IAM_OWNER",))
    )
    await instance.ask(pb.RemoveOrgRequest(org_id=org_id))
    await instance.ask(pb.RemoveOrgRequest(org_id=other_id))
    assert await instance.refusal(pb.RemoveOrgRequest(org_id=third_id)) == last.format(third_id)


async def test_the_last_owner_of_the_instance_stays_one(instance: Instance) -> None:
    org_id, ada = await an_org(instance)
    _, bob = await an_org(instance, actions=1)
    roles = ("ORG_OWNER", "IAM_OWNER")
    await instance.ask(pb.SetMemberRolesRequest(org_id=org_id, user_id=ada, roles=roles))

    async def refused(user_id: str, *requests: Message) -> None:
        for request in requests:
            assert await instance.refusal(request) == (
                f"User {user_id!r} is the last IAM_OWNER: make another one first "
                "(member add, member set-roles)"
            )

    await refused(
        ada,
        pb.SetMemberRolesRequest(org_id=org_id, user_id=ada, roles=("ORG_OWNER",)),
        pb.RemoveMemberRequest(org_id=org_id, user_id=ada),
        pb.RemoveUserRequest(user_id=ada),
    )
    await instance.ask(pb.AddMemberRequest(org_id=org_id, user_id=bob, roles=roles))
    await instance.ask(pb.RemoveMemberRequest(org_id=org_id, user_id=ada))
    await refused(
        bob,
        pb.SetMemberRolesRequest(org_id=org_id, user_id=bob, roles=("ORG_OWNER",)),
        pb.RemoveUserRequest(user_id=bob),
    )
    await instance.ask(pb.RemoveUserRequest(user_id=ada))


async def test_a_role_in_an_organisation_that_ended_owns_nothing(instance: Instance) -> None:
    _, ada = await an_org(instance)
    other_id, bob = await an_org(instance, actions=1)
    third_id = await instance.org("third")
    await instance.ask(pb.SetMemberRolesRequest(org_id=other_id, user_id=bob, roles=("IAM_OWNER",)))
    await instance.ask(pb.AddMemberRequest(org_id=third_id, user_id=ada, roles=("IAM_OWNER",)))
    await instance.ask(pb.RemoveOrgRequest(org_id=third_id))
    assert "last IAM_OWNER" in await instance.refusal(
        pb.RemoveMemberRequest(org_id=other_id, user_id=bob)
    )
    await instance.ask(pb.RemoveUserRequest(user_id=ada))


async def test_where_nobody_owns_the_instance_any_organisation_may_go(instance: Instance) -> None:
    org_id, _ = await an_org(instance)
    await instance.ask(pb.RemoveOrgRequest(org_id=org_id))


async def test_the_operator_may_leave_out_the_only_organisation(instance: Instance) -> None:
    assert await instance.refusal(pb.ListUsersRequest()) == (
        "there is no organisation yet: org create NAME makes one"
    )
    org_id, user_id = await an_org(instance)
    (user,) = (await instance.ask(pb.ListUsersRequest())).users
    assert (user.id, user.org_id) == (user_id, org_id)
    await instance.org("other")
    assert await instance.refusal(pb.ListUsersRequest()) == (
        "there are 2 organisations: say which with --org"
    )


async def test_a_write_is_in_the_callers_organisation_and_has_its_id(
    instance: Instance, store: Store
) -> None:
    await instance.org("first")
    org_id = await instance.org("second")
    instance.caller = Caller("ada", org_id)
    made = await instance.ask(pb.CreateUserRequest(name="Bob"))
    assert made.user.org_id == org_id
    *_, added = await store.events()
    assert added.editor == "ada"


EXPIRIES: dict[str, dict[str, Timestamp]] = {
    "A token cannot expire in the past, got 1970-01-01T00:00:01.000002Z": {
        "past": Timestamp(seconds=1, nanos=2001)
    },
    f"Expected a time from the year 1 to 9999, got {1 << 62} s": {
        "beyond all years": Timestamp(seconds=1 << 62)
    },
    f"Expected a time from the year 1 to 9999, got {-(1 << 62)} s": {
        "before all years": Timestamp(seconds=-(1 << 62))
    },
    "Expected a time from the year 1 to 9999, got 253402300800 s": {
        "year 10000": Timestamp(seconds=253_402_300_800)
    },
    "Expected a time from the year 1 to 9999, got 2096-10-02T07:06:41.000000Z": {
        "more than a second of nanos": Timestamp(seconds=4_000_000_000, nanos=1_000_000_000)
    },
}


@by_outcome("expires_at, text", EXPIRIES)
async def test_a_token_expires_in_a_time_to_come(
    instance: Instance, expires_at: Timestamp, text: str
) -> None:
    _, user_id = await an_org(instance)
    request = pb.CreateTokenRequest(user_id=user_id, expires_at=expires_at)
    assert await instance.refusal(request) == text


async def test_a_secret_is_shown_once_and_found_by_its_hash(instance: Instance) -> None:
    _, user_id = await an_org(instance)
    expires_at = Timestamp(seconds=4_000_000_000, nanos=1_000)
    made = await instance.ask(
        pb.CreateTokenRequest(user_id=user_id, description="CI", expires_at=expires_at)
    )
    assert (made.token.description, made.token.expires_at) == ("CI", expires_at)
    listed = await instance.ask(pb.ListTokensRequest(user_id=user_id))
    assert made.token in listed.tokens
    assert made.secret not in str(listed)
    found = await instance.ask(pb.FindTokenRequest(secret_sha256=hash_of(made.secret)))
    assert found.token == made.token
    await instance.ask(pb.RevokeTokenRequest(token_id=made.token.id))
    found = await instance.ask(pb.FindTokenRequest(secret_sha256=hash_of(made.secret)))
    assert not found.HasField("token")


async def test_a_long_list_is_made_in_a_thread(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "INLINE_MAX_ROWS", 1)
    made_in = []
    make = account_messages.orgs_of

    def noticed(*args: Any) -> pb.ListAllOrgsResponse:
        made_in.append(threading.current_thread() is threading.main_thread())
        return make(*args)

    monkeypatch.setattr(account_messages, "orgs_of", noticed)
    await instance.org("one")
    await instance.ask(pb.ListAllOrgsRequest())
    await instance.org("two")
    assert len((await instance.ask(pb.ListAllOrgsRequest())).orgs) == 2
    assert made_in == [True, False]
