"""Defines the caller of a call."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """Names the user who calls, and the organisation of the call.

    Attributes:
        org_id: may be another than the user's own organisation.
        language: preferred language of the user, as a tag ("de-CH"); empty if unset.
    """

    user_id: str
    org_id: str
    language: str = ""


OPERATOR: Final = Caller("", "")
"""The caller of commands: the person at the command line, who is not a stored user."""
