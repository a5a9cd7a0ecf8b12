"""Describes a call of a target: what runs, for whom, and how its answer is made.

Rule: the forms of payloads and answers are known where a kind of call is read: `functions`,
`messages`, `events`.
"""

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from server.scripts.contract import Effects, JsonValue
from server.triggers import Trigger

JsonObject: TypeAlias = dict[str, JsonValue]

FAILED_STATUS: Final = 412
"""HTTP status that ZITADEL forwards for a failed run; it forwards 400 to 499."""


class Answers(Protocol):
    """Makes the body of a call's answer.

    Attributes:
        unchanged: the body by which nothing changes.
    """

    @property
    def unchanged(self) -> bytes: ...

    def made(self, effects: Effects) -> bytes:
        """Returns the body after a run that succeeded."""

    def lost(self, effects: Effects) -> tuple[str, ...]:
        """Returns the names of effects that no answer can have."""


@dataclass(frozen=True, slots=True)
class TargetCall:
    """Describes a call.

    Attributes:
        org_id: the user's organisation there, whose actions run.
        user_id: the user there.
        context: of the trigger; its values are not checked yet.
        granting_org_ids: ids of the organisations there that granted to the user.
    """

    trigger: Trigger
    org_id: str
    user_id: str
    context: JsonObject
    answers: Answers
    granting_org_ids: frozenset[str] = frozenset()


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
