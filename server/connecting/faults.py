"""Says what is wrong between a target here and the one in ZITADEL that calls it. No I/O."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import (
    JSON,
    JWE,
    JWT,
    TargetThere,
    There,
    duration_text,
)
from server.connecting.conditions import Condition, target_ids_at
from server.connecting.link import Link
from server.connecting.probe import ProbeAnswer

_CONNECT: Final = "run bridge connect"
_TAKEN: Final = {pb.PAYLOAD_TYPE_JWT: JWT, pb.PAYLOAD_TYPE_JWE: JWE}
_PAYLOADS: Final = {JSON: "JSON", JWT: "JWTs", JWE: "JWEs"}


@dataclass(frozen=True, slots=True)
class Found:
    """Holds what was read of both sides.

    Attributes:
        conditions: at which the target is to be called.
        orgs_here: ids of all organisations here.
        orgs_there: ids of all organisations in ZITADEL.
        answer: of the target; None if it was not called.
    """

    link: Link
    there: There
    conditions: Sequence[Condition]
    orgs_here: Collection[str]
    orgs_there: Collection[str]
    answer: ProbeAnswer | None


def faults_of(found: Found) -> list[str]:
    """Returns what is wrong, a line each."""
    here, there = found.link.here, found.link.there
    if here is None:
        return [f"no target here is called by this ZITADEL: {_CONNECT}"]
    if there is None:
        return [
            f"target {here.id} here is called by no target in ZITADEL, whose endpoint would end in"
            f" /targets/{here.id}: {_CONNECT}"
        ]
    return [
        *_of_targets(here, there),
        *_of_executions(found, there),
        *_of_orgs(here, found),
        *_of_answer(there, found.answer),
    ]


def _of_targets(here: pb.Target, there: TargetThere) -> Iterator[str]:
    if not here.has_signing_key:
        yield f"target {here.id} here has no signing key: {_CONNECT}"
    if not there.is_call:
        yield f"target {there.id} in ZITADEL is no restCall, so its answers are dropped: {_CONNECT}"
    timeout_ms = here.timeout.ToMilliseconds()
    if there.timeout_ms != timeout_ms:
        yield (
            f"target {there.id} in ZITADEL has the time limit {duration_text(there.timeout_ms)},"
            f" target {here.id} here {duration_text(timeout_ms)}: {_CONNECT}"
        )
    if there.is_call and there.interrupts == here.ignores_failures:
        how = "ends" if there.interrupts else "goes on with"
        meant = "go on" if here.ignores_failures else "fail"
        yield (
            f"target {there.id} in ZITADEL {how} a login whose call fails, though target {here.id}"
            f" here lets it {meant}: {_CONNECT}"
        )
    taken = _TAKEN.get(here.payload_type, JSON)
    if there.payload_type != taken:
        sent = _PAYLOADS.get(there.payload_type, there.payload_type)
        yield (
            f"target {there.id} in ZITADEL sends {sent}, target {here.id} here takes"
            f" {_PAYLOADS[taken]}: see bridge target update --payload"
        )


def _of_executions(found: Found, there: TargetThere) -> Iterator[str]:
    for condition in found.conditions:
        times = target_ids_at(condition, found.there.executions).count(there.id)
        if times != 1:
            called = f"called {times} times" if times else "not called"
            yield (f"target {there.id} in ZITADEL is {called} at {condition.named}: {_CONNECT}")
    for other in found.link.surplus:
        yield f"target {other.id} in ZITADEL has the same path, and nothing calls it: {_CONNECT}"
    for other in found.link.doubles:
        yield (
            f"target {other.id} in ZITADEL has the same path and is called, so that actions run"
            " twice: take it out of its executions"
        )


def _of_orgs(here: pb.Target, found: Found) -> Iterator[str]:
    if not here.orgs:
        yield f"target {here.id} here has no organisation: {_CONNECT}"
    for theirs, ours in sorted(here.orgs.items()):
        unbind = f"bridge target update {here.id} --org {theirs}="
        if ours not in found.orgs_here:
            yield f"organisation {theirs} is bound to {ours}, which is not here: {unbind}"
        if theirs not in found.orgs_there:
            yield f"organisation {theirs}, bound to {ours}, is not in ZITADEL: {unbind}"


def _of_answer(there: TargetThere, answer: ProbeAnswer | None) -> Iterator[str]:
    if answer is not None and answer.fault:
        yield f"POST {there.endpoint}: {answer.fault}"
