"""Names the triggers that run scripts, as (flow type, trigger type) by the numbers of the API.

Follows docs/api.md, "Flow types and triggers". Rule: imports nothing; workers load it.
"""

from typing import Final, TypeAlias

Trigger: TypeAlias = tuple[int, int]

EXTERNAL_POST_AUTHENTICATION: Final = (1, 1)
EXTERNAL_PRE_CREATION: Final = (1, 2)
EXTERNAL_POST_CREATION: Final = (1, 3)
PRE_USERINFO: Final = (2, 4)
PRE_ACCESS_TOKEN: Final = (2, 5)
INTERNAL_POST_AUTHENTICATION: Final = (3, 1)
INTERNAL_PRE_CREATION: Final = (3, 2)
INTERNAL_POST_CREATION: Final = (3, 3)
PRE_SAML_RESPONSE: Final = (4, 6)

ALL_TRIGGERS: Final[tuple[Trigger, ...]] = (
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
