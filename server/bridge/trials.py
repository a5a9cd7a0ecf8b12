"""Reads and answers trials: calls by the operator that ask what would run, and run nothing.

Follows docs/bridge.md. A trial is signed as any call: whoever has the signing key of a target may
know the names of the actions that it runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from server.bridge.calls import JsonObject
from server.bridge.payload_values import object_of, text_of
from server.triggers import Trigger

MEMBER: Final = "trial"
"""Member of a payload, and of an answer, that no ZITADEL sends."""

NO_ACCOUNT: Final = "no account"
READ: Final = "read"
"""Says that the target's service account may read metadata of the organisation."""

_BEGINNING: Final = f'{{"{MEMBER}":'.encode()


@dataclass(frozen=True, slots=True)
class Trial:
    """Asks what would run for users of an organisation.

    Attributes:
        org_id: the organisation there.
    """

    org_id: str


def is_trial(body: bytes) -> bool:
    """True if a body is that of a trial; it is then read as nothing else."""
    return body.startswith(_BEGINNING)


def read_trial(payload: JsonObject) -> Trial:
    """Returns the trial of a payload.

    Raises:
        BadPayload: it does not name an organisation.
    """
    asked = object_of(payload[MEMBER], MEMBER)
    return Trial(text_of(asked, "organisation", of=f"{MEMBER}."))


def trial_answer(
    org_id: str | None, actions: Mapping[Trigger, Sequence[str]], *, metadata: str = NO_ACCOUNT
) -> bytes:
    """Returns the body of an answer.

    Args:
        org_id: the organisation here; None if none is bound.
        actions: names of active actions, in their order, by trigger.
        metadata: `NO_ACCOUNT`, `READ`, or why metadata of the organisation cannot be read.
    """
    by_text = {f"{flow:d}/{trigger:d}": [*names] for (flow, trigger), names in actions.items()}
    answer = {"organisation": org_id, "actions": by_text, "metadata": metadata}
    return orjson.dumps({MEMBER: answer})
