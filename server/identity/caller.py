"""Names the caller of a call."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, and the organisation that the call is about.

    Attributes:
        org_id: of the call; not always the user's own organisation.
        language: preferred by the user, as a tag ("de-CH"); empty if unset.
    """

    user_id: str
    org_id: str
    language: str = ""


OPERATOR: Final = Caller("", "")
"""The caller of commands: a system user who may open the data folder, no user of ours."""
