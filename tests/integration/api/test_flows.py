"""docs/api.md "Writes of flows", over each protocol.

First the rows of its table and those of "Reads and lists", then what it says below the table, then
"ObjectDetails": sequence, dates and owner.
"""

import pytest
from google.protobuf.message import Message

from tests.support.api_client import GRPC, Caller
from tests.support.api_rows import Refused, Row, assert_refused
from tests.support.prepared import action, inactive_action, removed_action, set_trigger
from zitadel import action_pb2, object_pb2
from zitadel import management_pb2 as pb

SUBJECT = "Writes of flows"

refused = Refused()


def set_request(*ids: str, flow: str = "2", trigger: str = "4") -> pb.SetTriggerActionsRequest:
    return pb.SetTriggerActionsRequest(flow_type=flow, trigger_type=trigger, action_ids=ids)


async def flow(caller: Caller, type: str = "2") -> action_pb2.Flow:
    response: pb.GetFlowResponse = await caller.get(pb.GetFlowRequest(type=type))
    return response.flow


async def ids_of(caller: Caller, type: str = "2") -> dict[str, list[str]]:
    """The ids of the actions of each trigger that GetFlow tells."""
    return {
        entry.trigger_type.id: [action.id for action in entry.actions]
        for entry in (await flow(caller, type)).trigger_actions
    }


refused.as_they_are(
    {
        (3, "FlowType missing"): {
            "COMMAND-Dfhj5 no flow 5, before no such trigger and action": set_request(
                "1", flow="5", trigger="9"
            ),
            "COMMAND-Dfhj5 old name of a newer flow": set_request(flow="FLOW_TYPE_CUSTOMISE_TOKEN"),
            "COMMAND-Dfhj5 no flow": set_request(flow=""),
            "COMMAND-Dfw2h no flow 0": pb.ClearFlowRequest(type="0"),
            "COMMAND-Dfw2h no flow": pb.ClearFlowRequest(),
        },
        (3, "TriggerType is invalid"): {
            "COMMAND-Dfgh6 no trigger 7, before no such action": set_request("1", trigger="7"),
            "COMMAND-Dfgh6 old name of a newer trigger": set_request(
                trigger="TRIGGER_TYPE_PRE_USERINFO_CREATION"
            ),
            "COMMAND-Dfgh6 no trigger": set_request(trigger=""),
        },
        (9, "No Changes"): {"COMMAND-Nfh52 none where none are set": set_request()},
        (5, "Errors.NotFound"): {
            "MANAG-P2OBk no flow 5": pb.ListFlowTriggerTypesRequest(type="5"),
            "MANAG-P2OBk no flow": pb.ListFlowTriggerTypesRequest(),
        },
        (3, "Limit exceeded"): {
            "QUERY-4M0fs limit 1001": pb.ListActionsRequest(query=object_pb2.ListQuery(limit=1001)),
            "QUERY-4M0fs the largest limit": pb.ListActionsRequest(
                query=object_pb2.ListQuery(limit=2**32 - 1)
            ),
        },
    }
)


@refused("COMMAND-Dfgh6 trigger of another flow", 3, "TriggerType is invalid")
async def _(caller: Caller, stranger: Caller) -> Message:
    return set_request(await action(caller), trigger="1")


@refused("COMMAND-Nfh52 the same in the same order", 9, "No Changes")
async def _(caller: Caller, stranger: Caller) -> Message:
    ids = [await action(caller, "a"), await action(caller, "b")]
    await set_trigger(caller, *ids)
    return set_request(*ids)


@refused("COMMAND-Nfh52 none after a clear", 9, "No Changes")
async def _(caller: Caller, stranger: Caller) -> Message:
    await set_trigger(caller, await action(caller))
    await caller.get(pb.ClearFlowRequest(type="2"))
    return set_request()


@refused("COMMAND-Nfh52 those last set, though one was removed", 9, "No Changes")
async def _(caller: Caller, stranger: Caller) -> Message:
    stays, goes = await action(caller, "stays"), await action(caller, "goes")
    await set_trigger(caller, stays, goes)
    await caller.get(pb.DeleteActionRequest(id=goes))
    return set_request(stays, goes)


