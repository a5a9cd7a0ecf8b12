"""Makes of the answer of RunTrigger what a token or a SAML response of ZITADEL holds then."""

import json
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import json_format

from actions.v1 import execution_pb2 as run
from tests.support.zitadel import Outcome

RESERVED: Final = "urn:zitadel:iam:action:"


def outcome_of(
    response: run.RunTriggerResponse, userinfo: Mapping[str, Any], function: str
) -> Outcome:
    """Returns a token; what actions log into claims is one claim, as functions have it."""
    claims = {
        key: json.loads(json_format.MessageToJson(value))
        for key, value in response.effects.claims.items()
    }
    ran = [f"{RESERVED}{action.name}:log" for action in response.actions]  # a map has no order
    log = [line for key in ran for line in claims.pop(key, ())]
    if log:
        claims[f"{RESERVED}function/{function}:log"] = log
    return Outcome(claims={**userinfo, **claims}, metadata=_metadata(response.effects))


def attributes_of(effects: run.Effects) -> Outcome:
    """Returns a SAML response."""
    attributes = {
        each.name: (each.name_format, tuple(each.values)) for each in effects.saml_attributes
    }
    return Outcome(attributes=attributes, metadata=_metadata(effects))


def _metadata(effects: run.Effects) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in effects.metadata}
