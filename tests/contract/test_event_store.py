"""The contract of event stores, which runs on each of `STORES`."""

import asyncio
from collections.abc import Callable, Collection

import pytest

from server.commands.actions import DeactivateAction, DeleteAction, ReactivateAction
from server.commands.batch import Batch
from server.commands.flows import ClearFlow, SetTriggerActions
from server.commands.machine_keys import CreateKey, DeleteKey
from server.commands.orgs import AddMember, CreateOrg, RemoveMember, RenameOrg, SetRoles
from server.commands.users import CreateToken, CreateUser, RemoveUser, RevokeToken, UpdateUser
from server.domain.action import EVENT_TYPES as ACTION_EVENTS
from server.domain.action import Action, ActionState
from server.domain.aggregates import (
    State,
    action_key,
    action_name,
    subject_name,
    user_key,
    user_name,
)
from server.domain.events import RecordedEvent
from server.domain.machine_key import KeyKind, MachineKey
from server.domain.org import Member, Org
from server.domain.user import Token, User
from server.store.engine import Store
from server.store.errors import StorageError
from server.store.log import NO_EVENT, EventsOf, LoadedFacts, Needs, Writes
from server.store.read_model import (
    ActionById,
    ActionsOf,
    AllOrgs,
    FirstOrg,
    FlowOf,
    MachineKeyById,
    MachineKeyByVerifier,
    MachineKeysOf,
    MemberOf,
    MembershipsOf,
    MembersOf,
    OrgById,
    OrgIdByName,
    SigningKeys,
    TokenByHash,
    TokenById,
    TokensOf,
    UserById,
    UserBySubject,
    UsersOf,
)
from server.store.signing_keys import SigningKey
from server.triggers import FlowType, TriggerType
from tests.contract.stores import an_action, commit, loaded, replayed
from tests.support.action_commands import create_orgless_action, update_action
from tests.support.clocks import NOON, SECOND, YEAR, HandClock
from tests.support.tables import cases

TOKEN, SAML = FlowType.CUSTOMISE_TOKEN, FlowType.CUSTOMISE_SAML_RESPONSE
PRE_USERINFO = TriggerType.PRE_USERINFO_CREATION
PRE_RESPONSE = TriggerType.PRE_SAML_RESPONSE_CREATION


def appended(sequence: int) -> Callable[[LoadedFacts], Writes]:
    """Append an event of one action, always with the same sequence."""

    def decide(loaded: LoadedFacts) -> Writes:
        position = loaded.position + 1
        event = RecordedEvent(
            position, "org", "action", "a", sequence, "action.changed", {}, "", loaded.now
        )
        return Writes([event], {}, [], {})

    return decide