@refused("COMMAND-Nfh52 those that a removal left, set twice", 9, "No Changes")
async def _(caller: Caller, stranger: Caller) -> Message:
    stays, goes = await action(caller, "stays"), await action(caller, "goes")
    await set_trigger(caller, stays, goes)
    await caller.get(pb.DeleteActionRequest(id=goes))
    await set_trigger(caller, stays)
    return set_request(stays)


@refused("COMMAND-dg422 absent", 9, "ActionIDs do not exist")
async def _(caller: Caller, stranger: Caller) -> Message:
    return set_request(await action(caller), "404")


@refused("COMMAND-dg422 removed", 9, "ActionIDs do not exist")
async def _(caller: Caller, stranger: Caller) -> Message:
    return set_request(await removed_action(caller))


@refused("COMMAND-dg422 removed from this trigger, too", 9, "ActionIDs do not exist")
async def _(caller: Caller, stranger: Caller) -> Message:
    stays, goes = await action(caller, "stays"), await action(caller, "goes")
    await set_trigger(caller, stays, goes)
    await caller.get(pb.DeleteActionRequest(id=goes))
    return set_request(goes)


@refused("COMMAND-dg422 of another organisation", 9, "ActionIDs do not exist")
async def _(caller: Caller, stranger: Caller) -> Message:
    return set_request(await action(stranger))


@refused("COMMAND-dg422 one twice", 9, "ActionIDs do not exist")
async def _(caller: Caller, stranger: Caller) -> Message:
    id = await action(caller)
    return set_request(id, id)


@refused("COMMAND-dg422 no id, NUL, another form of a digit", 9, "ActionIDs do not exist")
async def _(caller: Caller, stranger: Caller) -> Message:
    id = await action(caller)
    return set_request("", id + "\0", "\u0661")


@refused("COMMAND-DgGh3 never set", 9, "Flow is already empty")
async def _(caller: Caller, stranger: Caller) -> Message:
    await set_trigger(stranger, await action(stranger))
    return pb.ClearFlowRequest(type="2")


@refused("COMMAND-DgGh3 another flow is set", 9, "Flow is already empty")
async def _(caller: Caller, stranger: Caller) -> Message:
    await set_trigger(caller, await action(caller), flow="3", trigger="1")
    return pb.ClearFlowRequest(type="1")


@refused("COMMAND-DgGh3 cleared already", 9, "Flow is already empty")
async def _(caller: Caller, stranger: Caller) -> Message:
    await set_trigger(caller, await action(caller))
    await caller.get(pb.ClearFlowRequest(type="2"))
    return pb.ClearFlowRequest(type="2")


@pytest.mark.parametrize("row", refused.rows)
async def test_refused_call_is_answered_as_the_table_says_and_writes_nothing(
    caller: Caller, stranger: Caller, protocol: str, row: Row
) -> None:
    await assert_refused(caller, stranger, protocol, row)


async def test_flow_that_there_is_not_has_no_type(caller: Caller, protocol: str) -> None:
    for type in ("0", "5", "FLOW_TYPE_CUSTOMISE_TOKEN", "2\0", "x" * 500):
        answer = await caller.ask(protocol, pb.GetFlowRequest(type=type))
        flow = answer.response.flow
        assert (answer.code, flow.type.id, flow.state) == (0, "0", action_pb2.FLOW_STATE_ACTIVE)
        assert flow.type.name.key == "Action.Flow.Type.Unspecified"
        assert flow.type.name.localized_message == "Unspecified"
        assert (flow.HasField("details"), flow.details.ListFields()) == (True, [])
        assert len(flow.trigger_actions) == 0


