import time

import pytest

from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.protocols.connect.timeout import deadline_of


def test_a_call_without_the_header_has_no_deadline() -> None:
    assert deadline_of({}) is None


@cases(
    "text, seconds",
    {
        "none left": ("0", 0),
        "some": ("1500", 1.5),
        "ten digits": ("9999999999", 9999999.999),
    },
)
def test_the_header_has_milliseconds(text: str, seconds: float) -> None:
    before = time.monotonic()
    deadline = deadline_of({"Connect-Timeout-Ms": text})
    assert deadline is not None
    assert before + seconds <= deadline <= time.monotonic() + seconds


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1s", "12345678901", "\u0661"])
def test_a_malformed_header_is_refused(text: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        deadline_of({"Connect-Timeout-Ms": text})
    expected = f"header Connect-Timeout-Ms: expected 1 to 10 digits, got '{text}'"
    assert caught.value.message == expected
