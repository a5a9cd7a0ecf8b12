"""Compares the target here with what is wanted, and says what is to change. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import duration_text
from server.connecting.wanted import Wanted

TIMEOUT_MS: Final = 10_000
"""Milliseconds of the time limit of targets that are made, as ZITADEL's console proposes."""

_ORGS_SHOWN: Final = 5

T = TypeVar("T")
Request: TypeAlias = pb.CreateTargetRequest | pb.UpdateTargetRequest


@dataclass(frozen=True, slots=True)
class HerePlan:
    """Describes the target here as it is to be.

    Attributes:
        id: empty if it is to be created.
        request: creates or changes it; None if it is as wanted.
        timeout_ms, ignores_failures: as they then are.
        orgs: organisations here by those there, as they then are.
        lines: say what changes, a line each.
    """

    id: str
    request: Request | None
    timeout_ms: int
    ignores_failures: bool
    orgs: Mapping[str, str]
    lines: Sequence[str]


def here_plan_of(wanted: Wanted, here: pb.Target | None) -> HerePlan:
    """Returns what is to change of the target here, or that it is to be created."""
    return _created(wanted) if here is None else _changed(wanted, here)


def _created(wanted: Wanted) -> HerePlan:
    orgs = {theirs: ours for theirs, ours in wanted.orgs.items() if ours}
    timeout_ms = _or(wanted.timeout_ms, TIMEOUT_MS)
    ignores = _or(wanted.ignores_failures, False)
    request = pb.CreateTargetRequest(name=wanted.name, orgs=orgs, ignores_failures=ignores)
    request.timeout.FromMilliseconds(timeout_ms)
    lines = [f"create target {wanted.name} here, for {_shown(orgs)}"]
    return HerePlan("", request, timeout_ms, ignores, orgs, lines)


def _changed(wanted: Wanted, here: pb.Target) -> HerePlan:
    kept_ms = here.timeout.ToMilliseconds()
    timeout_ms = _or(wanted.timeout_ms, kept_ms)
    ignores = _or(wanted.ignores_failures, here.ignores_failures)
    changes = {
        theirs: ours for theirs, ours in wanted.orgs.items() if here.orgs.get(theirs, "") != ours
    }
    request = pb.UpdateTargetRequest(target_id=here.id, orgs=changes)
    lines = _org_lines(here.id, changes)
    if timeout_ms != kept_ms:
        request.timeout.FromMilliseconds(timeout_ms)
        lines.append(f"set the time limit of target {here.id} here: {duration_text(timeout_ms)}")
    if ignores != here.ignores_failures:
        request.ignores_failures = ignores
        how = "go on" if ignores else "fail"
        lines.append(f"let logins {how} after a failed run of target {here.id} here")
    orgs = {theirs: ours for theirs, ours in {**here.orgs, **changes}.items() if ours}
    return HerePlan(here.id, request if lines else None, timeout_ms, ignores, orgs, lines)


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _org_lines(target_id: str, changes: Mapping[str, str]) -> list[str]:
    bound = {theirs: ours for theirs, ours in changes.items() if ours}
    unbound = {theirs: ours for theirs, ours in changes.items() if not ours}
    return [
        f"{verb} at target {target_id} here: {_shown(orgs)}"
        for verb, orgs in (("bind", bound), ("unbind", unbound))
        if orgs
    ]


def _shown(orgs: Mapping[str, str]) -> str:
    """Returns the first organisations, as options have them."""
    shown = [f"{theirs}={ours}" for theirs, ours in orgs.items()][:_ORGS_SHOWN]
    left = len(orgs) - len(shown)
    noun = "organisation" if len(orgs) == 1 else "organisations"
    more = f" and {left} more" if left else ""
    return f"{len(orgs)} {noun}" + (f" ({', '.join(shown)}{more})" if shown else "")
