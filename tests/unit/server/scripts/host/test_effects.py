"""Sends effects that no script can ask for, as a worker under foreign control might."""

import json

import pytest

from server.scripts.host import contexts
from server.scripts.host.effects import EFFECTS_MAX_BYTES, Collector, EffectError, TooMuch
from server.triggers import Trigger
from tests.support.tables import cases


def collector(trigger: Trigger) -> Collector:
    return Collector(trigger, contexts.pack(*trigger, {}))


@cases(
    "trigger, payload",
    {
        "nothing": ((2, 4), b""),
        "no JSON": ((2, 4), b"{"),
        "no object": ((2, 4), b"[]"),
        "unknown": ((2, 4), b'{"op":"other"}'),
        "without a value": ((2, 4), b'{"op":"claim","key":"k"}'),
        "key of a number": ((2, 4), b'{"op":"claim","key":5,"value":1}'),
        "no UTF-8": ((2, 4), b'{"op":"claim","key":"\xff","value":1}'),
        "lone surrogate": ((2, 4), b'{"op":"claim","key":"\\ud800","value":1}'),
        "deep": ((2, 4), b'{"op":"claim","key":"k","value":' + b"[" * 255 + b"]" * 255 + b"}"),
        "value that is none": ((2, 4), b'{"op":"claim","key":"k","value":{"a"}}'),
        "of another trigger": ((2, 4), b'{"op":"field","name":"email","value":"x"}'),
        "claim of SAML": ((4, 6), b'{"op":"claim","key":"k","value":1}'),
        "field that none has": ((1, 1), b'{"op":"field","name":"id","value":"x"}'),
        "not of 1/1": ((1, 1), b'{"op":"field","name":"username","value":"x"}'),
        "bool for number": ((1, 2), b'{"op":"field","name":"gender","value":true}'),
        "number for text": ((1, 2), b'{"op":"field","name":"email","value":1}'),
        "hole": ((1, 1), b'{"op":"entry","at":1,"key":"k"}'),
        "before the list": ((1, 1), b'{"op":"entry","at":-1,"key":"k"}'),
        "no octet": ((1, 1), b'{"op":"entry","at":0,"key":"k","octets":[256]}'),
        "field of 3/1": ((3, 1), b'{"op":"field","name":"email","value":"x"}'),
        "role of a number": (
            (1, 3),
            b'{"op":"grant","at":0,"project_id":"p","project_grant_id":"","roles":[1]}',
        ),
    },
)
def test_an_invalid_effect_is_refused(trigger: Trigger, payload: bytes) -> None:
    with pytest.raises(EffectError):
        collector(trigger).apply(payload)


def test_effects_are_bounded() -> None:
    found = collector((2, 4))
    op = json.dumps({"op": "claim_log", "entry": "x" * 100_000}).encode()
    for _ in range(EFFECTS_MAX_BYTES // len(op)):
        found.apply(op)
    with pytest.raises(TooMuch, match=f"the run are more than {EFFECTS_MAX_BYTES} bytes"):
        found.apply(op)


def test_a_list_is_bounded() -> None:
    found = collector((1, 1))
    for at in range(1000):
        found.apply(b'{"op":"entry","at":%d,"key":"k"}' % at)
    with pytest.raises(EffectError):
        found.apply(b'{"op":"entry","at":1000,"key":"k"}')


def test_a_reserved_claim_is_never_set() -> None:
    found = collector((2, 4))
    found.apply(b'{"op":"claim","key":"urn:zitadel:iam:org:id","value":"other"}')
    assert dict(found.effects().claims) == {}
