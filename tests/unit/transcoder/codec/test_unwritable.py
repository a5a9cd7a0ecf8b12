"""What is said of a message that has no JSON form: where in it, and why."""

from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.tables import cases
from transcoder.codec.codec import Codec
from transcoder.codec.scalars import Fault

YEAR_10000 = "{ seconds: 253402300800 }"
LATE = "a Timestamp outside of the years 1 to 9999"
UNKNOWN = "{ type_url: 'a/no.Such' value: 'x' }"
UNKNOWN_TYPE = "an Any of a type that is not known: no.Such"


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
            "oneAny: an Any whose value is no test.Kinds",
        ),
        "within an Any": (
            f"one_any {{ [type.googleapis.com/test.Kinds] {{ many_any {UNKNOWN} }} }}",
            f"oneAny.manyAny[0]: {UNKNOWN_TYPE}",
        ),
        "NaN, Value": ("one_value { number_value: nan }", "oneValue: a Value that holds nan"),
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
            "oneFieldmask: a FieldMask path that does not read back the same",
        ),
    },
)
def test_a_fault_names_the_path_and_the_reason(
    pool: DescriptorPool, kinds: type[Message], message: str, fault: str
) -> None:
    made = text_format.Parse(message, kinds(), descriptor_pool=pool)
    with pytest.raises(Fault) as caught:
        Codec(pool=pool).encode(made)
    assert caught.value.text("the message") == fault
    # The same of one field, as response_body has it: the last one that is set.
    field = kinds.ListFields(made)[-1][0]
    with pytest.raises(Fault) as caught:
        Codec(pool=pool).encoder(kinds, field.name)(made)
    assert caught.value.text("the message") == fault


@pytest.mark.parametrize(
    "levels", [300, 5000], ids=["more than orjson has", "more than Python has"]
)
def test_a_message_that_is_too_deep_is_said_to_be_so(
    pool: DescriptorPool, kinds: type[Message], levels: int
) -> None:
    made: Any = kinds()
    held = made
    for _ in range(levels):
        held = held.one_kinds
    held.SetInParent()
    with pytest.raises(Fault) as caught:
        Codec(pool=pool).encode(made)
    text = caught.value.text("the message")
    assert text.endswith("oneKinds.oneKinds: nested in more than 254 levels")


def test_a_whole_message_that_fails_is_its_own_place() -> None:
    with pytest.raises(Fault) as caught:
        Codec().encode(Timestamp(seconds=253402300800))
    assert caught.value.text("the message") == f"the message: {LATE}"
