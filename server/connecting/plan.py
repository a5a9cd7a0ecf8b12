"""Compares both sides with what is wanted, and says what is to change. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import (
    JSON,
    JWE,
    JWT,
    TargetForm,
    There,
    duration_text,
)
from server.connecting.conditions import Condition, conditions_of, target_ids_at, with_target
from server.connecting.link import Link

TIMEOUT_MS: Final = 10_000
"""Milliseconds of the time limit of targets that are made, as ZITADEL's console proposes."""

_ORGS_SHOWN: Final = 5
_PAYLOADS: Final = {JSON: "JSON", JWT: "JWT", JWE: "JWE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Describes how both sides are to be.

    Attributes:
        name: of a target that is made here: which ZITADEL calls it.
        name_there: of a target that is made in ZITADEL: which service it calls.
        public_url: of this service, for ZITADEL; without "/" at its end.
        functions: that call the target; none for all that both sides have.
        has_login_v2: True has it called at methods and events, too, in place of flows 1 and 3.
        orgs: organisations here by those there; bound, or unbound if empty.
        timeout_ms: None keeps what is there.
        ignores_failures: None keeps what is there.
    """

    name: str
    name_there: str
    public_url: str
    functions: tuple[str, ...] = ()
    has_login_v2: bool = False
    orgs: Mapping[str, str] = field(default_factory=dict)
    timeout_ms: int | None = None
    ignores_failures: bool | None = None


class Key(Enum):
    """Says what is done about the signing key.

    SET_IF_OTHER writes nothing if the key is the same.
    """

    KEEP = "keep"
    SET = "set"
    SET_IF_OTHER = "set if other"
    RENEW = "renew"


@dataclass(frozen=True, slots=True)
class Plan:
    """Describes what is to change, in the order in which it is done.

    Attributes:
        here: creates or changes the target here; None if it is as wanted.
        here_id: of the target here; empty if it is to be created.
        timeout_ms, interrupts, payload_type: of the target in ZITADEL.
        is_form_set: True if the target in ZITADEL is to be created or changed.
        missing: conditions at which the target is to be called, and is not.
        conditions: at which it then is.
        orgs: organisations here by those there, as they then are.
        lines: say it all, a line each.
    """

    wanted: Wanted
    link: Link
    here: pb.CreateTargetRequest | pb.UpdateTargetRequest | None
    here_id: str
    timeout_ms: int
    interrupts: bool
    payload_type: str
    is_form_set: bool
    key: Key
    missing: Sequence[Condition]
    conditions: Sequence[Condition]
    orgs: Mapping[str, str]
    lines: tuple[str, ...]

    def form(self, target_id: str) -> TargetForm:
        """Returns what the target in ZITADEL is to be, for the id of the target here."""
        endpoint = f"{self.wanted.public_url}/targets/{target_id}"
        return TargetForm(endpoint, self.timeout_ms, self.interrupts, self.payload_type)


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
    here, orgs, here_lines = _here(wanted, link.here)
    timeout_ms, ignores = _settings(wanted, link.here)
    payload_type = _payload_type(link)
    missing = [each for each in conditions if not _calls_at(each, link, there)]
    here_id = "" if link.here is None else link.here.id
    lines = [*here_lines]
    is_form_set = True
    if link.there is None:
        lines.append(f"create a target in ZITADEL, time limit {duration_text(timeout_ms)}")
    else:
        endpoint = f"{wanted.public_url}/targets/{here_id}"
        form = TargetForm(endpoint, timeout_ms, not ignores, payload_type)
        is_form_set = not form.fits(link.there)
        if is_form_set:
            shown = endpoint if here_id else "of the new target"
            lines.append(
                f"change target {link.there.id} in ZITADEL: endpoint {shown},"
                f" time limit {duration_text(timeout_ms)}, payloads {_PAYLOADS[payload_type]}"
            )
    key = _key(link, is_key_right=is_key_right, is_called_more=bool(missing))
    lines += _KEY_LINES[key]
    for condition in missing:
        execution = with_target(condition, here_id, there.executions)
        others = len(execution.target_ids) - 1
        lines.append(f"have ZITADEL call it at {execution.named}{_after(others)}")
    lines += [
        f"delete target {each.id} in ZITADEL, which an interrupted run left"
        for each in link.surplus
    ]
    return Plan(
        wanted=wanted,
        link=link,
        here=here,
        here_id=here_id,
        timeout_ms=timeout_ms,
        interrupts=not ignores,
        payload_type=payload_type,
        is_form_set=is_form_set,
        key=key,
        missing=missing,
        conditions=conditions,
        orgs=orgs,
        lines=tuple(lines),
    )


def _here(
    wanted: Wanted, here: pb.Target | None
) -> tuple[
    pb.CreateTargetRequest | pb.UpdateTargetRequest | None, Mapping[str, str], Sequence[str]
]:
    """Returns the request to make the target here as wanted, its organisations, and lines."""
    timeout_ms, ignores = _settings(wanted, here)
    if here is None:
        bound = {theirs: ours for theirs, ours in wanted.orgs.items() if ours}
        create = pb.CreateTargetRequest(name=wanted.name, orgs=bound, ignores_failures=ignores)
        create.timeout.FromMilliseconds(timeout_ms)
        line = f"create target {wanted.name} here, for {_shown(bound)}"
        return create, bound, [line]
    changes = {
        theirs: ours for theirs, ours in wanted.orgs.items() if here.orgs.get(theirs, "") != ours
    }
    orgs = {theirs: ours for theirs, ours in {**here.orgs, **changes}.items() if ours}
    update = pb.UpdateTargetRequest(target_id=here.id, orgs=changes)
    lines = []
    if bound := {theirs: ours for theirs, ours in changes.items() if ours}:
        lines.append(f"bind at target {here.id} here: {_shown(bound)}")
    if unbound := {theirs: ours for theirs, ours in changes.items() if not ours}:
        lines.append(f"unbind at target {here.id} here: {_shown(unbound)}")
    if timeout_ms != here.timeout.ToMilliseconds():
        update.timeout.FromMilliseconds(timeout_ms)
        lines.append(f"set the time limit of target {here.id} here: {duration_text(timeout_ms)}")
    if ignores != here.ignores_failures:
        update.ignores_failures = ignores
        how = "go on" if ignores else "fail"
        lines.append(f"let logins {how} after a failed run of target {here.id} here")
    return (update if lines else None), orgs, lines


def _settings(wanted: Wanted, here: pb.Target | None) -> tuple[int, bool]:
    """Returns the time limit in milliseconds, and True if failures are ignored."""
    kept_ms = TIMEOUT_MS if here is None else here.timeout.ToMilliseconds()
    kept = False if here is None else here.ignores_failures
    timeout_ms = kept_ms if wanted.timeout_ms is None else wanted.timeout_ms
    return timeout_ms, kept if wanted.ignores_failures is None else wanted.ignores_failures


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


_KEY_LINES: Final[Mapping[Key, Sequence[str]]] = {
    Key.KEEP: (),
    Key.SET: ("store its signing key here",),
    Key.SET_IF_OTHER: ("store its signing key here, if it is another",),
    Key.RENEW: ("have ZITADEL make a new signing key, and store it here",),
}


def _calls_at(condition: Condition, link: Link, there: There) -> bool:
    ids = target_ids_at(condition, there.executions)
    return link.there is not None and link.there.id in ids


def _after(others: int) -> str:
    return "" if not others else f", after {others} {'other' if others == 1 else 'others'}"


def _shown(orgs: Mapping[str, str]) -> str:
    """Returns the first organisations, as options have them."""
    shown = [f"{theirs}={ours}" for theirs, ours in orgs.items()][:_ORGS_SHOWN]
    left = len(orgs) - len(shown)
    noun = "organisation" if len(orgs) == 1 else "organisations"
    more = f" and {left} more" if left else ""
    return f"{len(orgs)} {noun}" + (f" ({', '.join(shown)}{more})" if shown else "")
