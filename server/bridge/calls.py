"""Describes a call of a target: what runs, for whom, and how its answer is made.

Rule: the forms of payloads and answers are known where a kind of call is read: `functions`,
`messages`, `events`.
"""

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from server.scripts.contract import Effects, GrantEffect, JsonValue, MetadataEffect
from server.triggers import Trigger

JsonObject: TypeAlias = dict[str, JsonValue]

FAILED_STATUS: Final = 412
"""HTTP status that ZITADEL forwards for a failed run; it forwards 400 to 499."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Holds effects that no answer can have.

    Attributes:
        has_fields: True if there are fields of the user.
    """

    has_fields: bool = False
    metadata: tuple[MetadataEffect, ...] = ()
    grants: tuple[GrantEffect, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Returns the names of what there is."""
        there = (("fields", self.has_fields), ("metadata", self.metadata), ("grants", self.grants))
        return tuple(name for name, found in there if found)


class Answers(Protocol):
    """Makes the body of a call's answer.

    Attributes:
        unchanged: the body by which nothing changes.
    """

    @property
    def unchanged(self) -> bytes: ...

    def made(self, effects: Effects) -> bytes:
        """Returns the body after a run that succeeded."""

    def left(self, effects: Effects) -> Leftover:
        """Returns the effects that no answer can have."""


@dataclass(frozen=True, slots=True)
class TargetCall:
    """Describes a call.

    Attributes:
        org_id: the user's organisation there, whose actions run.
        user_id: the user there.
        context: of the trigger; its values are not checked yet.
        granting_org_ids: ids of the organisations there that granted to the user.
        session_id: the session there, if the payload does not say whose it is; empty otherwise.
    """

    trigger: Trigger
    org_id: str
    user_id: str
    context: JsonObject
    answers: Answers
    granting_org_ids: frozenset[str] = frozenset()
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Describes a call at which nothing runs here.

    Attributes:
        unchanged: the body by which nothing changes.
    """

    unchanged: bytes


def failure_of(name: str, reason: str) -> JsonObject:
    """Returns the answer of a run that an action ended, which fails what ZITADEL was asked for."""
    return {
        "forwardedStatusCode": FAILED_STATUS,
        "forwardedErrorMessage": f"action {name!r} failed: {reason}",
    }
