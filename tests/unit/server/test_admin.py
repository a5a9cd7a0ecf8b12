"""Admin operations over a real store: the removal of an organisation, in parts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server import admin as module
from server import locale
from server.admin import Admin
from server.commands.actions import CreateAction
from server.commands.queue import CommandQueue
from server.ids import IdGenerator
from server.operations import (
    AddMember,
    AdminError,
    ClearOrg,
    CreateOrg,
    CreateToken,
    CreateUser,
    ListMembers,
    ListOrgs,
    ListTokens,
    Operation,
    OrgContents,
    RemoveMember,
    RemoveOrg,
    RemoveUser,
    SetRoles,
    UpdateUser,
)
from server.store.engine import Store
from server.store.opening import open_store


class Instance:
    """An admin and its queue."""

    def __init__(self, store: Store) -> None:
        self.queue = CommandQueue(store)
        self.admin = Admin(store, self.queue, IdGenerator(1), locale.load("en"))

    async def made(self, operation: Operation) -> str:
        (row,) = await self.admin.perform(operation)
        assert isinstance(row["id"], str)
        return row["id"]

    async def refusal(self, operation: Operation) -> str:
        with pytest.raises(AdminError) as caught:
            await self.admin.perform(operation)
        return str(caught.value)


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[Instance]:
    store = await open_store(tmp_path)
    instance = Instance(store)
    async with instance.queue:
        yield instance
    await store.close()


async def an_org(instance: Instance, *, actions: int = 0) -> tuple[str, str]:
    """An organisation and its user, who has a token and is an owner of it."""
    org_id = await instance.made(CreateOrg(f"with {actions}"))
    user_id = await instance.made(CreateUser("Ada", org_id))
    await instance.admin.perform(AddMember(user_id, ("ORG_OWNER",), org_id))
    await instance.admin.perform(CreateToken(user_id))
    for number in range(actions):
        await instance.queue.execute(
            CreateAction(org_id, f"{org_id}-{number}", str(number), "", 0, False, "")
        )
    return org_id, user_id


async def test_an_organisation_is_cleared_away_operation_by_operation(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLEARED_AT_ONCE", 2)
    monkeypatch.setattr(module, "CLEARINGS_MAX", 2)
    org_id, _ = await an_org(instance, actions=5)
    contents = {"id": org_id, "name": "with 5"}
    counts = {"actions": 5, "users": 1, "members": 1, "tokens": 1}
    assert await instance.admin.perform(OrgContents(org_id)) == [{**contents, **counts}]
    assert await instance.admin.perform(RemoveOrg(org_id)) == []
    assert await instance.admin.perform(OrgContents(org_id)) == [{**contents, "name": "", **counts}]
    left = [await instance.admin.perform(ClearOrg(org_id)) for _ in range(4)]
    assert [[row["actions"], row["users"]] for (row,) in left] == [[1, 1], [0, 1], [0, 0], [0, 0]]


async def test_a_removal_that_was_stopped_goes_on(instance: Instance) -> None:
    org_id, _ = await an_org(instance, actions=1)
    other_id = await instance.made(CreateOrg("other"))
    made, other = await instance.admin.perform(ListOrgs())
    assert (made["state"], other["state"]) == ("active", "active")
    await instance.admin.perform(RemoveOrg(org_id))
    removed = {**made, "name": "", "state": "removed"}
    assert await instance.admin.perform(ListOrgs()) == [other, removed]
    await instance.admin.perform(RemoveOrg(org_id))
    await instance.admin.perform(ClearOrg(org_id))
    assert await instance.admin.perform(ListOrgs()) == [other]
    assert other["id"] == other_id
    for operation in (RemoveOrg(org_id), OrgContents(org_id)):
        assert await instance.refusal(operation) == f"Organisation {org_id!r} not found"


async def test_nothing_is_cleared_away_of_an_organisation_that_lives(instance: Instance) -> None:
    org_id, _ = await an_org(instance)
    assert await instance.refusal(ClearOrg(org_id)) == f"Organisation {org_id!r} is not removed"


async def test_users_of_a_removed_organisation_are_gone_at_once(instance: Instance) -> None:
    org_id, user_id = await an_org(instance)
    other_id = await instance.made(CreateOrg("other"))
    await instance.admin.perform(RemoveOrg(org_id))
    for operation in (
        AddMember(user_id, ("IAM_OWNER",), other_id),
        CreateToken(user_id),
        UpdateUser(user_id, name="Bob"),
        ListMembers(user_id=user_id),
        ListTokens(user_id),
    ):
        assert await instance.refusal(operation) == f"User {user_id!r} not found"


async def test_the_last_owner_of_the_instance_is_not_removed(instance: Instance) -> None:
    org_id, user_id = await an_org(instance)
    other_id, _ = await an_org(instance, actions=1)
    await instance.admin.perform(AddMember(user_id, ("IAM_OWNER",), other_id))
    last = (
        "Organisation {!r} has the last IAM_OWNER: make a user of another one an IAM_OWNER there "
        "first (member add)"
    )
    for holding in (org_id, other_id):  # the user's, and the membership's
        assert await instance.refusal(RemoveOrg(holding)) == last.format(holding)
    third_id, third_user = await an_org(instance, actions=2)
    await instance.admin.perform(SetRoles(third_user, ("IAM_OWNER",), third_id))
    assert await instance.admin.perform(RemoveOrg(org_id)) == []
    assert await instance.admin.perform(RemoveOrg(other_id)) == []
    assert await instance.refusal(RemoveOrg(third_id)) == last.format(third_id)


async def test_the_last_owner_of_the_instance_stays_one(instance: Instance) -> None:
    org_id, ada = await an_org(instance)
    _, bob = await an_org(instance, actions=1)
    roles = ("ORG_OWNER", "IAM_OWNER")
    await instance.admin.perform(SetRoles(ada, roles, org_id))

    async def refused(user_id: str, *operations: Operation) -> None:
        for operation in operations:
            assert await instance.refusal(operation) == (
                f"User {user_id!r} is the last IAM_OWNER: make another one first "
                "(member add, member set-roles)"
            )

    await refused(
        ada, SetRoles(ada, ("ORG_OWNER",), org_id), RemoveMember(ada, org_id), RemoveUser(ada)
    )
    await instance.admin.perform(AddMember(bob, roles, org_id))
    assert await instance.admin.perform(RemoveMember(ada, org_id)) == []
    await refused(bob, SetRoles(bob, ("ORG_OWNER",), org_id), RemoveUser(bob))
    assert await instance.admin.perform(RemoveUser(ada)) == []


async def test_a_role_in_an_organisation_that_ended_owns_nothing(instance: Instance) -> None:
    _, ada = await an_org(instance)
    other_id, bob = await an_org(instance, actions=1)
    third_id = await instance.made(CreateOrg("third"))
    await instance.admin.perform(SetRoles(bob, ("IAM_OWNER",), other_id))
    await instance.admin.perform(AddMember(ada, ("IAM_OWNER",), third_id))
    await instance.admin.perform(RemoveOrg(third_id))
    assert "last IAM_OWNER" in await instance.refusal(RemoveMember(bob, other_id))
    assert await instance.admin.perform(RemoveUser(ada)) == []


async def test_where_nobody_owns_the_instance_any_organisation_may_go(instance: Instance) -> None:
    org_id, _ = await an_org(instance)
    assert await instance.admin.perform(RemoveOrg(org_id)) == []
