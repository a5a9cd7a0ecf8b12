"""Rules that other protos than ours may have: what they mean, and which are refused at start."""

from collections.abc import Sequence

import pytest
from google.protobuf import descriptor_pb2, duration_pb2, json_format, text_format
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from server.rpc.validation.message_checks import checks_of
from tests.support.tables import by_outcome
from validate import validate_pb2

IMPORTED: Sequence[FileDescriptor] = (
    descriptor_pb2.DESCRIPTOR,
    duration_pb2.DESCRIPTOR,
    validate_pb2.DESCRIPTOR,
)


def field(name: str, kind: str, rules: str = "", more: str = "") -> str:
    """A field as text of a DescriptorProto.

    Args:
        name: its name.
        kind: STRING, INT32, or the name of a message.
        rules: what stands in its rules.
        more: what else the field has.
    """
    of_kind = f'type: TYPE_MESSAGE type_name: "{kind}"' if kind[0] == "." else f"type: TYPE_{kind}"
    options = f"options {{ [validate.rules] {{ {rules} }} }}" if rules else ""
    number = 1 + sum(map(ord, name))
    return f'field {{ name: "{name}" number: {number} {of_kind} {more} {options} }}'


TEXT = field("a_text", "STRING")
RULED = field("a", "STRING", "string { min_len: 1 }")


def of_text(rules: str) -> str:
    return field("a_text", "STRING", f"string {{ {rules} }}")


def of_time(rules: str) -> str:
    return field("a_time", ".google.protobuf.Duration", f"duration {{ {rules} }}")


def of_one(rules: str) -> str:
    return field("one_a", "STRING", rules, "oneof_index: 0") + 'oneof_decl { name: "one" }'


