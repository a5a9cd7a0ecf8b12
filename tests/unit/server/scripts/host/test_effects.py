"""Sends effects that no script can ask for, as a worker under foreign control might."""

import json

import pytest

from server.scripts.host import contexts
from server.scripts.host.effects import EFFECTS_MAX_BYTES, Collector, EffectError, TooMuch
from server.triggers import Trigger


def collector(trigger: Trigger) -> Collector:
    return Collector(trigger, contexts.pack(*trigger, {}))


@pytest.mark.parametrize(
    ("trigger", "payload"),
    [
        pytest.param((2, 4), b"", id="nothing"),
        pytest.param((2, 4), b"{", id="no JSON"),
        pytest.param((2, 4), b"[]", id="no object"),
        pytest.param((2, 4), b'{"op":"other"}', id="unknown"),
        pytest.param((2, 4), b'{"op":"claim","key":"k"}', id="without a value"),
        pytest.param((2, 4), b'{"op":"claim","key":5,"value":1}', id="key of a number"),
        pytest.param((2, 4), b'{"op":"claim","key":"\xff","value":1}', id="no UTF-8"),
        pytest.param((2, 4), b'{"op":"claim","key":"\\ud800","value":1}', id="lone surrogate"),
        pytest.param(
            (2, 4),
            b'{"op":"claim","key":"k","value":' + b"[" * 255 + b"]" * 255 + b"}",
            id="deep",
        ),
        pytest.param((2, 4), b'{"op":"claim","key":"k","value":{"a"}}', id="value that is none"),
        pytest.param((2, 4), b'{"op":"field","name":"email","value":"x"}', id="of another trigger"),
        pytest.param((4, 6), b'{"op":"claim","key":"k","value":1}', id="claim of SAML"),
        pytest.param((1, 1), b'{"op":"field","name":"id","value":"x"}', id="field that none has"),
        pytest.param((1, 1), b'{"op":"field","name":"username","value":"x"}', id="not of 1/1"),
        pytest.param((1, 2), b'{"op":"field","name":"gender","value":true}', id="bool for number"),
        pytest.param((1, 2), b'{"op":"field","name":"email","value":1}', id="number for text"),
        pytest.param((1, 1), b'{"op":"entry","at":1,"key":"k"}', id="hole"),
        pytest.param((1, 1), b'{"op":"entry","at":-1,"key":"k"}', id="before the list"),
        pytest.param((1, 1), b'{"op":"entry","at":0,"key":"k","octets":[256]}', id="no octet"),
        pytest.param((3, 1), b'{"op":"field","name":"email","value":"x"}', id="field of 3/1"),
        pytest.param(
            (1, 3),
            b'{"op":"grant","at":0,"project_id":"p","project_grant_id":"","roles":[1]}',
            id="role of a number",
        ),
    ],
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
