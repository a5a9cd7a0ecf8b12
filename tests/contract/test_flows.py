"""Every event store keeps flows alike."""

import pytest

from server.commands.actions import DeactivateAction, DeleteAction, ReactivateAction
from server.commands.flows import ClearFlow, SetTriggerActions
from server.commands.orgs import CreateOrg
from server.domain.aggregates import org_key
from server.domain.events import JSON, RecordedEvent
from server.domain.flow import Flow
from server.domain.refusals import Refusal
from server.store.engine import Store
from server.store.log import Needs
from server.store.read_model import ActiveActions, FlowOf, OrgById
from server.triggers import FlowType, TriggerType
from tests.contract.stores import an_action, commit, loaded, replayed
from tests.support.action_commands import create_orgless_action
from tests.support.clocks import NOON, SECOND, HandClock

TOKEN, LOGIN = FlowType.CUSTOMISE_TOKEN, FlowType.INTERNAL_AUTHENTICATION
PRE_USERINFO, PRE_ACCESS = TriggerType.PRE_USERINFO_CREATION, TriggerType.PRE_ACCESS_TOKEN_CREATION
POST_AUTH = TriggerType.POST_AUTHENTICATION


def set_(
    *ids: str, type: FlowType = TOKEN, trigger: TriggerType = PRE_USERINFO, org_id: str = "org"
) -> SetTriggerActions:
    return SetTriggerActions(org_id, type, trigger, ids, "ada")


async def filled(store: Store) -> None:
    await commit(store, CreateOrg("org", "Acme", ""), *(an_action(id) for id in "123"))


