"""Times as texts, and back."""

import pytest

from server.clock import exact_text_of, time_of
from tests.support.tables import cases


@cases(
    "time, text",
    {
        "first": (0, "1970-01-01T00:00:00.000000Z"),
        "microsecond": (1_767_323_045_678_901, "2026-01-02T03:04:05.678901Z"),
        "before the first": (-1, "1969-12-31T23:59:59.999999Z"),
        "year 9999": (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    },
)
def test_a_time_and_its_text_are_one(time: int, text: str) -> None:
    assert exact_text_of(time) == text
    assert time_of(text) == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "1970-01-01",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000000",
        "1970-01-01T00:00:00.000000+00:00",
        "1970-01-01 00:00:00.000000Z",
        "1970-13-01T00:00:00.000000Z",
    ],
)
def test_a_text_of_another_form_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        time_of(text)
