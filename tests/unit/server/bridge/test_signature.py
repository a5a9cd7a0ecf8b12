"""Signatures of targets' calls: what a header may have, and what proves a body."""

import hashlib
import hmac

import pytest

from server.bridge.signature import BadSignature, Signed, parse, sign, verify
from tests.support.tables import cases

NOW = 1_700_000_000
KEY, OTHER_KEY = "zitadel-signing-key", "another-key"
BODY = b'{"function":"function/preuserinfo"}'
ONE = "11" * 32
TWO = "22" * 32


def test_a_signature_is_the_hmac_of_time_dot_and_body() -> None:
    expected = hmac.new(KEY.encode(), b"1700000000." + BODY, hashlib.sha256).digest()
    assert sign("1700000000", BODY, key=KEY) == expected


@cases(
    "header, signatures",
    {
        "one": (f"t={NOW},v1={ONE}", [ONE]),
        "several": (f"t={NOW},v1={ONE},v1={TWO}", [ONE, TWO]),
        "time behind": (f"v1={ONE},t={NOW}", [ONE]),
        "blanks": (f"t={NOW}, v1={ONE}", [ONE]),
        "upper case": (f"t={NOW},v1={'AB' * 32}", ["ab" * 32]),
        "other parts": (f"t={NOW},v0=x,v1={ONE},kid,=,v2={TWO}", [ONE]),
        "one that is no signature": (f"t={NOW},v1=abc,v1={TWO}", [TWO]),
        "a time at the window's beginning": (f"t={NOW - 300},v1={ONE}", [ONE]),
        "a time at the window's end": (f"t={NOW + 300},v1={ONE}", [ONE]),
    },
)
def test_a_header_has_one_time_and_signatures(header: str, signatures: list[str]) -> None:
    signed = parse(header, now_s=NOW)
    assert [each.hex() for each in signed.signatures] == signatures


@cases(
    "header, reason",
    {
        "none": (None, "ZITADEL-Signature: missing"),
        "empty": ("", "ZITADEL-Signature: expected one time"),
        "no time": (f"v1={ONE}", "ZITADEL-Signature: expected one time"),
        "two times": (f"t={NOW},t={NOW},v1={ONE}", "ZITADEL-Signature: expected one time"),
        "a time that is no number": (f"t=now,v1={ONE}", "ZITADEL-Signature: expected one time"),
        "a negative time": (f"t=-1,v1={ONE}", "ZITADEL-Signature: expected one time"),
        "a time in other digits": (f"t=\u0661,v1={ONE}", "ZITADEL-Signature: expected one time"),
        "no signature": (f"t={NOW}", "ZITADEL-Signature: expected 1 to 8 signatures v1"),
        "nine signatures": (
            f"t={NOW}" + f",v1={ONE}" * 9,
            "ZITADEL-Signature: expected 1 to 8 signatures v1",
        ),
        "an old one": (
            f"t={NOW - 301},v1={ONE}",
            "ZITADEL-Signature: its time is 301 s away, expected at most 300",
        ),
        "one of the future": (
            f"t={NOW + 301},v1={ONE}",
            "ZITADEL-Signature: its time is 301 s away, expected at most 300",
        ),
        "too long": (
            f"t={NOW},v1={ONE}," + "x" * 1024,
            "ZITADEL-Signature: expected at most 1024 characters",
        ),
    },
)
def test_a_header_that_proves_nothing_is_refused(header: str | None, reason: str) -> None:
    with pytest.raises(BadSignature) as refused:
        parse(header, now_s=NOW)
    assert str(refused.value) == reason


@cases(
    "keys, is_proved",
    {
        "the key": ([KEY], True),
        "another key": ([OTHER_KEY], False),
        "the key among others": ([OTHER_KEY, KEY], True),
    },
)
def test_a_body_is_proved_by_any_signature_of_the_key(keys: list[str], is_proved: bool) -> None:
    signed = Signed(str(NOW), tuple(sign(str(NOW), BODY, key=key) for key in keys))
    if is_proved:
        assert verify(signed, BODY, key=KEY) == sign(str(NOW), BODY, key=KEY)
    else:
        with pytest.raises(BadSignature):
            verify(signed, BODY, key=KEY)


@cases(
    "at_s, body",
    {
        "a changed body": (str(NOW), BODY + b" "),
        "an empty body": (str(NOW), b""),
        "another time": (str(NOW + 1), BODY),
        "the same time, written otherwise": (f"0{NOW}", BODY),
    },
)
def test_what_was_not_signed_is_refused(at_s: str, body: bytes) -> None:
    signed = Signed(at_s, (sign(str(NOW), BODY, key=KEY),))
    with pytest.raises(BadSignature) as refused:
        verify(signed, body, key=KEY)
    assert str(refused.value) == (
        "ZITADEL-Signature: signed by another key, or the body was changed"
    )
