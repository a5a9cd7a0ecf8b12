"""Names flows, triggers, and the pairs of both at which actions run, by the numbers of the API.

Follows docs/api.md "Flow types and triggers". Rule: imports nothing of ours; workers load it.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, TypeAlias

Trigger: TypeAlias = tuple[int, int]
"""(flow type, trigger type)"""


class FlowType(IntEnum):
    EXTERNAL_AUTHENTICATION = 1
    CUSTOMISE_TOKEN = 2
    INTERNAL_AUTHENTICATION = 3
    CUSTOMISE_SAML_RESPONSE = 4


class TriggerType(IntEnum):
    POST_AUTHENTICATION = 1
    PRE_CREATION = 2
    POST_CREATION = 3
    PRE_USERINFO_CREATION = 4
    PRE_ACCESS_TOKEN_CREATION = 5
    PRE_SAML_RESPONSE_CREATION = 6


EXTERNAL_POST_AUTHENTICATION: Final = (
    FlowType.EXTERNAL_AUTHENTICATION,
    TriggerType.POST_AUTHENTICATION,
)
EXTERNAL_PRE_CREATION: Final = (FlowType.EXTERNAL_AUTHENTICATION, TriggerType.PRE_CREATION)
EXTERNAL_POST_CREATION: Final = (FlowType.EXTERNAL_AUTHENTICATION, TriggerType.POST_CREATION)
PRE_USERINFO: Final = (FlowType.CUSTOMISE_TOKEN, TriggerType.PRE_USERINFO_CREATION)
PRE_ACCESS_TOKEN: Final = (FlowType.CUSTOMISE_TOKEN, TriggerType.PRE_ACCESS_TOKEN_CREATION)
INTERNAL_POST_AUTHENTICATION: Final = (
    FlowType.INTERNAL_AUTHENTICATION,
    TriggerType.POST_AUTHENTICATION,
)
INTERNAL_PRE_CREATION: Final = (FlowType.INTERNAL_AUTHENTICATION, TriggerType.PRE_CREATION)
INTERNAL_POST_CREATION: Final = (FlowType.INTERNAL_AUTHENTICATION, TriggerType.POST_CREATION)
PRE_SAML_RESPONSE: Final = (
    FlowType.CUSTOMISE_SAML_RESPONSE,
    TriggerType.PRE_SAML_RESPONSE_CREATION,
)

ALL_TRIGGERS: Final = (
    EXTERNAL_POST_AUTHENTICATION,
    EXTERNAL_PRE_CREATION,
    EXTERNAL_POST_CREATION,
    PRE_USERINFO,
    PRE_ACCESS_TOKEN,
    INTERNAL_POST_AUTHENTICATION,
    INTERNAL_PRE_CREATION,
    INTERNAL_POST_CREATION,
    PRE_SAML_RESPONSE,
)

TRIGGERS: Final[Mapping[FlowType, tuple[TriggerType, ...]]] = {
    flow: tuple(trigger for of_flow, trigger in ALL_TRIGGERS if of_flow is flow)
    for flow in FlowType
}
"""The triggers of each flow, in the order in which lists have them."""
