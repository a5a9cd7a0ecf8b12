"""Errors of messages without a JSON form: the path, and the reason."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.schemas import KINDS, KINDS_POOL, kinds
from tests.support.tables import cases
from transcoder.codec.codec import Codec
from transcoder.codec.scalars import Fault

CODEC = Codec(pool=KINDS_POOL)

YEAR_10000 = "{ seconds: 253402300800 }"
LATE = "a Timestamp outside of the years 1 to 9999"
UNKNOWN = "{ type_url: 'a/no.Such' value: 'x' }"
UNKNOWN_TYPE = "an Any of an unknown type: no.Such"


def fault_of(write: Callable[[], object]) -> str:
    with pytest.raises(Fault) as caught:
        write()
    return caught.value.text("the message")


@cases(
    "message, fault",
    {
        "field": (f"one_timestamp {YEAR_10000}", f"oneTimestamp: {LATE}"),
        "element of a list": (
            f"one_timestamp {{}} many_timestamp {{}} many_timestamp {YEAR_10000}",
            f"manyTimestamp[1]: {LATE}",
        ),
        "value of a map": (
            f"map_timestamp {{ key: 'a b' value {YEAR_10000} }}",
            f"mapTimestamp['a b']: {LATE}",
        ),
        "far within": (
            f"many_kinds {{}} many_kinds {{ map_kinds {{ key: 'k' value {{ "
            f"choose_timestamp {YEAR_10000} }} }} }}",
            f"manyKinds[1].mapKinds['k'].chooseTimestamp: {LATE}",
        ),
        "Any of an unknown type": (f"one_any {UNKNOWN}", f"oneAny: {UNKNOWN_TYPE}"),
        "Any of another type": (
            "one_any { type_url: 'a/test.Kinds' value: '\\xff' }",
            "oneAny: an Any whose value is not a test.Kinds",
        ),
        "within an Any": (
            f"one_any {{ [type.googleapis.com/test.Kinds] {{ many_any {UNKNOWN} }} }}",
            f"oneAny.manyAny[0]: {UNKNOWN_TYPE}",
        ),
        "NaN, Value": ("one_value { number_value: nan }", "oneValue: a Value that holds nan"),
        "NaN in a Struct": (
            "one_struct { fields { key: 'a' value { number_value: nan } } }",
            "oneStruct['a']: a Value that holds nan",
        ),
        "Timestamp with negative nanos": ("one_timestamp { nanos: -1 }", f"oneTimestamp: {LATE}"),
        "Duration of two signs": (
            "one_duration { seconds: 1 nanos: -1 }",
            "oneDuration: a Duration outside of its range",
        ),
        "FieldMask with a digit behind _": (
            "one_fieldmask { paths: 'foo_3' }",
            "oneFieldmask: a FieldMask path without a JSON form",
        ),
        "infinity in a Struct": (
            "one_struct { fields { key: 'a' value { list_value { values {} "
            "values { number_value: inf } } } } }",
            "oneStruct['a'][1]: a Value that holds inf",
        ),
        "Duration": (
            "one_duration { seconds: 315576000001 }",
            "oneDuration: a Duration outside of its range",
        ),
        "FieldMask": (
            "one_fieldmask { paths: 'fooBar' }",
            "oneFieldmask: a FieldMask path without a JSON form",
        ),
    },
)
def test_a_fault_names_the_path_and_the_reason(message: str, fault: str) -> None:
    made = kinds(message)
    assert fault_of(lambda: CODEC.encode(made)) == fault
    # The same of one field, as response_body has it: the last one that is set.
    field = KINDS.ListFields(made)[-1][0]
    assert fault_of(lambda: CODEC.encoder(KINDS, field.name)(made)) == fault


@pytest.mark.parametrize(
    "levels", [300, 5000], ids=["more than orjson has", "more than Python has"]
)
def test_a_message_that_is_too_deep_is_said_to_be_so(levels: int) -> None:
    made: Any = KINDS()
    held = made
    for _ in range(levels):
        held = held.one_kinds
    held.SetInParent()
    assert fault_of(lambda: CODEC.encode(made)).endswith(
        "oneKinds.oneKinds: nested in more than 254 levels"
    )


def test_a_whole_message_that_fails_is_its_own_place() -> None:
    late = Timestamp(seconds=253402300800)
    assert fault_of(lambda: Codec().encode(late)) == f"the message: {LATE}"
