"""Secret keys are read from text; errors and reprs never have a part of it."""

import base64

import pytest

from server.sealing.keys import InvalidKeys, SecretKey, new_key_text, read_keys
from tests.support.tables import cases

ONES, TWOS = b"\x01" * 32, b"\x02" * 32
BASE64 = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


@cases(
    "text, octets",
    {
        "base64": (BASE64, [ONES]),
        "hex": ("02" * 32, [TWOS]),
        "hex, upper case": ("AB" * 32, [b"\xab" * 32]),
        "lines": (f"{BASE64}\n{'02' * 32}\n", [ONES, TWOS]),
        "commas and blanks": (f" {'02' * 32} , {BASE64}", [TWOS, ONES]),
        "one twice": (f"{BASE64},{'01' * 32}", [ONES]),
    },
)
def test_keys_are_read_in_their_order(text: str, octets: list[bytes]) -> None:
    assert [key.octets for key in read_keys(text)] == octets


@cases(
    "text",
    {
        "nothing": "",
        "blanks": " \n ",
        "too short": "AQEB",
        "too long": base64.b64encode(bytes(33)).decode(),
        "31 bytes in hex": "01" * 31,
        "no base64": "!" * 44,
        "a good one and a bad one": f"{BASE64},secret-that-is-wrong",
        "not ASCII": "ä" * 44,
    },
)
def test_a_wrong_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidKeys) as caught:
        read_keys(text)
    assert str(caught.value) in {
        "expected a key, got none",
        "expected 32 bytes in base64 or hex, got something else",
    }


def test_a_new_key_is_read_back_and_is_another_each_time() -> None:
    (one,), (other,) = read_keys(new_key_text()), read_keys(new_key_text())
    assert len(one.octets) == 32
    assert one.octets != other.octets


def test_the_id_of_a_key_is_stable_and_tells_nothing_else() -> None:
    key = SecretKey.of(ONES)
    assert key.id == "a030c7a51522cb03"
    assert repr(key) == f"SecretKey(id='{key.id}')"
