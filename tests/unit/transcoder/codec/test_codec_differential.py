"""The codec against protobuf's own json_format: generated messages, and generated JSON."""

import contextlib
import json
import math
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.fuzz import with_named_nulls, with_nulls
from tests.conformance.messages import Maker
from tests.support.schemas import KINDS, KINDS_POOL
from tests.support.tables import cases
from transcoder.codec.codec import Codec
from transcoder.codec.decoder import descriptor_of
from transcoder.errors import TranscodeError
from transcoder.options import JsonOptions

QUICK = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
KIND = FieldDescriptor
BITS_32 = (KIND.TYPE_INT32, KIND.TYPE_SINT32, KIND.TYPE_SFIXED32)
BITS_64 = (KIND.TYPE_INT64, KIND.TYPE_SINT64, KIND.TYPE_SFIXED64)
UNSIGNED_32 = (KIND.TYPE_UINT32, KIND.TYPE_FIXED32)
UNSIGNED_64 = (KIND.TYPE_UINT64, KIND.TYPE_FIXED64)
NANOS = st.integers(0, 999_999_999) | st.sampled_from([0, 500_000_000, 1_000_000, 1_000, 999])
JSON_SCALARS = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
STRUCT_JSON: st.SearchStrategy[object] = st.recursive(
    JSON_SCALARS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def scalars_of(field: FieldDescriptor) -> st.SearchStrategy[object]:
    if field.type in BITS_32:
        return st.integers(-(2**31), 2**31 - 1)
    if field.type in BITS_64:
        return st.integers(-(2**63), 2**63 - 1)
    if field.type in UNSIGNED_32:
        return st.integers(0, 2**32 - 1)
    if field.type in UNSIGNED_64:
        return st.integers(0, 2**64 - 1)
    if field.type == KIND.TYPE_ENUM:
        # NullValue has one value, and any other would be lost in a JSON null.
        return (
            st.just(0)
            if field.enum_type is not None and field.enum_type.name == "NullValue"
            else st.sampled_from([0, 1, -3, 7, -(2**31)])
        )
    return {
        # One NaN of the many: JSON has no other.
        KIND.TYPE_DOUBLE: st.floats(allow_nan=False) | st.just(math.nan),
        KIND.TYPE_FLOAT: st.floats(allow_nan=False, width=32) | st.just(math.nan),
        KIND.TYPE_BOOL: st.booleans(),
        KIND.TYPE_STRING: st.text(max_size=8),
        KIND.TYPE_BYTES: st.binary(max_size=8),
    }[field.type]


@st.composite
def messages(draw: st.DrawFn, message_type: type[Message], depth: int = 2) -> Message:
    message = message_type()
    descriptor = message_type.DESCRIPTOR
    special = SPECIAL.get(descriptor.full_name)
    if special is not None:
        json_format.ParseDict(draw(special), message)
        return message
    if descriptor.full_name == "google.protobuf.Any":
        if depth and draw(st.booleans()):
            name = draw(st.sampled_from(["test.Kinds", "google.protobuf.Timestamp"]))
            held = draw(messages(sibling(message_type, name), 0))
            setattr(message, "type_url", f"type.googleapis.com/{name}")  # noqa: B010  untyped
            setattr(message, "value", wire(held))  # noqa: B010  untyped
        return message
    if not descriptor.fields:
        return message
    fields: list[FieldDescriptor] = list(descriptor_of(message_type).fields)
    for field in draw(st.lists(st.sampled_from(fields), max_size=6 if depth else 3)):
        fill(draw, message, field, depth)
    return message


def sibling(message_type: type[Message], name: str) -> type[Message]:
    descriptor = descriptor_of(message_type).file.pool.FindMessageTypeByName(name)
    return message_factory.GetMessageClass(descriptor)


def fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        keys = draw(st.lists(scalars_of(entry.fields_by_name["key"]), max_size=2))
        value = entry.fields_by_name["value"]
        held = getattr(message, field.name)
        for key in keys:
            if value.message_type is None:
                held[key] = draw(scalars_of(value))
            elif depth:
                held_type = message_factory.GetMessageClass(value.message_type)
                held[key].CopyFrom(draw(messages(held_type, depth - 1)))
    elif field.message_type is not None:
        if not depth:
            return
        held_type = message_factory.GetMessageClass(field.message_type)
        made = draw(messages(held_type, depth - 1))
        if field.is_repeated:
            getattr(message, field.name).append(made)
        else:
            getattr(message, field.name).CopyFrom(made)
    elif field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(scalars_of(field), max_size=3)))
    else:
        setattr(message, field.name, draw(scalars_of(field)))


SPECIAL: Mapping[str, st.SearchStrategy[Any]] = {
    "google.protobuf.Timestamp": st.builds(
        lambda text, nanos: f"{text}.{nanos:09}Z",
        st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat()),
        NANOS,
    ),
    "google.protobuf.Duration": st.builds(
        lambda seconds, nanos: f"{seconds}.{nanos:09}s",
        st.integers(-315_575_999_999, 315_575_999_999) | st.sampled_from([0, 1, -1]),
        NANOS,
    ),
    "google.protobuf.FieldMask": st.lists(
        st.from_regex(r"[a-z][a-z0-9]{0,3}(_[a-z]{1,3}){0,2}(\.[a-z]{1,3})?", fullmatch=True),
        max_size=3,
    ).map(
        lambda paths: ",".join(
            "".join(part if not i else part[0].upper() + part[1:] for i, part in enumerate(parts))
            for parts in (path.split("_") for path in paths)
        )
    ),
    "google.protobuf.Struct": st.dictionaries(st.text(max_size=4), STRUCT_JSON, max_size=3),
    "google.protobuf.ListValue": st.lists(STRUCT_JSON, max_size=3),
    "google.protobuf.Value": STRUCT_JSON,
}


