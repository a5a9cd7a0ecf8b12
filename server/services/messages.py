"""Fills messages of the Management API from states of the domain.

Follows docs/api.md "ObjectDetails", "Reads and lists" and "Flow types and triggers".
Fields are set in place, which takes a third of the time of nested keyword arguments.
"""

from collections.abc import Iterable
from typing import Final

from google.protobuf.duration_pb2 import Duration

from server.domain.action import Action, ActionState
from server.domain.flow import Flow
from server.domain.org import Org
from server.domain.sealed import SealedValue
from server.locale import Texts
from server.scripts.contract import effective_timeout_ns
from server.store.read_model import FlowRead, Page
from server.timestamps import set_time
from server.triggers import TRIGGERS, FlowType, TriggerType
from zitadel import action_pb2, message_pb2, object_pb2
from zitadel import management_pb2 as pb

_NS: Final = 10**9

STATES: Final = {
    ActionState.ACTIVE: action_pb2.ACTION_STATE_ACTIVE,
    ActionState.INACTIVE: action_pb2.ACTION_STATE_INACTIVE,
    ActionState.UNSPECIFIED: action_pb2.ACTION_STATE_UNSPECIFIED,
}

_FLOW_NAMES: Final = {
    None: "Action.Flow.Type.Unspecified",
    FlowType.EXTERNAL_AUTHENTICATION: "Action.Flow.Type.ExternalAuthentication",
    FlowType.CUSTOMISE_TOKEN: "Action.Flow.Type.CustomiseToken",
    FlowType.INTERNAL_AUTHENTICATION: "Action.Flow.Type.InternalAuthentication",
    FlowType.CUSTOMISE_SAML_RESPONSE: "Action.Flow.Type.CustomizeSAMLResponse",
}
_TRIGGER_NAMES: Final = {
    TriggerType.POST_AUTHENTICATION: "Action.TriggerType.PostAuthentication",
    TriggerType.PRE_CREATION: "Action.TriggerType.PreCreation",
    TriggerType.POST_CREATION: "Action.TriggerType.PostCreation",
    TriggerType.PRE_USERINFO_CREATION: "Action.TriggerType.PreUserinfoCreation",
    TriggerType.PRE_ACCESS_TOKEN_CREATION: "Action.TriggerType.PreAccessTokenCreation",
    TriggerType.PRE_SAML_RESPONSE_CREATION: "Action.TriggerType.PreSAMLResponseCreation",
}


def list_actions(
    page: Page[Action], sorting_column: action_pb2.ActionFieldName.ValueType
) -> pb.ListActionsResponse:
    response = pb.ListActionsResponse(sorting_column=sorting_column)
    response.details.total_result = page.total
    set_time(response.details.view_timestamp, page.viewed_at)
    add = response.result.add
    for action in page.items:
        fill_action(add(), action)
    return response


def get_flow(type: FlowType | None, read: FlowRead, texts: Texts) -> pb.GetFlowResponse:
    """Returns the answer about a flow; `type` is None if the request names an unknown one.

    Triggers without an action are left out. The details are empty if no trigger has one.
    """
    response = pb.GetFlowResponse()
    message = response.flow
    fill_flow_type(message.type, type, texts)
    message.state = action_pb2.FLOW_STATE_ACTIVE
    if type is None or read.flow is None or not read.actions:
        fill_flow_details(message.details, None)
        return response
    fill_flow_details(message.details, read.flow)
    for trigger in TRIGGERS[type]:
        ids = read.flow.actions_of(trigger)
        if ids:
            entry = message.trigger_actions.add()
            fill_trigger_type(entry.trigger_type, trigger, texts)
            for id in ids:
                fill_action(entry.actions.add(), read.actions[id])
    return response


def list_flow_types(texts: Texts) -> pb.ListFlowTypesResponse:
    response = pb.ListFlowTypesResponse()
    for type in FlowType:
        fill_flow_type(response.result.add(), type, texts)
    return response


def list_trigger_types(
    triggers: Iterable[TriggerType], texts: Texts
) -> pb.ListFlowTriggerTypesResponse:
    response = pb.ListFlowTriggerTypesResponse()
    for trigger in triggers:
        fill_trigger_type(response.result.add(), trigger, texts)
    return response


def fill_flow_type(message: action_pb2.FlowType, type: FlowType | None, texts: Texts) -> None:
    message.id = str(type.value if type else 0)
    _fill_name(message.name, _FLOW_NAMES[type], texts)


def fill_trigger_type(message: action_pb2.TriggerType, trigger: TriggerType, texts: Texts) -> None:
    message.id = str(trigger.value)
    _fill_name(message.name, _TRIGGER_NAMES[trigger], texts)


def fill_action(message: action_pb2.Action, action: Action) -> None:
    message.id = action.id
    fill_details(message.details, action)
    message.state = STATES[action.state]
    message.name = action.name
    message.script = action.script
    set_timeout(message.timeout, action)
    message.allowed_to_fail = action.allowed_to_fail


def set_timeout(message: Duration, action: Action) -> None:
    """Sets the timeout in effect."""
    message.seconds, message.nanos = divmod(effective_timeout_ns(action.timeout_ns), _NS)


def fill_details(details: object_pb2.ObjectDetails, state: Action | Flow | SealedValue) -> None:
    details.sequence = state.sequence
    set_time(details.creation_date, state.created_at)
    set_time(details.change_date, state.changed_at)
    details.resource_owner = state.org_id


def fill_org_details(details: object_pb2.ObjectDetails, org: Org) -> None:
    details.sequence = org.sequence
    set_time(details.creation_date, org.created_at)
    set_time(details.change_date, org.changed_at)
    details.resource_owner = org.id


def fill_flow_details(details: object_pb2.ObjectDetails, flow: Flow | None) -> None:
    """Sets the details; of a flow that was never set, to an empty message."""
    if flow is None:
        details.SetInParent()
    else:
        fill_details(details, flow)


def _fill_name(name: message_pb2.LocalizedMessage, key: str, texts: Texts) -> None:
    name.key = key
    name.localized_message = texts.text(key, {})
