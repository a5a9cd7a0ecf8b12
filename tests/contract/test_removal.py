"""Every event store keeps only the events of a removed organisation."""

import pytest

from server.commands.actions import CreateAction, DeleteAction
from server.commands.base import Command
from server.commands.flows import ClearFlow, SetTriggerActions
from server.commands.machine_keys import CreateKey
from server.commands.orgs import AddMember, CreateOrg, RemoveMember, SetRoles
from server.commands.owners import RemainingOwner
from server.commands.removal import PurgeOrg, RemoveOrg
from server.commands.users import CreateToken, CreateUser, RemoveUser, UpdateUser
from server.domain.aggregates import (
    Key,
    action_key,
    action_name,
    machine_key_key,
    member_key,
    org_name,
    subject_name,
    token_key,
    user_key,
    user_name,
)
from server.domain.machine_key import KeyKind
from server.domain.refusals import Refusal
from server.store.engine import Store
from server.store.log import Needs
from server.store.read_model import (
    NO_FOOTPRINT,
    ActionsOf,
    ActiveActions,
    AllOrgs,
    EndedOrg,
    EndedOrgs,
    FlowOf,
    Footprint,
    InstanceOwners,
    MachineKeysOf,
    MemberOf,
    MembershipsOf,
    MembersOf,
    OrgById,
    OrgFootprint,
    OrgRemains,
    TokenByHash,
    TokensOf,
    UsersOf,
)
from server.triggers import FlowType, TriggerType
from tests.contract.stores import commit, loaded, replayed
from tests.support.action_commands import create_action

TOKEN, PRE_USERINFO = FlowType.CUSTOMISE_TOKEN, TriggerType.PRE_USERINFO_CREATION


def an_action(action_id: str, org_id: str) -> CreateAction:
    return create_action(org_id, action_id, f"name of {action_id}")


async def filled(store: Store) -> None:
    """Acme with its user Ada, who is a member elsewhere; Other with Bob, who is one of Acme."""
    await commit(
        store,
        CreateOrg("acme", "Acme", ""),
        CreateOrg("other", "Other", ""),
        CreateUser("acme", "ada", "Ada", "", subject="ada@issuer"),
        CreateUser("other", "bob", "Bob", ""),
        *(AddMember(org, user, ROLES, "") for org in ("acme", "other") for user in USERS),
        CreateToken("acme", "ada", "t1", b"\x01" * 32, "", None, ""),
        CreateToken("other", "bob", "t2", b"\x02" * 32, "", None, ""),
        CreateKey("acme", "ada", "k1", KeyKind.JSON, b"public", None, ""),
        *(an_action(id, "acme") for id in "123"),
        an_action("9", "other"),
        SetTriggerActions("acme", TOKEN, PRE_USERINFO, ("1", "2"), ""),
        SetTriggerActions("other", TOKEN, PRE_USERINFO, ("9",), ""),
    )


USERS = ("ada", "bob")
ROLES = ("IAM_OWNER",)


async def owner(store: Store, org_id: str, user_id: str, home: str) -> RemainingOwner:
    member = await store.read(MemberOf(org_id, user_id))
    assert member is not None
    return RemainingOwner(member, home)


async def end(store: Store) -> None:
    await commit(store, RemoveOrg("acme", await owner(store, "other", "bob", "other"), ""))


async def some(store: Store, limit: int) -> tuple[Key, ...]:
    return tuple(await store.read(OrgRemains("acme", limit=limit, chars_max=1000)))


async def clear(store: Store, *, at_once: int) -> list[list[Key]]:
    """Clear all away; what went with each command."""
    parts: list[list[Key]] = []
    while keys := await some(store, at_once):
        parts.append([*keys])
        await commit(store, PurgeOrg("acme", keys, ""))
    return parts


