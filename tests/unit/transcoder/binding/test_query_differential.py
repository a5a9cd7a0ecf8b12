"""Queries against protobuf's own json_format: the same fields, as parameters and as JSON."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proto.everything_pb2 import Everything
from transcoder.binding.binder import Binder
from transcoder.binding.fields import Fields
from transcoder.codec.codec import Codec
from transcoder.errors import TranscodeError
from transcoder.registry import methods_of
from transcoder.routing.http_rule import bindings_of

QUICK = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Parameters = list[tuple[str, str]]
Filled = tuple[Parameters, dict[str, Any]]
"""Fields twice: as query parameters, and as the JSON of their message."""

Samples = Sequence[tuple[str, object]]
"""Text in a query, and the same value in JSON."""
INTEGERS: Samples = [("0", 0), ("1", "1"), ("7e1", 70)]
NUMBERS: Samples = [*INTEGERS, ("-0.5", -0.5), ("NaN", "NaN"), ("1e-3", 0.001)]
BYTES: Samples = [("", ""), ("AA==", "AA=="), ("_-8", "/+8=")]
TEXTS: Samples = [("", ""), ("a b+c", "a b+c"), ("é%&=[].", "é%&=[].")]
KINDS: dict[int, Samples] = {
    FieldDescriptor.CPPTYPE_INT32: [*INTEGERS, ("2147483647", 2147483647)],
    FieldDescriptor.CPPTYPE_INT64: [*INTEGERS, ("9223372036854775807", "9223372036854775807")],
    FieldDescriptor.CPPTYPE_UINT32: [*INTEGERS, ("4294967295", 4294967295)],
    FieldDescriptor.CPPTYPE_UINT64: [*INTEGERS, ("18446744073709551615", "18446744073709551615")],
    FieldDescriptor.CPPTYPE_DOUBLE: NUMBERS,
    FieldDescriptor.CPPTYPE_FLOAT: NUMBERS,
    FieldDescriptor.CPPTYPE_BOOL: [("true", True), ("false", False)],
    FieldDescriptor.CPPTYPE_ENUM: [("COLOR_RED", "COLOR_RED"), ("-2", "COLOR_BLUE"), ("7", 7)],
}
SPECIAL: dict[str, Samples] = {
    "Timestamp": [("1970-01-01T00:00:00.5Z", "1970-01-01T00:00:00.500Z")],
    "Duration": [("1.5s", "1.500s"), ("0s", "0s")],
    "FieldMask": [("", ""), ("aB,c.d", "aB,c.d"), ("a_b,c.d", "aB,c.d")],
    "Struct": [("{}", {}), ('{"a":[1,null]}', {"a": [1, None]})],
    "Value": [("null", None), ("1", 1), ('"a"', "a"), ("[]", []), ("{}", {})],
    "ListValue": [("[]", []), ("[1,{}]", [1, {}])],
}


def samples_of(field: FieldDescriptor) -> Samples | None:
    """None for a message whose fields are named one by one, or which has no form in a query."""
    if field.message_type is not None:
        name = field.message_type.name
        if name.endswith("Value") and name not in SPECIAL:
            return samples_of(field.message_type.fields_by_name["value"])
        return SPECIAL.get(name)
    if field.enum_type is not None and field.enum_type.name == "NullValue":
        return [("NULL_VALUE", None)]
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return BYTES if field.type == FieldDescriptor.TYPE_BYTES else TEXTS
    return KINDS[field.cpp_type]


@st.composite
def filled(draw: st.DrawFn, of: Descriptor, depth: int) -> Filled:
    """At least one field of a message."""
    parameters: Parameters = []
    members: dict[str, Any] = {}
    taken: set[str] = set()
    fields = draw(st.lists(st.sampled_from([*of.fields]), min_size=1, max_size=5 if depth else 2))
    for field in [*fields, of.fields_by_name["name" if of.name == "Everything" else "first"]]:
        once = field.containing_oneof.name if field.containing_oneof else field.name
        if once in taken:
            continue
        made = draw(field_of(field, depth))
        if made is not None:
            taken.add(once)
            parameters += made[0]
            members |= made[1]
    return parameters, members


@st.composite
def field_of(draw: st.DrawFn, field: FieldDescriptor, depth: int) -> Filled | None:
    name = draw(st.sampled_from([field.name, field.json_name]))
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        keys = KEYS[entry.fields_by_name["key"].cpp_type]
        chosen = draw(st.lists(st.sampled_from(keys), unique=True, min_size=1, max_size=2))
        pairs = [
            (key, draw(value_of(entry.fields_by_name["value"], f"{name}[{key}]", depth)))
            for key in chosen
        ]
        entries = {key: made for key, made in pairs if made is not None}
        if not entries:
            return None
        return [each for made in entries.values() for each in made[0]], {
            field.json_name: {key: made[1] for key, made in entries.items()}
        }
    if field.is_repeated:
        is_indexed = samples_of(field) is None
        elements = []
        for index in range(draw(st.integers(1, 3))):
            made = draw(value_of(field, f"{name}[{index}]" if is_indexed else name, depth))
            if made is None:
                return None
            elements.append(made)
        return [each for made in elements for each in made[0]], {
            field.json_name: [made[1] for made in elements]
        }
    made = draw(value_of(field, name, depth))
    return None if made is None else (made[0], {field.json_name: made[1]})


KEYS = {
    FieldDescriptor.CPPTYPE_STRING: ["", "a", "b.c", "[d", "é +&=%"],
    FieldDescriptor.CPPTYPE_BOOL: ["true", "false"],
    FieldDescriptor.CPPTYPE_INT32: ["0", "-1"],
    FieldDescriptor.CPPTYPE_INT64: ["0", "-9223372036854775808"],
    FieldDescriptor.CPPTYPE_UINT32: ["0", "4294967295"],
    FieldDescriptor.CPPTYPE_UINT64: ["0", "18446744073709551615"],
}


@st.composite
def value_of(
    draw: st.DrawFn, field: FieldDescriptor, name: str, depth: int
) -> tuple[Parameters, object] | None:
    samples = samples_of(field)
    if samples is not None:
        text, value = draw(st.sampled_from(samples))
        return [(name, text)], value
    of = field.message_type
    if of is None or of.name != "Part" or not depth:
        return None
    parameters, members = draw(filled(of, depth - 1))
    return [(f"{name}.{inner}", text) for inner, text in parameters], members


def reader(*, strict: bool) -> Binder:
    method = methods_of("everything.v1.Everythings")["/everything.v1.Everythings/Read"]
    rules = [binding.parse() for binding in bindings_of(method.descriptor)]
    rule = next(rule for rule in rules if not rule.template.variables)
    return Binder(method, rule, Fields(Codec(strict=strict)), strict=strict)


READERS = {strict: reader(strict=strict) for strict in (False, True)}


@QUICK
@given(made=filled(Everything.DESCRIPTOR, 3), data=st.data())
def test_a_query_makes_the_message_that_its_json_makes(made: Filled, data: st.DataObject) -> None:
    parameters, members = made
    # Values of one name keep their order; names may come in any.
    names = data.draw(st.permutations(sorted({name for name, _ in parameters})))
    query = "&".join(
        f"{quote_plus(name, safe=data.draw(st.sampled_from(['[].', ''])))}={quote_plus(text)}"
        for each in names
        for name, text in parameters
        if name == each
    )
    expected = json_format.ParseDict(members, Everything())
    assert READERS[True].bind([], query, b"").SerializeToString(deterministic=True) == (
        expected.SerializeToString(deterministic=True)
    )


NAME_PARTS = [
    *("part", "parts", "parts_by_key", "labels", "by_bool", "tags", "text", "number", "value"),
    *("first", "inner", "inners", "by_key", "left", "right", "nope", "", "name", "any", "struct"),
    *(".", "[", "]", "[0]", "[1]", "[99999]", "[a]", "[true]", "].", "%5B0%5D", "%zz", "%ff"),
]
VALUES = ["", "1", "true", "x", "null", "{}", "[", "%zz", "%ff", "1s", "=", "%00", '{"a":' * 40]


@QUICK
@given(
    parts=st.lists(
        st.tuples(st.lists(st.sampled_from(NAME_PARTS), max_size=6), st.sampled_from(VALUES)),
        max_size=5,
    )
)
@pytest.mark.parametrize("strict", [False, True])
def test_any_query_makes_a_message_or_a_400(
    strict: bool, parts: list[tuple[list[str], str]]
) -> None:
    query = "&".join(f"{''.join(name)}={value}" for name, value in parts)
    try:
        message = READERS[strict].bind([], query, b"")
    except TranscodeError as error:
        status = error.http_status
    else:
        status = 200
        assert Everything.FromString(message.SerializeToString()) == message
    assert status in (200, 400)