def wire(message: Message) -> bytes:
    """Returns a message for comparison in which NaN equals itself."""
    return message.SerializeToString(deterministic=True)


@pytest.fixture(params=[pytest.param(0, id="loop"), pytest.param(10_000, id="straight line")])
def _both_forms_of_writers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcoder.codec.encoder.WIDE_MIN", request.param)


@pytest.mark.usefixtures("_both_forms_of_writers")
def test_generated_messages_are_written_as_json_format_writes_them() -> None:
    codec = Codec(pool=KINDS_POOL)

    @QUICK
    @given(messages(KINDS))
    def check(message: Message) -> None:
        ours = json.loads(codec.encode(message))
        assert ours == json_format.MessageToDict(message, descriptor_pool=KINDS_POOL)

    check()


@cases(
    "options, theirs",
    {
        "emit_defaults": (
            JsonOptions(emit_defaults=True),
            {"always_print_fields_with_no_presence": True},
        ),
        "proto_names": (JsonOptions(proto_names=True), {"preserving_proto_field_name": True}),
        "enums_as_ints": (JsonOptions(enums_as_ints=True), {"use_integers_for_enums": True}),
    },
)
def test_options_change_generated_messages_as_those_of_json_format(
    options: JsonOptions, theirs: dict[str, bool]
) -> None:
    codec = Codec(options, pool=KINDS_POOL)

    @settings(QUICK, max_examples=20)
    @given(messages(KINDS, 1))
    def check(message: Message) -> None:
        expected = json_format.MessageToDict(message, descriptor_pool=KINDS_POOL, **theirs)
        if options.enums_as_ints:
            expected = with_nulls(expected)
        assert json.loads(codec.encode(message)) == expected

    check()


def test_generated_messages_survive_the_way_to_json_and_back() -> None:
    codec = Codec(pool=KINDS_POOL)

    @QUICK
    @given(messages(KINDS))
    def check(message: Message) -> None:
        text = codec.encode(message)
        assert wire(codec.decode(KINDS, text)) == wire(message)
        # As JSON again: json_format packs an Any with its maps in any order.
        named = with_named_nulls(json.loads(text))
        theirs = json_format.ParseDict(named, KINDS(), descriptor_pool=KINDS_POOL)
        assert json.loads(codec.encode(theirs)) == json.loads(text)

    check()


@pytest.mark.usefixtures("_both_forms_of_writers")
def test_each_kind_of_field_is_written_and_read_as_json_format_does() -> None:
    codec = Codec(pool=KINDS_POOL, strict=True)
    any_type = sibling(KINDS, "google.protobuf.Any")
    for field in descriptor_of(KINDS).fields:
        write_field = codec.encoder(KINDS, field.name)  # as response_body has it
        for seed in range(4):
            maker = Maker(Random(seed), packed=[KINDS])  # noqa: S311  no secret
            message = KINDS()
            maker.fill(message, field, 2)
            expected = json_format.MessageToDict(message, descriptor_pool=KINDS_POOL)
            text = codec.encode(message)
            assert json.loads(text) == expected, field.name
            assert wire(codec.decode(KINDS, text)) == wire(message), field.name
            if field.json_name in expected:
                assert json.loads(write_field(message)) == expected[field.json_name]
            url = "type.googleapis.com/test.Kinds"
            packed = any_type(type_url=url, value=message.SerializeToString())
            assert json.loads(codec.encode(packed)) == {"@type": url, **expected}
            assert wire(codec.decode(any_type, codec.encode(packed))) == wire(
                any_type(type_url=url, value=wire(message))
            )


# Not among these: numbers that json_format reads inexactly (floats from 2**53 on, -0), or refuses
# in quotes where an integer or an enum is wanted ("1e2").
WORDS = st.sampled_from(
    [
        *("0", "1", "-1", "01", "1.5", "NaN", "-Infinity", "inf", "true", "RED", "a.bC"),
        *("DARK_BLUE", "NULL_VALUE", "YQ==", "YQ", "-_-_", "foo_bar", "2024-01-02T03:04:05.5Z"),
        *("2024-01-02T03:04:05-23:59", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1.5s"),
        *("-0.000000001s", "315576000000s", "315576000001s", "2147483648", "-2147483649"),
        *("18446744073709551615", ""),
    ]
)
NUMBERS = st.sampled_from(
    [0, 1, -1, 7, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**63, 2**64 - 1, 2**64, 0.5, 1e2, 1e300]
)


def json_values(names: list[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | NUMBERS | WORDS,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(WORDS | st.sampled_from(names), inner, max_size=2)
        ),
        max_leaves=4,
    )


def test_nothing_is_read_that_json_format_refuses_or_reads_otherwise() -> None:
    codec = Codec(pool=KINDS_POOL, strict=True)
    names = [field.json_name for field in KINDS.DESCRIPTOR.fields]

    @settings(QUICK, max_examples=500)
    @given(st.sampled_from(names), json_values(names))
    def check(name: str, value: object) -> None:
        text = json.dumps({name: value})
        with contextlib.suppress(TranscodeError):
            ours = codec.decode(KINDS, text.encode())
            named = json.dumps(with_named_nulls({name: value}))
            theirs = json_format.Parse(named, KINDS(), descriptor_pool=KINDS_POOL)
            assert wire(ours) == wire(theirs)

    check()
