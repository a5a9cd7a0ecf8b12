"""The tables of docs/api.md "Flow types and triggers", over each protocol."""

import pytest

from tests.support.api_client import Caller
from zitadel import management_pb2 as pb

SUBJECT = "Flow types and triggers"

FLOWS = [
    ("1", "Action.Flow.Type.ExternalAuthentication", "External Authentication"),
    ("2", "Action.Flow.Type.CustomiseToken", "Complement Token"),
    ("3", "Action.Flow.Type.InternalAuthentication", "Internal Authentication"),
    ("4", "Action.Flow.Type.CustomizeSAMLResponse", "Complement SAMLResponse"),
]
LOGIN_TRIGGERS = [
    ("1", "Action.TriggerType.PostAuthentication", "Post Authentication"),
    ("2", "Action.TriggerType.PreCreation", "Pre Creation"),
    ("3", "Action.TriggerType.PostCreation", "Post Creation"),
]
TRIGGERS = {
    "1": LOGIN_TRIGGERS,
    "2": [
        ("4", "Action.TriggerType.PreUserinfoCreation", "Pre Userinfo creation"),
        ("5", "Action.TriggerType.PreAccessTokenCreation", "Pre access token creation"),
    ],
    "3": LOGIN_TRIGGERS,
    "4": [("6", "Action.TriggerType.PreSAMLResponseCreation", "Pre SAMLResponse creation")],
}


async def test_flow_types_are_those_of_the_table_in_its_order(
    caller: Caller, protocol: str
) -> None:
    answer = await caller.ask(protocol, pb.ListFlowTypesRequest())
    assert [
        (type.id, type.name.key, type.name.localized_message) for type in answer.response.result
    ] == FLOWS


@pytest.mark.parametrize("flow", TRIGGERS)
async def test_triggers_of_a_flow_are_those_of_the_table_in_its_order(
    caller: Caller, protocol: str, flow: str
) -> None:
    answer = await caller.ask(protocol, pb.ListFlowTriggerTypesRequest(type=flow))
    assert [
        (type.id, type.name.key, type.name.localized_message) for type in answer.response.result
    ] == TRIGGERS[flow]


async def test_names_are_in_the_language_of_the_caller(caller: Caller, protocol: str) -> None:
    metadata = {"accept-language": "de-CH, en;q=0.5"}
    flows = await caller.ask(protocol, pb.ListFlowTypesRequest(), metadata=metadata)
    assert flows.response.result[1].name.localized_message == "Token ergänzen"
    triggers = await caller.ask(
        protocol, pb.ListFlowTriggerTypesRequest(type="4"), metadata=metadata
    )
    told = triggers.response.result[0].name.localized_message
    assert told == "Vor der Erstellung der SAML-Antwort"
    flow = await caller.ask(protocol, pb.GetFlowRequest(type="1"), metadata=metadata)
    assert flow.response.flow.type.name.localized_message == "Externe Authentifizierung"