@pytest.mark.parametrize(
    ("flow_type", "trigger_type", "told"),
    [
        ("FLOW_TYPE_EXTERNAL_AUTHENTICATION", "TRIGGER_TYPE_POST_AUTHENTICATION", ("1", "1")),
        ("1", "TRIGGER_TYPE_PRE_CREATION", ("1", "2")),
        ("3", "TRIGGER_TYPE_POST_CREATION", ("3", "3")),
        ("4", "6", ("4", "6")),
    ],
)
async def test_flow_and_trigger_are_named_by_number_or_by_an_old_name(
    caller: Caller, protocol: str, flow_type: str, trigger_type: str, told: tuple[str, str]
) -> None:
    id = await action(caller)
    request = set_request(id, flow=flow_type, trigger=trigger_type)
    assert (await caller.ask(protocol, request)).code == 0
    answer = await caller.ask(protocol, pb.GetFlowRequest(type=flow_type))
    (entry,) = answer.response.flow.trigger_actions
    assert (answer.response.flow.type.id, entry.trigger_type.id) == told
    assert [action.id for action in entry.actions] == [id]


async def test_inactive_actions_may_be_set(caller: Caller, protocol: str) -> None:
    id = await inactive_action(caller)
    assert (await caller.ask(protocol, set_request(id))).code == 0
    assert await ids_of(caller) == {"4": [id]}


async def test_another_order_is_a_change(caller: Caller, protocol: str) -> None:
    a, b = await action(caller, "a"), await action(caller, "b")
    await set_trigger(caller, a, b)
    assert (await caller.ask(protocol, set_request(b, a))).code == 0
    assert await ids_of(caller) == {"4": [b, a]}


async def test_a_trigger_set_to_nothing_can_be_cleared_once(caller: Caller, protocol: str) -> None:
    await set_trigger(caller, await action(caller))
    assert (await caller.ask(protocol, set_request())).code == 0
    assert await ids_of(caller) == {}
    assert (await caller.ask(protocol, pb.ClearFlowRequest(type="2"))).code == 0
    assert (await caller.ask(protocol, pb.ClearFlowRequest(type="2"))).code == 9


async def test_a_deactivated_action_keeps_its_place(caller: Caller, protocol: str) -> None:
    a, b = await action(caller, "a"), await action(caller, "b")
    await set_trigger(caller, a, b)
    assert (await caller.ask(protocol, pb.DeactivateActionRequest(id=a))).code == 0
    answer = await caller.ask(protocol, pb.GetFlowRequest(type="2"))
    (entry,) = answer.response.flow.trigger_actions
    assert [(action.id, action.state) for action in entry.actions] == [
        (a, action_pb2.ACTION_STATE_INACTIVE),
        (b, action_pb2.ACTION_STATE_ACTIVE),
    ]
    assert (await caller.ask(protocol, pb.ReactivateActionRequest(id=a))).code == 0
    assert await ids_of(caller) == {"4": [a, b]}


async def test_a_deleted_action_leaves_its_flows_and_a_trigger_without_any_is_left_out(
    caller: Caller, protocol: str
) -> None:
    a, b = await action(caller, "a"), await action(caller, "b")
    await set_trigger(caller, a, b)
    await set_trigger(caller, a, trigger="5")
    assert (await caller.ask(protocol, pb.DeleteActionRequest(id=a))).code == 0
    assert await ids_of(caller) == {"4": [b]}
    # Set, cleared and set again: org.added, two sets, two removals, and this one.
    answer = await caller.ask(protocol, set_request(trigger="4"))
    assert answer.response.details.sequence == 6
    assert (await caller.ask(protocol, pb.ClearFlowRequest(type="2"))).code == 0


@pytest.mark.parametrize("left", [1, 0])
async def test_client_that_deletes_an_action_and_then_sets_the_rest_makes_a_change(
    caller: Caller, protocol: str, left: int
) -> None:
    """Calls in the order of ZITADEL's Terraform provider: actions go before triggers are set."""
    kept = [await action(caller, f"kept {number}") for number in range(left)]
    goes = await action(caller, "goes")
    await set_trigger(caller, goes, *kept)
    assert (await caller.ask(protocol, pb.DeleteActionRequest(id=goes))).code == 0
    set_rest = await caller.ask(protocol, set_request(*kept))
    assert (set_rest.code, set_rest.response.details.sequence) == (0, 4)
    assert await ids_of(caller) == ({"4": kept} if kept else {})


