"""The caller of the call under way.

Rule: only the authorization interceptor sets it; whoever serves a call that needs a permission may
read it, at every door.
"""

from contextvars import ContextVar
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


CALLER: Final[ContextVar[Caller]] = ContextVar("caller")
