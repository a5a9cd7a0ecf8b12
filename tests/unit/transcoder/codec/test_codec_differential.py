"""The codec against protobuf's own json_format: generated messages, and generated JSON."""

import contextlib
import json
from random import Random
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.fuzz import with_named_nulls, with_nulls
from tests.conformance.messages import Maker
from tests.support.schemas import KINDS, KINDS_POOL, message_type
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
SEEDS = range(500)
TIMESTAMP = message_type(KINDS_POOL, "google.protobuf.Timestamp")


def generated(seed: int) -> Message:
    """Makes a `test.Kinds` at random, with texts of any characters."""
    random = Random(seed)  # noqa: S311  no secret
    texts = [text_of(random) for _ in range(8)]
    return Maker(random, packed=[KINDS, TIMESTAMP], texts=texts).message(KINDS)


def text_of(random: Random) -> str:
    ends = [random.choice((0x80, 0xD800, 0x110000)) for _ in range(random.randrange(9))]
    return "".join(chr(random.randrange(end)) for end in ends).encode(errors="ignore").decode()


def wire(message: Message) -> bytes:
    """Returns a message for comparison in which NaN equals itself."""
    return message.SerializeToString(deterministic=True)


@pytest.fixture(params=[pytest.param(0, id="loop"), pytest.param(10_000, id="straight line")])
def _both_forms_of_writers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcoder.codec.encoder.WIDE_MIN", request.param)


@pytest.mark.usefixtures("_both_forms_of_writers")
def test_generated_messages_are_written_as_json_format_writes_them() -> None:
    codec = Codec(pool=KINDS_POOL)
    for message in map(generated, SEEDS):
        ours = json.loads(codec.encode(message))
        assert ours == json_format.MessageToDict(message, descriptor_pool=KINDS_POOL)


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
    for message in map(generated, SEEDS):
        expected = json_format.MessageToDict(message, descriptor_pool=KINDS_POOL, **theirs)
        if options.enums_as_ints:
            expected = with_nulls(expected)
        assert json.loads(codec.encode(message)) == expected


def test_generated_messages_survive_the_way_to_json_and_back() -> None:
    codec = Codec(pool=KINDS_POOL)
    for message in map(generated, SEEDS):
        text = codec.encode(message)
        assert wire(codec.decode(KINDS, text)) == wire(message)
        if b"3.4028235e+38" in text:  # the greatest float, which json_format refuses
            continue
        # As JSON again: json_format packs an Any with its maps in any order.
        named = with_named_nulls(json.loads(text))
        theirs = json_format.ParseDict(named, KINDS(), descriptor_pool=KINDS_POOL)
        assert json.loads(codec.encode(theirs)) == json.loads(text)


@pytest.mark.usefixtures("_both_forms_of_writers")
def test_each_kind_of_field_is_written_and_read_as_json_format_does() -> None:
    codec = Codec(pool=KINDS_POOL, strict=True)
    any_type = message_type(KINDS_POOL, "google.protobuf.Any")
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
