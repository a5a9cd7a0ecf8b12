"""Names the caller of a call."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is served, and for which organisation.

    Attributes:
        org_id: the organisation that the call is about, not always the user's own.
        language: that the user prefers, as a tag ("de-CH"); empty when it has not said.
    """

    user_id: str
    org_id: str
    language: str = ""


OPERATOR: Final = Caller("", "")
"""Who calls by command: a user of the system who may open the data folder, and none of ours."""