class TestEventStore:
    async def test_new_store_is_empty_until_something_is_committed(self, store: Store) -> None:
        assert await store.last_event() == NO_EVENT
        await commit(store, an_action("1"))
        assert await store.last_event() != NO_EVENT

    async def test_action_is_read_back_as_it_was_decided(
        self, store: Store, clock: HandClock
    ) -> None:
        await commit(
            store,
            create_orgless_action(
                "org",
                "1",
                "Greet",
                "function Greet() {}",
                timeout_ns=7,
                allowed_to_fail=True,
                editor="editor",
            ),
        )
        clock.now += SECOND
        await commit(store, DeactivateAction("org", "1", "editor"))
        assert await store.read(ActionById("org", "1")) == Action(
            id="1",
            org_id="org",
            state=ActionState.INACTIVE,
            name="Greet",
            script="function Greet() {}",
            timeout_ns=7,
            allowed_to_fail=True,
            sequence=2,
            created_at=NOON,
            changed_at=NOON + SECOND,
            position=1,
        )

    async def test_actions_of_a_large_batch_are_loaded_and_changed(self, store: Store) -> None:
        ids = [f"{number:03}" for number in range(300)]
        await commit(store, *(an_action(action_id) for action_id in ids))
        await commit(store, *(DeactivateAction("org", action_id, "") for action_id in ids))
        page = await store.read(ActionsOf("org"))
        assert [action.id for action in page.items] == ids
        assert {(action.state, action.sequence) for action in page.items} == {
            (ActionState.INACTIVE, 2)
        }

    async def test_accounts_are_read_back_as_they_were_decided(self, store: Store) -> None:
        await commit(
            store,
            CreateOrg("o1", "Acme", ""),
            CreateUser("o1", "u1", "Ada", "", "de", "ada@issuer"),
            AddMember("o1", "u1", ("ORG_OWNER", "IAM_OWNER"), ""),
            CreateToken("o1", "u1", "t1", b"\x07" * 32, "laptop", NOON + SECOND, ""),
            CreateToken("o1", "u1", "t2", b"\x08" * 32, "", None, ""),
            CreateKey("o1", "u1", "k1", KeyKind.JSON, b"public", NOON + SECOND, ""),
            CreateKey("o1", "u1", "k2", KeyKind.CLIENT_SECRET, b"\x09" * 32, None, ""),
        )
        org = Org("o1", "Acme", 1, NOON, NOON, 1)
        user = User("u1", "o1", "Ada", "de", "ada@issuer", 1, NOON, NOON, 2)
        member = Member("o1:u1", "o1", "u1", ("ORG_OWNER", "IAM_OWNER"), 1, NOON, NOON, 3)
        expiring = Token("t1", "o1", "u1", b"\x07" * 32, "laptop", NOON + SECOND, 1, NOON, NOON, 4)
        lasting = Token("t2", "o1", "u1", b"\x08" * 32, "", None, 1, NOON, NOON, 5)
        assert await store.read(OrgById("o1")) == org
        assert await store.read(AllOrgs()) == [org]
        assert await store.read(UserById("u1")) == user
        assert await store.read(UserBySubject("ada@issuer")) == user
        assert await store.read(UsersOf("o1")) == [user]
        assert await store.read(MemberOf("o1", "u1")) == member
        assert await store.read(MembersOf("o1")) == [member]
        assert await store.read(MembershipsOf("u1")) == [member]
        assert await store.read(TokenById("t1")) == expiring
        assert await store.read(TokenByHash(b"\x08" * 32)) == lasting
        assert await store.read(TokensOf("u1")) == [expiring, lasting]
        pair = MachineKey("k1", "o1", "u1", "json", b"public", NOON + SECOND, 1, NOON, NOON, 6)
        secret = MachineKey("k2", "o1", "u1", "client_secret", b"\x09" * 32, None, 1, NOON, NOON, 7)
        assert await store.read(MachineKeyById("k1")) == pair
        assert await store.read(MachineKeyByVerifier(b"\x09" * 32)) == secret
        assert await store.read(MachineKeysOf("u1")) == [pair, secret]
        await commit(store, DeleteKey("k1", ""))
        assert await store.read(MachineKeyById("k1")) is None
        assert await store.read(MachineKeysOf("u1")) == [secret]

    async def test_absent_objects_are_none(self, store: Store) -> None:
        assert await store.read(ActionById("org", "1")) is None
        assert await store.read(OrgById("1")) is None
        assert await store.read(UserById("1")) is None
        assert await store.read(UserBySubject("1")) is None
        assert await store.read(MemberOf("1", "1")) is None
        assert await store.read(TokenById("1")) is None
        assert await store.read(TokenByHash(b"\x00" * 32)) is None

    async def test_the_first_organisation_is_the_oldest_that_lives(self, store: Store) -> None:
        assert await store.read(FirstOrg()) is None
        await commit(store, CreateOrg("o2", "Second", ""), CreateOrg("o1", "First", ""))
        first = await store.read(FirstOrg())
        assert first is not None
        assert first.id == "o2"

    async def test_an_organisation_is_found_by_its_name(self, store: Store) -> None:
        await commit(store, CreateOrg("o1", "Äcme", ""), CreateOrg("o2", "Other", ""))
        found = [
            await store.read(OrgIdByName(name)) for name in ("äCME", "Other", "Acme", "", "a\0")
        ]
        assert found == ["o1", "o2", None, None, None]
        await commit(store, RenameOrg("o1", "New", ""))
        assert await store.read(OrgIdByName("Äcme")) is None

    async def test_action_of_another_organisation_is_invisible(self, store: Store) -> None:
        await commit(store, an_action("1", org_id="org"), an_action("2", org_id="other"))
        assert await store.read(ActionById("other", "1")) is None
        page = await store.read(ActionsOf("other"))
        assert ([item.id for item in page.items], page.total) == (["2"], 1)

    async def test_removed_aggregates_are_gone_from_reads(self, store: Store) -> None:
        await commit(
            store,
            CreateOrg("o1", "Acme", ""),
            CreateUser("o1", "u1", "Ada", ""),
            AddMember("o1", "u1", ("ORG_OWNER",), ""),
            CreateToken("o1", "u1", "t1", b"\x07" * 32, "", None, ""),
            an_action("a1", org_id="o1"),
        )
        await commit(
            store,
            RemoveMember("o1", "u1", None, ""),
            RevokeToken("t1", ""),
            DeleteAction("o1", "a1", ""),
        )
        assert await store.read(MemberOf("o1", "u1")) is None
        assert await store.read(TokenByHash(b"\x07" * 32)) is None
        assert await store.read(ActionById("o1", "a1")) is None

    async def test_a_user_goes_with_its_memberships_and_tokens(self, store: Store) -> None:
        await commit(
            store,
            CreateOrg("o1", "Acme", ""),
            CreateOrg("o2", "Other", ""),
            *(CreateUser("o1", user, user, "", subject=user) for user in ("ada", "bob")),
            *(AddMember(org, "ada", ("ORG_OWNER",), "") for org in ("o1", "o2")),
            AddMember("o1", "bob", ("ORG_OWNER",), ""),
            CreateToken("o1", "bob", "t1", b"\x01" * 32, "", None, ""),
            CreateToken("o1", "ada", "t2", b"\x02" * 32, "", None, ""),
        )
        before = len(await store.events())
        await commit(
            store,
            CreateToken("o1", "ada", "t3", b"\x03" * 32, "", None, ""),
            RemoveUser("ada", None, ""),
        )
        assert [(event.type, event.aggregate_id) for event in await store.events(after=before)] == [
            ("token.added", "t3"),
            ("member.removed", "o1:ada"),
            ("member.removed", "o2:ada"),
            ("token.removed", "t2"),
            ("token.removed", "t3"),
            ("user.removed", "ada"),
        ]
        assert await store.read(UserById("ada")) is None
        assert await store.read(UserBySubject("ada")) is None
        assert await store.read(MembershipsOf("ada")) == []
        assert await store.read(TokensOf("ada")) == []
        assert [user.id for user in await store.read(UsersOf("o1"))] == ["bob"]
        assert [member.user_id for member in await store.read(MembersOf("o1"))] == ["bob"]
        assert [token.id for token in await store.read(TokensOf("bob"))] == ["t1"]

    async def test_a_subject_moves_from_user_to_user_in_one_batch(self, store: Store) -> None:
        await commit(
            store,
            CreateOrg("o", "Acme", ""),
            CreateUser("o", "ada", "Ada", "", subject="s"),
            CreateUser("o", "bob", "Bob", ""),
        )
        await commit(
            store,
            UpdateUser("o", "ada", None, None, "", ""),
            UpdateUser("o", "bob", "Ben", "de", "s", ""),
        )
        await commit(store, UpdateUser("o", "ada", "Bob", None, "S", ""))
        user = await store.read(UserBySubject("s"))
        assert user is not None
        assert (user.id, user.name, user.language, user.sequence) == ("bob", "Ben", "de", 2)
        assert await store.read(UserBySubject("")) is None
        names = [user_name("o", "Ben"), user_name("o", "Ada"), subject_name("s")]
        assert list((await loaded(store, Needs([], names))).names.values()) == ["bob", None, "bob"]

    async def test_events_are_read_in_commit_order_without_gaps(
        self, store: Store, clock: HandClock
    ) -> None:
        await commit(store, an_action("1", name="One"), an_action("2", name="Two"))
        clock.now += SECOND
        await commit(store, DeactivateAction("org", "1", "ada"))
        one: dict[str, str | bool] = {"name": "One", "allowedToFail": False}
        two: dict[str, str | bool] = {"name": "Two", "allowedToFail": False}
        assert await store.events() == [
            (1, "org", "action", "1", 1, "action.added", one, "editor", NOON),
            (2, "org", "action", "2", 1, "action.added", two, "editor", NOON),
            (3, "org", "action", "1", 2, "action.deactivated", {}, "ada", NOON + SECOND),
        ]

    async def test_events_are_read_from_a_position_on(self, store: Store) -> None:
        await commit(store, *(an_action(str(number)) for number in range(1, 6)))
        events = await store.events(after=2, limit=2)
        assert [event.position for event in events] == [3, 4]

    @cases(
        "first, last, types, limit, sequences",
        {
            "all": (1, 5, ACTION_EVENTS, 10, [5, 4, 3, 2, 1]),
            "some": (2, 3, ACTION_EVENTS, 10, [3, 2]),
            "one": (4, 4, ACTION_EVENTS, 10, [4]),
            "none": (3, 2, ACTION_EVENTS, 10, []),
            "beyond the last": (5, 900, ACTION_EVENTS, 10, [5]),
            "the newest of them": (1, 5, ACTION_EVENTS, 2, [5, 4]),
            "of a type": (1, 5, {"action.deactivated"}, 10, [4, 2]),
            "the newest of two types": (
                1,
                4,
                {"action.added", "action.reactivated"},
                1,
                [3],
            ),
            "of no type": (1, 5, set(), 10, []),
        },
    )
    async def test_events_of_one_aggregate_are_read_newest_first(
        self,
        store: Store,
        first: int,
        last: int,
        types: Collection[str],
        limit: int,
        sequences: list[int],
    ) -> None:
        await commit(store, an_action("1"), an_action("2"), an_action("10"))
        for _ in range(2):
            for id in ("2", "1", "10"):
                await commit(store, DeactivateAction("org", id, "ada"))
            for id in ("10", "1", "2"):
                await commit(store, ReactivateAction("org", id, "ada"))
        found = await store.events_of(EventsOf(action_key("1"), first, last, types, limit))
        assert [event.sequence for event in found] == sequences
        assert {(event.aggregate_type, event.aggregate_id) for event in found} <= {action_key("1")}

    async def test_events_of_one_aggregate_are_read_whole(self, store: Store) -> None:
        await commit(store, an_action("1", name="One"))
        found = await store.events_of(EventsOf(action_key("1"), 1, 1, ACTION_EVENTS, 1))
        assert found == await store.events()
        other_kind = EventsOf(user_key("1"), 1, 1, ACTION_EVENTS, 1)
        assert list(await store.events_of(other_kind)) == []

    async def test_times_follow_a_clock_that_is_set_back(
        self, store: Store, clock: HandClock
    ) -> None:
        clock.now += 10 * YEAR
        await commit(store, an_action("1"))
        clock.now -= 10 * YEAR
        await commit(store, an_action("2"), DeactivateAction("org", "1", ""))
        events = await store.events()
        assert [event.position for event in events] == [1, 2, 3]
        assert [event.created_at for event in events] == [NOON + 10 * YEAR, NOON, NOON]
        action = await store.read(ActionById("org", "1"))
        assert action is not None
        assert (action.created_at, action.changed_at) == (NOON + 10 * YEAR, NOON)
        page = await store.read(ActionsOf("org"))
        assert [item.id for item in page.items] == ["1", "2"]
        assert page.viewed_at == NOON

    async def test_loaded_says_what_lives_and_what_once_lived(self, store: Store) -> None:
        await commit(store, an_action("lives"), an_action("gone"))
        await commit(store, DeleteAction("org", "gone", ""))
        seen = await loaded(
            store,
            Needs(
                [action_key("lives"), action_key("gone"), action_key("never")],
                [action_name("org", "name of lives"), action_name("org", "name of gone")],
            ),
        )
        assert {key: state and state.id for key, state in seen.states.items()} == {
            ("action", "lives"): "lives",
            ("action", "gone"): None,
            ("action", "never"): None,
        }
        assert seen.sequences == {("action", "gone"): 2}
        assert seen.names == {
            ("action", "org", "name of lives"): "lives",
            ("action", "org", "name of gone"): None,
        }
        assert (seen.position, seen.now) == (3, NOON)

    async def test_aggregate_that_comes_again_goes_on_in_sequence(self, store: Store) -> None:
        await commit(store, CreateOrg("o", "Acme", ""), CreateUser("o", "u", "Ada", ""))
        await commit(store, AddMember("o", "u", ("ORG_OWNER",), ""))
        await commit(store, RemoveMember("o", "u", None, ""))
        await commit(store, AddMember("o", "u", ("IAM_OWNER",), ""))
        member = await store.read(MemberOf("o", "u"))
        assert member is not None
        assert (member.roles, member.sequence, member.position) == (("IAM_OWNER",), 3, 5)

    async def test_aggregate_that_comes_again_in_its_last_batch_goes_on_in_sequence(
        self, store: Store
    ) -> None:
        await commit(store, CreateOrg("o", "Acme", ""), CreateUser("o", "u", "Ada", ""))
        await commit(store, AddMember("o", "u", ("ORG_OWNER",), ""))
        await commit(
            store, RemoveMember("o", "u", None, ""), AddMember("o", "u", ("IAM_OWNER",), "")
        )
        member = await store.read(MemberOf("o", "u"))
        assert member is not None
        assert (member.roles, member.sequence, member.position) == (("IAM_OWNER",), 3, 5)

    async def test_name_moves_when_it_is_released_and_claimed_in_one_batch(
        self, store: Store
    ) -> None:
        await commit(store, an_action("1", name="Greet"))
        await commit(store, update_action("org", "1", "Wave"), an_action("2", name="gREET"))
        names = [action_name("org", "greet"), action_name("org", "wave")]
        assert (await loaded(store, Needs([], names))).names == {
            ("action", "org", "greet"): "2",
            ("action", "org", "wave"): "1",
        }

    async def test_exception_of_a_decision_is_raised_with_nothing_written(
        self, store: Store
    ) -> None:
        def decide(loaded: LoadedFacts) -> Writes:
            raise LookupError("no")

        with pytest.raises(LookupError):
            await store.commit(Needs([action_key("1")], []), decide)
        assert await store.last_event() == NO_EVENT
        await commit(store, an_action("1"))
        assert await store.read(ActionById("org", "1")) is not None

    async def test_batch_that_fails_in_storage_leaves_nothing(self, store: Store) -> None:
        """Its second name is taken: the event and the state before it go, too."""
        await commit(store, an_action("1", name="taken"))

        def decide(loaded: LoadedFacts) -> Writes:
            batch = Batch(loaded)
            command = an_action("2", name="free")
            batch.apply(command.decide(batch), editor="")
            writes = batch.writes()
            taken = {**writes.names_claimed, ("action", "org", "taken"): "2"}
            return Writes(writes.events, writes.states, [], taken)

        needs = Needs([action_key("2")], [action_name("org", "free")])
        with pytest.raises(StorageError):
            await store.commit(needs, decide)
        assert await store.read(ActionById("org", "2")) is None
        assert [event.position for event in await store.events()] == [1]
        assert (await loaded(store, needs)).names == {("action", "org", "free"): None}
        await commit(store, an_action("2", name="free"))
        assert [event.position for event in await store.events()] == [1, 2]

    async def test_one_of_64_writers_of_one_sequence_is_stored(self, store: Store) -> None:
        results = await asyncio.gather(
            *(store.commit(Needs([], []), appended(1)) for _ in range(64)), return_exceptions=True
        )
        assert [type(result) for result in results].count(StorageError) == 63
        assert results.count(None) == 1
        assert len(await store.events()) == 1

    async def test_reader_of_the_tail_misses_no_event(self, store: Store) -> None:
        async def write(writer: int) -> None:
            for number in range(15):
                await commit(store, an_action(f"{writer}-{number}"))

        seen: list[int] = []
        async with asyncio.timeout(30), asyncio.TaskGroup() as writers:
            for writer in range(8):
                writers.create_task(write(writer))
            while len(seen) < 120:
                events = await store.events(after=seen[-1] if seen else 0, limit=7)
                seen.extend(event.position for event in events)
        assert seen == list(range(1, 121))

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("'; DROP TABLE events; --", id="SQL"),
            pytest.param('["1"]', id="JSON"),
            pytest.param("İ ß \u1e9e Ω 日本 🙂", id="letters that fold to more than one"),
            pytest.param("a\u0301 \u00e1", id="two normal forms"),
            pytest.param("%_\\", id="wildcards"),
            pytest.param("a\0b", id="NUL"),
        ],
    )
    async def test_any_text_is_kept_as_it_is(self, store: Store, text: str) -> None:
        org = editor = text.replace("\0", "")  # ids have no NUL character
        action_id = f"id {org}"
        await commit(
            store, create_orgless_action(org, action_id, f"name {text}", text, editor=editor)
        )
        action = await store.read(ActionById(org, action_id))
        assert action is not None
        assert (action.org_id, action.name, action.script) == (org, f"name {text}", text)
        await commit(store, DeactivateAction(org, action_id, editor))
        names = [action_name(org, f"NAME {text}")]
        assert list((await loaded(store, Needs([], names))).names.values()) == [action_id]
        (created, _) = await store.events()
        assert (created.text("name"), created.editor) == (f"name {text}", editor)

    async def test_64_bit_numbers_are_kept(self, store: Store) -> None:
        await commit(store, create_orgless_action("org", "1", "n", timeout_ns=2**80))
        action = await store.read(ActionById("org", "1"))
        assert action is not None
        assert action.timeout_ns == 9_223_372_036_854_775_807

    async def test_replaying_all_events_gives_the_stored_state(self, store: Store) -> None:
        await commit(store, CreateOrg("o", "Acme", ""), CreateUser("o", "u", "Ada", ""))
        await commit(
            store,
            AddMember("o", "u", ("ORG_OWNER",), ""),
            CreateToken("o", "u", "t1", b"\x01" * 32, "one", 2 * NOON, ""),
            CreateToken("o", "u", "t2", b"\x02" * 32, "two", None, ""),
        )
        await commit(
            store,
            RenameOrg("o", "Acme Inc", ""),
            UpdateUser("o", "u", None, "de", "ada@issuer", ""),
            SetRoles("o", "u", ("IAM_OWNER", "ORG_OWNER"), None, ""),
            CreateUser("o", "v", "Bob", ""),
            AddMember("o", "v", ("ORG_OWNER",), ""),
            RemoveUser("v", None, ""),
        )
        await commit(store, RevokeToken("t1", ""), *(an_action(n, org_id="o") for n in "1234"))
        await commit(
            store,
            DeactivateAction("o", "1", ""),
            DeactivateAction("o", "2", ""),
            SetTriggerActions("o", TOKEN, PRE_USERINFO, ("1", "2", "3"), ""),
            SetTriggerActions("o", SAML, PRE_RESPONSE, ("2",), ""),
            ClearFlow("o", SAML, ""),
            DeleteAction("o", "2", ""),
            update_action(
                "o", "3", "renamed", "script", timeout_ns=20_000_000_000, allowed_to_fail=True
            ),
        )
        living = await replayed(store)
        stored: list[State] = [
            *await store.read(AllOrgs()),
            *await store.read(UsersOf("o")),
            *await store.read(MembersOf("o")),
            *await store.read(TokensOf("u")),
            *(await store.read(ActionsOf("o"))).items,
        ]
        for type in FlowType:
            flow_read = await store.read(FlowOf("o", type))
            if flow_read.flow is not None:
                stored.append(flow_read.flow)
        assert sorted(living, key=repr) == sorted(stored, key=repr)

    async def test_a_published_key_is_read_until_one_is_published_after_it_expired(
        self, store: Store
    ) -> None:
        first, second = SigningKey("b", b"1", NOON), SigningKey("a", b"2", NOON + SECOND)
        await store.publish_signing_key(first, now=NOON)
        await store.publish_signing_key(second, now=NOON)
        assert await store.read(SigningKeys()) == [second, first]
        third = SigningKey("c", b"3", NOON + 2 * SECOND)
        await store.publish_signing_key(third, now=NOON + 1)
        assert await store.read(SigningKeys()) == [second, third]

    async def test_each_process_claims_another_machine_id(self, store: Store) -> None:
        first, second = await store.claim_machine_id(), await store.claim_machine_id()
        assert first != second
        assert 0 <= first < 65536
