"""Timestamp, Duration and FieldMask as JSON, at the edges of their ranges."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.schemas import KINDS
from tests.support.tables import cases
from transcoder.codec import wellknown
from transcoder.codec.scalars import Fault


@cases(
    "seconds, nanos, text",
    {
        "epoch": (0, 0, "1970-01-01T00:00:00Z"),
        "leap day": (1709210096, 0, "2024-02-29T12:34:56Z"),
        "3 digits": (0, 500_000_000, "1970-01-01T00:00:00.500Z"),
        "6 digits": (0, 1_000, "1970-01-01T00:00:00.000001Z"),
        "9 digits": (0, 1, "1970-01-01T00:00:00.000000001Z"),
        "before the epoch": (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
        "first second": (-62135596800, 0, "0001-01-01T00:00:00Z"),
        "last nano": (253402300799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
    },
)
def test_a_timestamp_and_its_text_are_read_as_each_other(
    seconds: int, nanos: int, text: str
) -> None:
    timestamp = Timestamp(seconds=seconds, nanos=nanos)
    assert wellknown.timestamp_json(timestamp) == text
    assert _read(Timestamp(), text) == timestamp


@cases(
    "text, seconds, nanos",
    {
        "1 digit": ("1970-01-01T00:00:00.5Z", 0, 500_000_000),
        "4 digits": ("1970-01-01T00:00:00.1234Z", 0, 123_400_000),
        "zeros": ("1970-01-01T00:00:00.000Z", 0, 0),
        "east": ("1970-01-01T01:30:00+01:30", 0, 0),
        "west, with a fraction": ("1969-12-31T18:30:00.25-05:30", 0, 250_000_000),
        "unknown offset": ("1970-01-01T00:00:00-00:00", 0, 0),
        "first second, far east": ("0001-01-01T23:59:00+23:59", -62135596800, 0),
    },
)
def test_other_forms_of_rfc_3339_are_read(text: str, seconds: int, nanos: int) -> None:
    expected = Timestamp(seconds=seconds, nanos=nanos)
    assert _read(Timestamp(), text) == expected


@cases(
    "text",
    {
        "empty": "",
        "day alone": "1970-01-01",
        "no zone": "1970-01-01T00:00:00",
        "no seconds": "1970-01-01T00:00Z",
        "lower-case t": "1970-01-01t00:00:00Z",
        "lower-case z": "1970-01-01T00:00:00z",
        "space for T": "1970-01-01 00:00:00Z",
        "one digit": "1970-1-1T00:00:00Z",
        "week": "1970-W01-1T00:00:00Z",
        "other digits": "١٩٧٠-01-01T00:00:00Z",
        "no digits in the fraction": "1970-01-01T00:00:00.Z",
        "10 digits": "1970-01-01T00:00:00.1234567890Z",
        "comma": "1970-01-01T00:00:00,5Z",
        "hour 24": "1970-01-01T24:00:00Z",
        "minute 60": "1970-01-01T00:60:00Z",
        "leap second": "1970-01-01T00:00:60Z",
        "29 February": "1970-02-29T00:00:00Z",
        "month 13": "1970-13-01T00:00:00Z",
        "year 0": "0000-01-01T00:00:00Z",
        "year 10000": "10000-01-01T00:00:00Z",
        "before the first second": "0001-01-01T00:00:00+00:01",
        "after the last second": "9999-12-31T23:59:59-00:01",
        "offset of a day": "1970-01-01T00:00:00+24:00",
        "offset of 60 minutes": "1970-01-01T00:00:00+00:60",
        "offset without a colon": "1970-01-01T00:00:00+0100",
        "text after": "1970-01-01T00:00:00Zx",
        "number": 5,
        "null": None,
    },
)
def test_other_text_is_no_timestamp(text: object) -> None:
    with pytest.raises(Fault, match=r"^expected a"):
        _read(Timestamp(), text)


@cases(
    "seconds, nanos, text",
    {
        "zero": (0, 0, "0s"),
        "3 digits": (1, 500_000_000, "1.500s"),
        "6 digits": (1, 1_000, "1.000001s"),
        "9 digits": (1, 1, "1.000000001s"),
        "negative": (-1, -500_000_000, "-1.500s"),
        "between 0 and -1": (0, -1_000_000, "-0.001s"),
        "longest": (315_576_000_000, 999_999_999, "315576000000.999999999s"),
        "shortest": (-315_576_000_000, -999_999_999, "-315576000000.999999999s"),
    },
)
def test_a_duration_and_its_text_are_read_as_each_other(
    seconds: int, nanos: int, text: str
) -> None:
    duration = Duration(seconds=seconds, nanos=nanos)
    assert wellknown.duration_json(duration) == text
    assert _read(Duration(), text) == duration


@cases(
    "text",
    {
        "empty": "",
        "no number": "s",
        "no unit": "1",
        "minutes": "1m",
        "Go's form": "1h2m",
        "no whole seconds": ".5s",
        "no digits in the fraction": "1.s",
        "plus": "+1s",
        "two signs": "--1s",
        "exponent": "1e2s",
        "space": " 1s",
        "10 digits": "1.0000000001s",
        "too long": "315576000001s",
        "too short": "-315576000001s",
        "5,000 digits": "9" * 5000 + "s",
        "number": 1,
    },
)
def test_other_text_is_no_duration(text: object) -> None:
    with pytest.raises(Fault, match=r"^expected a duration"):
        _read(Duration(), text)


@cases(
    "paths, text",
    {
        "empty": ([], ""),
        "one": (["a"], "a"),
        "several": (["foo_bar", "b.c_d"], "fooBar,b.cD"),
        "digits": (["a1_b2"], "a1B2"),
        "all fields": (["*"], "*"),
        "all fields of a message": (["a_b.*", "c"], "aB.*,c"),
        "key of a map": (["a_b.`x-y`"], "aB.`x-y`"),
        "key of a map, kept as it is": (["a_b.`X_y Z`.c_d"], "aB.`X_y Z`.cD"),
    },
)
def test_a_field_mask_and_its_text_are_read_as_each_other(paths: list[str], text: str) -> None:
    mask = FieldMask(paths=paths)
    assert wellknown.field_mask_json(mask) == text
    assert _read(FieldMask(), text) == mask


def test_a_path_that_json_does_not_read_is_written_as_it_is() -> None:
    assert wellknown.field_mask_json(FieldMask(paths=["a b", "ä_b/c"])) == "a b,äB/c"


@cases(
    "path",
    {
        "capital": "fooBar",
        "digit behind the underscore": "foo_3",
        "two underscores": "foo__bar",
        "underscore at the end": "foo_",
        "empty": "",
        "comma": "a,b",
        "comma in a key": "a.`b,c`",
        "key without an end": "a.`b",
    },
)
def test_a_mask_that_would_read_back_otherwise_is_not_written(path: str) -> None:
    with pytest.raises(Fault, match="FieldMask"):
        wellknown.field_mask_json(FieldMask(paths=[path]))


@cases(
    "text",
    {
        "underscore": "foo_bar",
        "empty path": "a,,b",
        "space": "a b",
        "key without an end": "a.`b",
        "number": 5,
    },
)
def test_other_text_is_no_field_mask(text: object) -> None:
    with pytest.raises(Fault, match="expected a field mask"):
        _read(FieldMask(), text)


def test_the_schema_of_every_kind_has_every_type_with_a_form_of_its_own() -> None:
    held = {field.message_type.full_name for field in KINDS.DESCRIPTOR.fields if field.message_type}
    assert held >= wellknown.SPECIAL


def _read(message: Message, value: object) -> Message:
    wellknown.TEXTUAL[message.DESCRIPTOR.full_name].read(message, value, 1)
    return message