def service_of(
    *messages: str, unknown: dict[int, bytes] | None = None, is_stream: bool = False
) -> ServiceDescriptor:
    """A service whose one method takes the first of the messages, M.

    Args:
        messages: what stands in M, N and so on, as text of a DescriptorProto.
        unknown: what else the options of M's first field hold, by number: 0 for its rules, 1 for
            the rules of its kind; 2 for the options of M itself.
        is_stream: whether the method streams its requests.
    """
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    file.dependency.extend(imported.name for imported in IMPORTED)
    for name, text in zip("MNO", messages, strict=False):
        text_format.Parse(f'name: "{name}" {text}', file.message_type.add())
    if unknown:
        message = file.message_type[0]
        of_field = (
            message.field[0].options.Extensions[validate_pb2.rules] if message.field else None
        )
        if of_field is not None and 0 in unknown:
            of_field.MergeFromString(unknown[0])
        if of_field is not None and 1 in unknown:
            of_field.string.MergeFromString(unknown[1])
        if 2 in unknown:
            message.options.MergeFromString(unknown[2])
    text_format.Parse('name: "E" value { name: "RED" number: 0 }', file.enum_type.add())
    text_format.Parse(
        'name: "S" method { name: "Call" input_type: ".t.M" output_type: ".t.M" '
        f"client_streaming: {str(is_stream).lower()} }}",
        file.service.add(),
    )
    pool = DescriptorPool()
    for imported in IMPORTED:
        pool.AddSerializedFile(imported.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    service: ServiceDescriptor = pool.FindServiceByName("t.S")
    return service


def fault_of(service: ServiceDescriptor, request: str) -> str | None:
    """Returns the fault of a request given as JSON; None if it is valid."""
    message = GetMessageClass(service.methods[0].input_type)()
    return checks_of([service])["/t.S/Call"](json_format.Parse(request, message))


@by_outcome(
    "checked, fault",
    {
        "invalid M.AText: value length must be 2 runes": {
            "exactly": (of_text("min_len: 2 max_len: 2"), '{"aText": "a"}')
        },
        None: {
            "nothing, where nothing may be": (of_text("max_bytes: 0"), "{}"),
            "shorter": (of_time("lte: {seconds: 3}"), '{"aTime": "-9s"}'),
            "longer": (of_time("gte: {seconds: 3}"), '{"aTime": "3000000s"}'),
            "a field of a oneof that is not set": (
                RULED + of_one("string { min_len: 1 }"),
                '{"a": "a"}',
            ),
            "any number of an enum": (
                RULED + field("b", "ENUM", "enum { defined_only: false }", 'type_name: ".t.E"'),
                '{"a": "a", "b": 7}',
            ),
        },
        "invalid M.AText: value length must be at most 0 bytes": {
            "something, where nothing may be": (of_text("max_bytes: 0"), '{"aText": "a"}')
        },
        "invalid M.ATime: value must be less than or equal to 3s": {
            "no longer than": (of_time("lte: {seconds: 3}"), '{"aTime": "3.000000001s"}')
        },
        "invalid M.ATime: value must be greater than or equal to 3s": {
            "no shorter than": (of_time("gte: {seconds: 3}"), '{"aTime": "2s"}')
        },
        "invalid M.OneA: value length must be at least 1 runes": {
            "a field of a oneof that is set": (
                RULED + of_one("string { min_len: 1 }"),
                '{"a": "a", "oneA": ""}',
            )
        },
        "invalid M.B: embedded message failed validation | caused by: "
        "invalid M.B: embedded message failed validation | caused by: "
        "invalid M.A: value length must be at least 1 runes": {
            "a message within itself": (
                field("b", ".t.M") + RULED,
                '{"a": "a", "b": {"a": "a", "b": {}}}',
            )
        },
        "invalid M.A: value length must be at least 1 runes": {
            "fields of a oneof last": (of_one("string { max_len: 1 }") + RULED, '{"oneA": "aa"}')
        },
    },
)
def test_rule_means_what_it_does_in_go(checked: tuple[str, str], fault: str | None) -> None:
    message, request_json = checked
    assert fault_of(service_of(message), request_json) == fault


def test_message_that_holds_itself_without_rules_is_not_checked() -> None:
    assert checks_of([service_of(field("b", ".t.M"))]) == {}


def test_field_is_named_within_its_outer_messages() -> None:
    inner = f'nested_type {{ name: "In" {RULED} }}'
    assert fault_of(service_of(field("of_in", ".t.M.In") + inner), '{"ofIn": {}}') == (
        "invalid M.OfIn: embedded message failed validation | caused by: "
        "invalid M_In.A: value length must be at least 1 runes"
    )


@by_outcome(
    "declared, said",
    {
        "t.M.a_text: rule 2 is not supported": {
            "rules of a kind that ours leaves out": (
                TEXT,
                {0: b"\x12\x09\x11\x00\x00\x00\x00\x00\x00\x00\x00"},
            )
        },
        "t.M.a_text: rule 7 of string is not supported": {
            "a rule that ours leaves out": (TEXT, {1: b"\x3a\x01a"})
        },
        "t.M: option validate.disabled is not supported": {
            "an option of the message": (RULED, {2: b"\xf8\x42\x01"})
        },
        "t.M.n: rules for string, which the field is not": {
            "rules for another type": (field("n", "INT32", "string { min_len: 1 }"), {})
        },
        "t.M.a_text: rules for repeated, which the field is not": {
            "rules for a list, of one text": (
                field("a_text", "STRING", "repeated { max_items: 1 }"),
                {},
            )
        },
        "t.M.a_text: rules for string, but the field is repeated": {
            "rules for a text, of a list": (
                field("a_text", "STRING", "string { min_len: 1 }", "label: LABEL_REPEATED"),
                {},
            )
        },
        "t.M.a_time: expected gte to be less than lte": {
            "bounds that leave nothing": (of_time("gte: {seconds: 3} lte: {seconds: 3}"), {})
        },
        "t.M.a_time: expected a bound of whole seconds below 60, got 60s": {
            "a bound that Go writes in minutes": (of_time("lte: {seconds: 60}"), {})
        },
        "t.M.a_time: expected a bound of whole seconds below 60, got 0.000000001s": {
            "a bound that Go writes in nanoseconds": (of_time("lte: {nanos: 1}"), {})
        },
        "t.M.all: a map whose values have rules is not checked": {
            "a map of messages with rules": (
                RULED
                + field("all", ".t.M.AllEntry", more="label: LABEL_REPEATED")
                + 'nested_type { name: "AllEntry" options { map_entry: true } '
                'field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } '
                'field { name: "value" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL '
                'type_name: ".t.M" } }',
                {},
            )
        },
    },
)
def test_rule_that_cannot_be_kept_is_named_at_the_start(
    declared: tuple[str, dict[int, bytes]], said: str
) -> None:
    message, unknown = declared
    with pytest.raises(ValueError, match=f"^{said}$"):
        checks_of([service_of(message, unknown=unknown)])


def test_stream_of_requests_with_rules_is_named_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"^t\.S\.Call: its requests have rules"):
        checks_of([service_of(RULED, is_stream=True)])