class TestRemoval:
    async def test_a_removed_organisation_is_gone_at_once_and_its_flows_too(
        self, store: Store
    ) -> None:
        await filled(store)
        before = len(await store.events())
        await end(store)
        (event,) = await store.events(after=before)
        assert (event.type, event.org_id, event.sequence) == ("org.removed", "acme", 3)
        assert await store.read(OrgById("acme")) is None
        assert (await store.read(FlowOf("acme", TOKEN))).flow is None
        assert await store.read(ActiveActions("acme", TOKEN, PRE_USERINFO)) == []
        assert (await store.read(FlowOf("other", TOKEN))).flow is not None
        names = (await loaded(store, Needs([], [org_name("ACME")]))).names
        assert list(names.values()) == [None]

    async def test_a_removed_organisation_is_listed_until_it_is_purged(self, store: Store) -> None:
        await filled(store)
        created = [org.created_at for org in await store.read(AllOrgs())]
        assert await store.read(EndedOrgs()) == []
        await end(store)
        while keys := await some(store, 1):
            assert await store.read(EndedOrgs()) == [EndedOrg("acme", created[0])]
            await commit(store, PurgeOrg("acme", keys, ""))
        assert await store.read(EndedOrgs()) == []

    @pytest.mark.parametrize("at_once", [1, 2, 100])
    async def test_the_rest_of_a_removed_organisation_is_purged_in_parts(
        self, store: Store, at_once: int
    ) -> None:
        await filled(store)
        assert await store.read(OrgFootprint("acme")) == Footprint(
            actions=3, users=1, members=3, tokens=1, keys=1
        )
        await end(store)
        parts = await clear(store, at_once=at_once)
        assert max(map(len, parts)) <= at_once
        assert [key for part in parts for key in part] == [
            *map(action_key, "123"),
            token_key("t1"),
            machine_key_key("k1"),
            *map(member_key, ("acme:ada", "acme:bob", "other:ada")),
            user_key("ada"),
        ]
        assert await store.read(OrgFootprint("acme")) == NO_FOOTPRINT
        assert (await store.read(ActionsOf("acme"))).total == 0
        assert await store.read(MembershipsOf("ada")) == []
        assert await store.read(TokenByHash(b"\x01" * 32)) is None
        named = [
            action_name("acme", "name of 1"),
            user_name("acme", "Ada"),
            subject_name("ada@issuer"),
        ]
        assert [*(await loaded(store, Needs([], named))).names.values()] == [None, None, None]
        assert await store.read(OrgFootprint("other")) == Footprint(
            actions=1, users=1, members=1, tokens=1, keys=0
        )

    @pytest.mark.parametrize(
        ("chars_max", "ids"),
        [
            pytest.param(0, ["0"], id="one, however long"),
            pytest.param(99, ["0"], id="less than two"),
            pytest.param(100, ["0", "1"], id="just two"),
            pytest.param(1000, ["0", "1", "2"], id="all"),
        ],
    )
    async def test_a_part_has_so_much_script(
        self, store: Store, chars_max: int, ids: list[str]
    ) -> None:
        created = (create_action("acme", id, id, "x" * 50) for id in "012")
        await commit(store, CreateOrg("acme", "Acme", ""), *created)
        keys = await store.read(OrgRemains("acme", limit=100, chars_max=chars_max))
        assert [*keys] == [*map(action_key, ids)]

    @pytest.mark.parametrize("parts", [0, 1, 3, 100])
    async def test_the_stored_state_follows_from_the_events_wherever_it_stops(
        self, store: Store, parts: int
    ) -> None:
        await filled(store)
        await end(store)
        for _ in range(parts):
            keys = await some(store, 2)
            if keys:
                await commit(store, PurgeOrg("acme", keys, ""))
        stored: list[object] = [*await store.read(AllOrgs())]
        for org_id in ("acme", "other"):
            stored += await store.read(UsersOf(org_id))
            stored += await store.read(MembersOf(org_id))
            stored += (await store.read(ActionsOf(org_id))).items
            flow = (await store.read(FlowOf(org_id, TOKEN))).flow
            stored += [] if flow is None else [flow]
        for user_id in USERS:
            stored += await store.read(TokensOf(user_id))
            stored += await store.read(MachineKeysOf(user_id))
        assert sorted(stored, key=repr) == sorted(await replayed(store), key=repr)

    async def test_nothing_is_made_in_an_organisation_that_ended(self, store: Store) -> None:
        await filled(store)
        await end(store)
        before = len(await store.events())
        for command in (
            an_action("4", "acme"),
            CreateUser("acme", "eve", "Eve", ""),
            AddMember("acme", "bob", ("ORG_OWNER",), ""),
            SetTriggerActions("acme", TOKEN, PRE_USERINFO, ("3",), ""),
        ):
            with pytest.raises(Refusal, match=r"Errors\.Org\.NotFound"):
                await commit(store, command)
        with pytest.raises(Refusal, match=r"Errors\.Flow\.Empty"):
            await commit(store, ClearFlow("acme", TOKEN, ""))
        assert await store.events(after=before) == []

    @pytest.mark.parametrize(
        "command",
        [
            CreateToken("acme", "ada", "t3", b"\x03" * 32, "", None, ""),
            CreateKey("acme", "ada", "k3", KeyKind.JSON, b"other", None, ""),
            UpdateUser("acme", "ada", "Bea", None, None, ""),
        ],
    )
    async def test_a_user_is_gone_in_the_batch_that_ends_its_organisation(
        self, store: Store, command: Command[object]
    ) -> None:
        await filled(store)
        bob = await owner(store, "other", "bob", "other")
        with pytest.raises(Refusal, match=r"Errors\.User\.NotFound"):
            await commit(store, RemoveOrg("acme", bob, ""), command)

    async def test_a_creation_in_the_batch_of_the_removal_is_refused(self, store: Store) -> None:
        await filled(store)
        bob = await owner(store, "other", "bob", "other")
        with pytest.raises(Refusal, match="COMMAND-Ac4no"):
            await commit(store, RemoveOrg("acme", bob, ""), an_action("4", "acme"))

    async def test_a_purge_goes_on_when_callers_delete_parts_meanwhile(self, store: Store) -> None:
        await filled(store)
        await end(store)
        keys = await some(store, 100)
        await commit(store, DeleteAction("acme", "2", "ada"))
        await commit(store, PurgeOrg("acme", keys, ""))
        types = [event.type for event in await store.events()]
        assert types.count("action.removed") == 3
        assert types[-3:] == ["action.removed"] * 3

    async def test_memberships_and_tokens_made_during_a_removal_go_with_the_user(
        self, store: Store
    ) -> None:
        await filled(store)
        await end(store)
        await commit(store, CreateOrg("third", "Third", ""), AddMember("third", "ada", ROLES, ""))
        await commit(store, PurgeOrg("acme", (user_key("ada"), token_key("t1")), ""))
        assert await store.read(TokensOf("ada")) == []
        assert await store.read(MachineKeysOf("ada")) == []
        assert await store.read(MembershipsOf("ada")) == []
        types = [event.type for event in await store.events()]
        assert types.count("member.removed") == 3
        assert types[-1] == "user.removed"

    async def test_nothing_of_an_organisation_that_lives_is_cleared_away(
        self, store: Store
    ) -> None:
        await filled(store)
        with pytest.raises(Refusal, match="COMMAND-Wx8nr"):
            await commit(store, PurgeOrg("acme", (action_key("1"),), ""))

    async def test_the_owner_who_was_to_stay_has_to_stay(self, store: Store) -> None:
        await filled(store)
        assert {member.id for member in await store.read(InstanceOwners())} == {
            f"{org}:{user}" for org in ("acme", "other") for user in USERS
        }
        bob = await owner(store, "other", "bob", "other")
        for lost in (
            await owner(store, "other", "ada", "acme"),
            await owner(store, "acme", "bob", "other"),
        ):
            with pytest.raises(Refusal, match="COMMAND-Wx6lo"):
                await commit(store, RemoveOrg("acme", lost, ""))
        for first in (
            SetRoles("other", "bob", ("ORG_OWNER",), None, ""),
            RemoveMember("other", "bob", None, ""),
            RemoveUser("bob", None, ""),
            RemoveOrg("other", None, ""),
        ):
            with pytest.raises(Refusal, match="COMMAND-Wx6lo"):
                await commit(store, first, RemoveOrg("acme", bob, ""))
        assert len(await store.read(AllOrgs())) == 2

    async def test_one_of_two_owners_removed_at_once_stays(self, store: Store) -> None:
        await filled(store)
        await commit(
            store,
            *(
                RemoveMember(org, user, None, "")
                for org, user in (("acme", "bob"), ("other", "ada"))
            ),
        )
        ada, bob = (
            await owner(store, "acme", "ada", "acme"),
            await owner(store, "other", "bob", "other"),
        )
        for second in (
            SetRoles("other", "bob", ("ORG_OWNER",), ada, ""),
            RemoveMember("other", "bob", ada, ""),
            RemoveUser("bob", ada, ""),
        ):
            for first in (
                SetRoles("acme", "ada", ("ORG_OWNER",), bob, ""),
                RemoveMember("acme", "ada", bob, ""),
                RemoveUser("ada", bob, ""),
                RemoveOrg("acme", bob, ""),
            ):
                with pytest.raises(Refusal, match=r"Errors\.Member\.LastOwner"):
                    await commit(store, first, second)
        assert {member.id for member in await store.read(InstanceOwners())} == {
            "acme:ada",
            "other:bob",
        }