async def test_an_update_is_compared_with_the_stored_timeout(caller: Caller, protocol: str) -> None:
    id = await action(caller)
    read = await caller.get(pb.GetActionRequest(id=id))
    assert read.action.timeout.seconds == 20
    update = pb.UpdateActionRequest(id=id, name="greet", script="s")
    assert (await caller.ask(protocol, update)).refusal[1] == "No changes (ACTION-dg4t2)"
    update.timeout.seconds = 20
    assert (await caller.ask(protocol, update)).response.details.sequence == 2


async def test_a_deletion_answers_an_empty_message(caller: Caller, protocol: str) -> None:
    answer = await caller.ask(protocol, pb.DeleteActionRequest(id=await action(caller)))
    assert (answer.code, answer.response) == (0, pb.DeleteActionResponse())


async def test_flow_has_the_sequence_of_its_organisation_and_full_details(
    caller: Caller, protocol: str
) -> None:
    id = await action(caller)
    first = (await caller.ask(protocol, set_request(id))).response.details
    assert (first.sequence, first.resource_owner) == (2, caller.org_id)
    assert 0 < first.creation_date.ToNanoseconds() == first.change_date.ToNanoseconds()
    second = (await caller.ask(protocol, set_request(id, trigger="5"))).response.details
    assert (second.sequence, second.resource_owner) == (3, caller.org_id)
    assert second.creation_date == first.creation_date
    assert second.change_date.ToNanoseconds() > first.change_date.ToNanoseconds()
    read = await caller.ask(protocol, pb.GetFlowRequest(type="2"))
    assert read.response.flow.details == second
    cleared = (await caller.ask(protocol, pb.ClearFlowRequest(type="2"))).response.details
    assert (cleared.sequence, cleared.resource_owner) == (4, caller.org_id)
    assert cleared.creation_date == first.creation_date
    assert cleared.change_date.ToNanoseconds() > second.change_date.ToNanoseconds()
    empty = (await caller.ask(protocol, pb.GetFlowRequest(type="2"))).response.flow
    assert (empty.HasField("details"), empty.details.ListFields()) == (True, [])
    again = (await caller.ask(protocol, set_request(id))).response.details
    assert again.creation_date == again.change_date
    assert again.creation_date.ToNanoseconds() > cleared.change_date.ToNanoseconds()


async def test_flow_of_another_organisation_is_not_seen_and_not_touched(
    caller: Caller, stranger: Caller, protocol: str
) -> None:
    id = await action(stranger)
    await set_trigger(stranger, id)
    answer = await caller.ask(protocol, pb.GetFlowRequest(type="2"))
    assert len(answer.response.flow.trigger_actions) == 0
    await set_trigger(caller, await action(caller))
    assert (await caller.ask(protocol, pb.ClearFlowRequest(type="2"))).code == 0
    assert await ids_of(stranger) == {"4": [id]}


async def test_flow_has_its_triggers_in_the_order_of_the_table_and_whole_actions(
    caller: Caller, protocol: str
) -> None:
    id = await action(caller, "greet", allowed_to_fail=True)
    for trigger in ("3", "1", "2"):
        await set_trigger(caller, id, flow="3", trigger=trigger)
    entries = (
        await caller.ask(protocol, pb.GetFlowRequest(type="3"))
    ).response.flow.trigger_actions
    assert [entry.trigger_type.id for entry in entries] == ["1", "2", "3"]
    read = await caller.get(pb.GetActionRequest(id=id))
    assert [[*entry.actions] for entry in entries] == [[read.action]] * 3


async def test_flow_of_many_actions_is_answered(caller: Caller) -> None:
    ids = [await action(caller, f"a{number}") for number in range(250)]
    assert (await caller.ask(GRPC, set_request(*reversed(ids)))).code == 0
    assert await ids_of(caller) == {"4": [*reversed(ids)]}
