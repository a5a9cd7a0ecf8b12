"""Targets as they are stored."""

import pytest

from server.bridge.encryption_keys import KeyType, new_key
from server.bridge.targets import PayloadType, Target, UnreadableTarget, read, write
from tests.support.tables import cases

TARGET = Target(
    id="1",
    name="production",
    signing_key="a secret",
    timeout_ms=10_000,
    ignores_failures=True,
    orgs={"100": "200"},
    payload=PayloadType.JWE,
    issuer="https://zitadel.example",
    keys=(new_key("2", KeyType.EC, created_at=1_700_000_000_000_000),),
)


def test_a_target_is_read_as_it_was_written() -> None:
    assert read("1", write(TARGET)) == TARGET


def test_a_target_that_was_written_without_a_form_of_payloads_is_sent_json() -> None:
    stored = (
        b'{"form":1,"name":"a","signing_key":"k","timeout_ms":1,"ignores_failures":false,"orgs":{}}'
    )
    target = read("1", stored)
    assert (target.payload, target.issuer, target.keys) == (PayloadType.JSON, "", ())


def test_what_is_printed_of_a_target_has_no_key() -> None:
    assert "a secret" not in repr(TARGET)


@cases(
    "stored, reason",
    {
        "a later form": (
            write(TARGET).replace(b'"form":1', b'"form":2'),
            "target 1: expected form 1, got 2",
        ),
        "no JSON": (b"x", "target 1: unknown form"),
        "another JSON": (b'{"form":1}', "target 1: unknown form"),
    },
)
def test_another_form_is_refused(stored: bytes, reason: str) -> None:
    with pytest.raises(UnreadableTarget) as refused:
        read("1", stored)
    assert str(refused.value) == reason


@cases(
    "timeout_ms, deadline_s",
    {"10 s": (10_000, 9.5), "1 s": (1000, 0.5), "less": (200, 0.1), "1 ms": (1, 0.001)},
)
def test_a_call_is_answered_before_the_time_limit(timeout_ms: int, deadline_s: float) -> None:
    target = Target(
        id="1", name="a", signing_key="", timeout_ms=timeout_ms, ignores_failures=False, orgs={}
    )
    assert target.deadline_s == deadline_s
