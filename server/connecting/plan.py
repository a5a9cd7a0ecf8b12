"""Compares both sides with what is wanted, and says what is to change. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import JSON, JWE, JWT, TargetForm, There, duration_text
from server.connecting.conditions import Condition, conditions_of, target_ids_at, with_target
from server.connecting.link import Link
from server.connecting.target_here import HerePlan, here_plan_of
from server.connecting.wanted import Wanted

_PAYLOADS: Final = {JSON: "JSON", JWT: "JWT", JWE: "JWE"}


class Key(Enum):
    """Says what is done about the signing key.

    SET_IF_OTHER writes nothing if the key is the same.
    """

    KEEP = "keep"
    SET = "set"
    SET_IF_OTHER = "set if other"
    RENEW = "renew"


_KEY_LINES: Final[Mapping[Key, Sequence[str]]] = {
    Key.KEEP: (),
    Key.SET: ("store its signing key here",),
    Key.SET_IF_OTHER: ("store its signing key here, if it is another",),
    Key.RENEW: ("have ZITADEL make a new signing key, and store it here",),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Describes what is to change.

    Attributes:
        payload_type: of the target in ZITADEL, as it then is.
        key: says what is done about the signing key.
        missing: conditions at which the target is to be called, and is not, each with the number of
            targets that others have there.
        conditions: at which it then is.
    """

    wanted: Wanted
    link: Link
    here: HerePlan
    payload_type: str
    key: Key
    missing: Sequence[tuple[Condition, int]]
    conditions: Sequence[Condition]

    def form(self, target_id: str) -> TargetForm:
        """Returns what the target in ZITADEL is to be, for the id of the target here."""
        endpoint = f"{self.wanted.public_url}/targets/{target_id}"
        interrupts = not self.here.ignores_failures
        return TargetForm(endpoint, self.here.timeout_ms, interrupts, self.payload_type)

    @property
    def is_form_set(self) -> bool:
        """True if the target in ZITADEL is there, but not as it is to be."""
        return self.link.there is not None and not self.form(self.here.id).fits(self.link.there)

    @property
    def lines(self) -> list[str]:
        """Returns lines that say what changes, in the order in which it is done."""
        return [
            *self.here.lines,
            *self._lines_there(),
            *_KEY_LINES[self.key],
            *(
                f"have ZITADEL call it at {condition.named}{_after(others)}"
                for condition, others in self.missing
            ),
            *(
                f"delete target {each.id} in ZITADEL, which an interrupted run left"
                for each in self.link.surplus
            ),
        ]

    def _lines_there(self) -> Iterator[str]:
        limit = f"time limit {duration_text(self.here.timeout_ms)}"
        if self.link.there is None:
            yield f"create a target in ZITADEL, {limit}"
        elif self.is_form_set:
            endpoint = self.form(self.here.id).endpoint if self.here.id else "of the new target"
            yield (
                f"change target {self.link.there.id} in ZITADEL: endpoint {endpoint}, {limit},"
                f" payloads {_PAYLOADS[self.payload_type]}"
            )


def plan_of(wanted: Wanted, link: Link, there: There, *, is_key_right: bool | None) -> Plan:
    """Returns what is to change.

    Args:
        wanted: how both sides are to be.
        link: the targets of both sides that there are.
        there: what the ZITADEL has.
        is_key_right: True if the key that ZITADEL shows is the one here; None if nobody knows.

    Raises:
        ConnectError: it cannot be as wanted.
    """
    conditions = conditions_of(wanted.functions, there, has_login_v2=wanted.has_login_v2)
    missing = _missing(conditions, link, there)
    return Plan(
        wanted=wanted,
        link=link,
        here=here_plan_of(wanted, link.here),
        payload_type=_payload_type(link),
        key=_key(link, is_key_right=is_key_right, is_called_more=bool(missing)),
        missing=missing,
        conditions=conditions,
    )


def _missing(
    conditions: Sequence[Condition], link: Link, there: There
) -> list[tuple[Condition, int]]:
    """Returns conditions that do not call the target, with the number of others' targets."""
    missing = []
    for condition in conditions:
        ids = target_ids_at(condition, there.executions)
        if link.there is None or link.there.id not in ids:
            with_target(condition, "new", there.executions)
            missing.append((condition, len(ids)))
    return missing


def _payload_type(link: Link) -> str:
    """Returns the form of payloads that the target here takes.

    Payloads are encrypted only to a key that was given to ZITADEL by hand: that stays as it is.
    """
    taken = pb.PAYLOAD_TYPE_JSON if link.here is None else link.here.payload_type
    if taken == pb.PAYLOAD_TYPE_JWE:
        return JSON if link.there is None else link.there.payload_type
    return JWT if taken == pb.PAYLOAD_TYPE_JWT else JSON


def _key(link: Link, *, is_key_right: bool | None, is_called_more: bool) -> Key:
    if link.there is None:
        return Key.SET
    has_key = link.here is not None and link.here.has_signing_key
    if not link.there.signing_key:
        return Key.KEEP if has_key and not is_called_more else Key.RENEW
    if not has_key or is_key_right is False:
        return Key.SET
    return Key.KEEP if is_key_right else Key.SET_IF_OTHER


def _after(others: int) -> str:
    return "" if not others else f", after {others} {'other' if others == 1 else 'others'}"
