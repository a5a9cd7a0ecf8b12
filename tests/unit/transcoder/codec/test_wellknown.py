"""Timestamp, Duration and FieldMask as JSON, at the edges of their ranges."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from transcoder.codec import wellknown
from transcoder.codec.scalars import Fault


@pytest.mark.parametrize(
    ("seconds", "nanos", "text"),
    [
        pytest.param(0, 0, "1970-01-01T00:00:00Z", id="epoch"),
        pytest.param(1709210096, 0, "2024-02-29T12:34:56Z", id="leap day"),
        pytest.param(0, 500_000_000, "1970-01-01T00:00:00.500Z", id="3 digits"),
        pytest.param(0, 1_000, "1970-01-01T00:00:00.000001Z", id="6 digits"),
        pytest.param(0, 1, "1970-01-01T00:00:00.000000001Z", id="9 digits"),
        pytest.param(-1, 999_999_999, "1969-12-31T23:59:59.999999999Z", id="before the epoch"),
        pytest.param(-62135596800, 0, "0001-01-01T00:00:00Z", id="first second"),
        pytest.param(253402300799, 999_999_999, "9999-12-31T23:59:59.999999999Z", id="last nano"),
    ],
)
def test_a_timestamp_and_its_text_are_read_as_each_other(
    seconds: int, nanos: int, text: str
) -> None:
    timestamp = Timestamp(seconds=seconds, nanos=nanos)
    assert wellknown.timestamp_json(timestamp) == text
    assert Timestamp(**wellknown.read_timestamp(text, 1)) == timestamp


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        pytest.param("1970-01-01T00:00:00.5Z", 0, 500_000_000, id="1 digit"),
        pytest.param("1970-01-01T00:00:00.1234Z", 0, 123_400_000, id="4 digits"),
        pytest.param("1970-01-01T00:00:00.000Z", 0, 0, id="zeros"),
        pytest.param("1970-01-01T01:30:00+01:30", 0, 0, id="east"),
        pytest.param("1969-12-31T18:30:00.25-05:30", 0, 250_000_000, id="west, with a fraction"),
        pytest.param("1970-01-01T00:00:00-00:00", 0, 0, id="unknown offset"),
        pytest.param("0001-01-01T23:59:00+23:59", -62135596800, 0, id="first second, far east"),
    ],
)
def test_other_forms_of_rfc_3339_are_read(text: str, seconds: int, nanos: int) -> None:
    expected = Timestamp(seconds=seconds, nanos=nanos)
    assert Timestamp(**wellknown.read_timestamp(text, 1)) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("1970-01-01", id="day alone"),
        pytest.param("1970-01-01T00:00:00", id="no zone"),
        pytest.param("1970-01-01T00:00Z", id="no seconds"),
        pytest.param("1970-01-01t00:00:00Z", id="lower-case t"),
        pytest.param("1970-01-01T00:00:00z", id="lower-case z"),
        pytest.param("1970-01-01 00:00:00Z", id="space for T"),
        pytest.param("1970-1-1T00:00:00Z", id="one digit"),
        pytest.param("1970-W01-1T00:00:00Z", id="week"),
        pytest.param("١٩٧٠-01-01T00:00:00Z", id="other digits"),
        pytest.param("1970-01-01T00:00:00.Z", id="no digits in the fraction"),
        pytest.param("1970-01-01T00:00:00.1234567890Z", id="10 digits"),
        pytest.param("1970-01-01T00:00:00,5Z", id="comma"),
        pytest.param("1970-01-01T24:00:00Z", id="hour 24"),
        pytest.param("1970-01-01T00:60:00Z", id="minute 60"),
        pytest.param("1970-01-01T00:00:60Z", id="leap second"),
        pytest.param("1970-02-29T00:00:00Z", id="29 February"),
        pytest.param("1970-13-01T00:00:00Z", id="month 13"),
        pytest.param("0000-01-01T00:00:00Z", id="year 0"),
        pytest.param("10000-01-01T00:00:00Z", id="year 10000"),
        pytest.param("0001-01-01T00:00:00+00:01", id="before the first second"),
        pytest.param("9999-12-31T23:59:59-00:01", id="after the last second"),
        pytest.param("1970-01-01T00:00:00+24:00", id="offset of a day"),
        pytest.param("1970-01-01T00:00:00+00:60", id="offset of 60 minutes"),
        pytest.param("1970-01-01T00:00:00+0100", id="offset without a colon"),
        pytest.param("1970-01-01T00:00:00Zx", id="text after"),
        pytest.param(5, id="number"),
        pytest.param(None, id="null"),
    ],
)
def test_other_text_is_no_timestamp(text: object) -> None:
    with pytest.raises(Fault, match=r"^expected a"):
        wellknown.read_timestamp(text, 1)


@pytest.mark.parametrize(
    ("seconds", "nanos", "text"),
    [
        pytest.param(0, 0, "0s", id="zero"),
        pytest.param(1, 500_000_000, "1.500s", id="3 digits"),
        pytest.param(1, 1_000, "1.000001s", id="6 digits"),
        pytest.param(1, 1, "1.000000001s", id="9 digits"),
        pytest.param(-1, -500_000_000, "-1.500s", id="negative"),
        pytest.param(0, -1_000_000, "-0.001s", id="between 0 and -1"),
        pytest.param(315_576_000_000, 999_999_999, "315576000000.999999999s", id="longest"),
        pytest.param(-315_576_000_000, -999_999_999, "-315576000000.999999999s", id="shortest"),
    ],
)
def test_a_duration_and_its_text_are_read_as_each_other(
    seconds: int, nanos: int, text: str
) -> None:
    duration = Duration(seconds=seconds, nanos=nanos)
    assert wellknown.duration_json(duration) == text
    assert Duration(**wellknown.read_duration(text, 1)) == duration


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("s", id="no number"),
        pytest.param("1", id="no unit"),
        pytest.param("1m", id="minutes"),
        pytest.param("1h2m", id="Go's form"),
        pytest.param(".5s", id="no whole seconds"),
        pytest.param("1.s", id="no digits in the fraction"),
        pytest.param("+1s", id="plus"),
        pytest.param("--1s", id="two signs"),
        pytest.param("1e2s", id="exponent"),
        pytest.param(" 1s", id="space"),
        pytest.param("1.0000000001s", id="10 digits"),
        pytest.param("315576000001s", id="too long"),
        pytest.param("-315576000001s", id="too short"),
        pytest.param("9" * 5000 + "s", id="5,000 digits"),
        pytest.param(1, id="number"),
    ],
)
def test_other_text_is_no_duration(text: object) -> None:
    with pytest.raises(Fault, match=r"^expected a duration"):
        wellknown.read_duration(text, 1)


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        pytest.param([], "", id="empty"),
        pytest.param(["a"], "a", id="one"),
        pytest.param(["foo_bar", "b.c_d"], "fooBar,b.cD", id="several"),
        pytest.param(["a1_b2"], "a1B2", id="digits"),
    ],
)
def test_a_field_mask_and_its_text_are_read_as_each_other(paths: list[str], text: str) -> None:
    mask = FieldMask(paths=paths)
    assert wellknown.field_mask_json(mask) == text
    assert FieldMask(paths=wellknown.read_field_mask(text, 1)["paths"]) == mask


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("fooBar", id="capital"),
        pytest.param("foo_3", id="digit behind the underscore"),
        pytest.param("foo__bar", id="two underscores"),
        pytest.param("foo_", id="underscore at the end"),
        pytest.param("", id="empty"),
        pytest.param("a,b", id="comma"),
    ],
)
def test_a_mask_that_would_read_back_otherwise_is_not_written(path: str) -> None:
    with pytest.raises(Fault, match="FieldMask"):
        wellknown.field_mask_json(FieldMask(paths=[path]))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("foo_bar", id="underscore"),
        pytest.param("a,,b", id="empty path"),
        pytest.param("a b", id="space"),
        pytest.param(5, id="number"),
    ],
)
def test_other_text_is_no_field_mask(text: object) -> None:
    with pytest.raises(Fault, match="expected a field mask"):
        wellknown.read_field_mask(text, 1)
