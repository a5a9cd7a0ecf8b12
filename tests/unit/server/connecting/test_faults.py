"""Names each fault between a target here and the one in ZITADEL."""

from dataclasses import replace

from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import JSON, Execution, TargetThere, There
from server.connecting.conditions import FUNCTIONS
from server.connecting.faults import Found, faults_of
from server.connecting.link import Link
from server.connecting.probe import ProbeAnswer
from tests.support.tables import cases

ENDPOINT = "https://us.example/targets/1"
TARGET = TargetThere("91", "us", ENDPOINT, 10_000, True, True, JSON, signing_key="k")


def here(**fields: object) -> pb.Target:
    target = pb.Target(id="1", name="zitadel.example", has_signing_key=True, orgs={"100": "200"})
    target.timeout.FromSeconds(10)
    target.MergeFrom(pb.Target(**fields))  # type: ignore[arg-type]
    return target


def without(field: str) -> pb.Target:
    target = here()
    target.ClearField(field)  # type: ignore[arg-type]
    return target


def called(*ids: str) -> There:
    execution = Execution({"function": {"name": "preuserinfo"}}, ids)
    return There(frozenset(), [], [execution])


FOUND = Found(
    link=Link(here(), TARGET),
    there=called("7", "91"),
    conditions=FUNCTIONS[:1],
    orgs_here={"200"},
    orgs_there={"100"},
    answer=ProbeAnswer(),
)
OTHER = replace(TARGET, id="92")


def linked(ours: pb.Target | None = None, **changes: object) -> Found:
    theirs = replace(TARGET, **changes)  # type: ignore[arg-type]
    return replace(FOUND, link=Link(ours or here(), theirs))


def test_nothing_is_wrong() -> None:
    assert faults_of(FOUND) == []
    assert faults_of(replace(FOUND, answer=None)) == []
    jwt = linked(here(payload_type=pb.PAYLOAD_TYPE_JWT), payload_type="PAYLOAD_TYPE_JWT")
    assert faults_of(jwt) == []
    same = linked(here(payload_type=pb.PAYLOAD_TYPE_JSON), payload_type="PAYLOAD_TYPE_JSON")
    assert faults_of(same) == []


@cases(
    "found, fault",
    {
        "nothing": (
            replace(FOUND, link=Link()),
            "no target here is called by this ZITADEL: run bridge connect",
        ),
        "a target here alone": (
            replace(FOUND, link=Link(here())),
            "target 1 here is called by no target in ZITADEL, whose endpoint would end in"
            " /targets/1: run bridge connect",
        ),
        "no key": (
            linked(without("has_signing_key")),
            "target 1 here has no signing key: run bridge connect",
        ),
        "a webhook": (
            linked(is_call=False),
            "target 91 in ZITADEL is no restCall, so its answers are dropped: run bridge connect",
        ),
        "time limits": (
            linked(timeout_ms=2500),
            "target 91 in ZITADEL has the time limit 2.500s, target 1 here 10s: run bridge connect",
        ),
        "errors that do not end": (
            linked(interrupts=False),
            "target 91 in ZITADEL goes on with a login whose call fails, though target 1 here lets"
            " it fail: run bridge connect",
        ),
        "errors that end": (
            linked(here(ignores_failures=True)),
            "target 91 in ZITADEL ends a login whose call fails, though target 1 here lets it go"
            " on: run bridge connect",
        ),
        "the form of payloads": (
            linked(payload_type="PAYLOAD_TYPE_JWE"),
            "target 91 in ZITADEL sends JWEs, target 1 here takes JSON: see bridge target update"
            " --payload",
        ),
        "a function": (
            replace(FOUND, there=called("7")),
            "target 91 in ZITADEL is not called at function preuserinfo: run bridge connect",
        ),
        "a function that calls twice": (
            replace(FOUND, there=called("91", "7", "91")),
            "target 91 in ZITADEL is called 2 times at function preuserinfo: run bridge connect",
        ),
        "a target too many": (
            replace(FOUND, link=Link(here(), TARGET, surplus=(OTHER,))),
            "target 92 in ZITADEL has the same path, and nothing calls it: run bridge connect",
        ),
        "a target that runs actions twice": (
            replace(FOUND, link=Link(here(), TARGET, doubles=(OTHER,))),
            "target 92 in ZITADEL has the same path and is called, so that actions run twice: take"
            " it out of its executions",
        ),
        "no organisation": (
            linked(without("orgs")),
            "target 1 here has no organisation: run bridge connect",
        ),
        "an organisation that is not here": (
            replace(FOUND, orgs_here=set()),
            "organisation 100 is bound to 200, which is not here: bridge target update 1 --org"
            " 100=",
        ),
        "an organisation that is not there": (
            replace(FOUND, orgs_there=set()),
            "organisation 100, bound to 200, is not in ZITADEL: bridge target update 1 --org 100=",
        ),
        "the answer": (
            replace(FOUND, answer=ProbeAnswer("cannot connect: Connection refused")),
            f"POST {ENDPOINT}: cannot connect: Connection refused",
        ),
    },
)
def test_a_fault_is_told(found: Found, fault: str) -> None:
    assert faults_of(found) == [fault]