class TestFlows:
    async def test_flow_is_read_back_as_it_was_set(self, store: Store, clock: HandClock) -> None:
        await filled(store)
        await commit(store, set_("2", "1"))
        clock.now += SECOND
        await commit(store, set_("3", trigger=PRE_ACCESS), set_("1", type=LOGIN, trigger=POST_AUTH))
        read = await store.read(FlowOf("org", TOKEN))
        assert read.flow == Flow(
            id="org:2",
            org_id="org",
            type=TOKEN,
            triggers=((4, ("2", "1")), (5, ("3",))),
            last_set=((4, ("2", "1")), (5, ("3",))),
            sequence=3,
            created_at=NOON,
            changed_at=NOON + SECOND,
            position=5,
        )
        assert {id: action.name for id, action in read.actions.items()} == {
            "1": "name of 1",
            "2": "name of 2",
            "3": "name of 3",
        }

    async def test_flow_that_is_set_again_after_it_was_cleared_is_as_new(
        self, store: Store, clock: HandClock
    ) -> None:
        await filled(store)
        await commit(store, set_("1"))
        clock.now += SECOND
        await commit(store, ClearFlow("org", TOKEN, "ada"))
        clock.now += SECOND
        await commit(store, set_("1"))
        read = await store.read(FlowOf("org", TOKEN))
        assert read.flow is not None
        assert (read.flow.created_at, read.flow.position) == (NOON + 2 * SECOND, 5)

    async def test_flow_that_was_never_set_is_nothing(self, store: Store) -> None:
        await filled(store)
        await commit(store, set_("1", type=LOGIN, trigger=POST_AUTH))
        read = await store.read(FlowOf("org", TOKEN))
        assert (read.flow, read.actions) == (None, {})

    async def test_flow_counts_in_the_sequence_of_its_organisation(self, store: Store) -> None:
        await filled(store)
        await commit(store, set_("1"), ClearFlow("org", TOKEN, "ada"))
        org = await store.read(OrgById("org"))
        assert org is not None
        assert (org.name, org.sequence) == ("Acme", 3)
        read = await store.read(FlowOf("org", TOKEN))
        assert read.flow is not None
        assert (read.flow.triggers, read.flow.sequence) == ((), 3)
        events = [event for event in await store.events() if event.aggregate_type == "org"]
        payload: dict[str, JSON] = {"flowType": 2, "triggerType": 4, "actionIDs": ["1"]}
        of_org = ("org", "org", "org")
        assert events[1:] == [
            RecordedEvent(5, *of_org, 2, "org.flow.trigger_actions.set", payload, "ada", NOON),
            RecordedEvent(6, *of_org, 3, "org.flow.cleared", {"flowType": 2}, "ada", NOON),
        ]

    async def test_removed_action_leaves_every_flow_of_its_organisation(self, store: Store) -> None:
        await filled(store)
        await commit(store, CreateOrg("other", "Other", ""), an_action("9", org_id="other"))
        await commit(store, set_("9", org_id="other"))
        await commit(store, set_("1", "2"), set_("2", type=LOGIN, trigger=POST_AUTH))
        await commit(store, DeleteAction("org", "2", "ada"))
        token, login = (
            await store.read(FlowOf("org", TOKEN)),
            await store.read(FlowOf("org", LOGIN)),
        )
        assert token.flow is not None
        assert login.flow is not None
        assert token.flow.triggers == ((4, ("1",)),)
        assert login.flow.triggers == ((1, ()),)
        assert (list(token.actions), list(login.actions)) == (["1"], [])
        last = [(event.sequence, event.type, event.payload) for event in await store.events()][-3:]
        cascade = "org.flow.trigger_actions.cascade.removed"
        assert last == [
            (2, "action.removed", {}),
            (4, cascade, {"flowType": 2, "triggerType": 4, "actionID": "2"}),
            (5, cascade, {"flowType": 3, "triggerType": 1, "actionID": "2"}),
        ]

    async def test_the_last_set_actions_outlive_the_removal_of_an_action(
        self, store: Store
    ) -> None:
        await filled(store)
        await commit(store, set_("1", "2"), set_("3", trigger=PRE_ACCESS))
        await commit(store, DeleteAction("org", "1", ""), DeleteAction("org", "3", ""))
        flow = (await store.read(FlowOf("org", TOKEN))).flow
        assert flow is not None
        assert (flow.triggers, flow.last_set) == (
            ((4, ("2",)), (5, ())),
            ((4, ("1", "2")), (5, ("3",))),
        )
        assert flow in await replayed(store)
        await commit(store, set_("2"), set_(trigger=PRE_ACCESS))
        with pytest.raises(Refusal, match="COMMAND-Nfh52"):
            await commit(store, set_("2"))

    async def test_inactive_action_stays_where_it_is(self, store: Store) -> None:
        await filled(store)
        await commit(store, DeactivateAction("org", "1", ""), set_("2", "1"))
        await commit(store, DeactivateAction("org", "2", ""))
        read = await store.read(FlowOf("org", TOKEN))
        assert read.flow is not None
        assert read.flow.triggers == ((4, ("2", "1")),)
        assert {action.state for action in read.actions.values()} == {1}

    async def test_command_about_a_flow_sees_the_earlier_ones_of_its_batch(
        self, store: Store
    ) -> None:
        await filled(store)
        await commit(store, DeleteAction("org", "3", ""))
        await commit(
            store,
            create_orgless_action("org", "4", "new"),
            set_("4", "1"),
            DeleteAction("org", "1", ""),
            set_("2", "4"),
        )
        read = await store.read(FlowOf("org", TOKEN))
        assert read.flow is not None
        assert read.flow.triggers == ((4, ("2", "4")),)
        with pytest.raises(Refusal, match="COMMAND-dg422"):
            await commit(store, DeleteAction("org", "2", ""), set_("2"))

    async def test_organisation_of_an_action_is_returned(self, store: Store) -> None:
        await commit(store, *(an_action(f"{number:03}") for number in range(100)))
        await commit(store, an_action("elsewhere", org_id="other"), DeleteAction("org", "007", ""))
        ids = [f"{number:03}" for number in range(100)]
        needs = Needs([org_key("org")], [], actions=[*ids, "elsewhere", "nowhere", "a\0b"])
        told = (await loaded(store, needs)).orgs_of_actions
        assert {id: told[id] for id in ("007", "elsewhere", "nowhere", "a\0b")} == {
            "007": None,
            "elsewhere": "other",
            "nowhere": None,
            "a\0b": None,
        }
        assert [told[id] for id in ids].count("org") == 99

    async def test_flow_of_a_thousand_actions_is_kept(self, store: Store) -> None:
        ids = [f"{number:04}" for number in range(1000)]
        await commit(store, CreateOrg("org", "Acme", ""), *(an_action(id) for id in ids))
        await commit(store, set_(*ids))
        await commit(store, DeleteAction("org", "0500", ""))
        read = await store.read(FlowOf("org", TOKEN))
        assert read.flow is not None
        assert [*read.flow.actions_of(PRE_USERINFO)] == [id for id in ids if id != "0500"]
        assert len(read.actions) == 999

    async def test_actions_of_a_trigger_are_the_active_ones_in_their_order(
        self, store: Store
    ) -> None:
        await filled(store)
        await commit(store, an_action("9", org_id="other"), set_("3", "1", "2"))
        await commit(store, set_("2", trigger=PRE_ACCESS), DeactivateAction("org", "1", ""))

        async def active(org_id: str, trigger: TriggerType) -> list[str]:
            found = await store.read(ActiveActions(org_id, TOKEN, trigger))
            return [action.id for action in found]

        assert await active("org", PRE_USERINFO) == ["3", "2"]
        assert await active("org", PRE_ACCESS) == ["2"]
        assert await active("other", PRE_USERINFO) == []
        await commit(store, ReactivateAction("org", "1", ""), DeleteAction("org", "3", ""))
        assert await active("org", PRE_USERINFO) == ["1", "2"]

    async def test_many_actions_of_a_trigger_are_in_their_order_too(self, store: Store) -> None:
        ids = [f"{number:03}" for number in range(100)]
        await commit(store, CreateOrg("org", "Acme", ""), *(an_action(id) for id in ids))
        await commit(store, set_(*reversed(ids)), DeactivateAction("org", "050", ""))
        found = await store.read(ActiveActions("org", TOKEN, PRE_USERINFO))
        assert [action.id for action in found] == [id for id in reversed(ids) if id != "050"]
