"""Options of fields as keywords of JSON Schema."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pool

from server.rpc.validation import message_checks  # noqa: F401  imports validate_pb2
from tests.support.openapi_documents import add_file, document_of, protoc
from tests.support.tables import cases
from transcoder.openapi.annotations import notes_of
from zitadel import management_pb2

RULES = """
name: "buf/validate/validate.proto" package: "buf.validate" syntax: "proto2"
dependency: "google/protobuf/descriptor.proto"
message_type { name: "StringRules"
  field { name: "const" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "min_len" number: 2 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "max_len" number: 3 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "pattern" number: 6 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "in" number: 10 type: TYPE_STRING label: LABEL_REPEATED }
  field { name: "email" number: 12 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "len" number: 19 type: TYPE_UINT64 label: LABEL_OPTIONAL } }
message_type { name: "Int32Rules"
  field { name: "lt" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "lte" number: 3 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "gt" number: 4 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "gte" number: 5 type: TYPE_INT32 label: LABEL_OPTIONAL } }
message_type { name: "Int64Rules"
  field { name: "gte" number: 5 type: TYPE_INT64 label: LABEL_OPTIONAL } }
message_type { name: "RepeatedRules"
  field { name: "min_items" number: 1 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "max_items" number: 2 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "unique" number: 3 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "items" number: 4 type: TYPE_MESSAGE type_name: ".buf.validate.FieldRules"
          label: LABEL_OPTIONAL } }
message_type { name: "FieldRules"
  oneof_decl { name: "type" }
  field { name: "int32" number: 3 type: TYPE_MESSAGE type_name: ".buf.validate.Int32Rules"
          label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "int64" number: 4 type: TYPE_MESSAGE type_name: ".buf.validate.Int64Rules"
          label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "string" number: 14 type: TYPE_MESSAGE type_name: ".buf.validate.StringRules"
          label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "repeated" number: 18 type: TYPE_MESSAGE type_name: ".buf.validate.RepeatedRules"
          label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "required" number: 25 type: TYPE_BOOL label: LABEL_OPTIONAL } }
message_type { name: "OneofRules"
  field { name: "required" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL } }
extension { name: "field" number: 1159 type: TYPE_MESSAGE type_name: ".buf.validate.FieldRules"
            label: LABEL_OPTIONAL extendee: ".google.protobuf.FieldOptions" }
extension { name: "oneof" number: 1159 type: TYPE_MESSAGE type_name: ".buf.validate.OneofRules"
            label: LABEL_OPTIONAL extendee: ".google.protobuf.OneofOptions" }
"""


def a_field(number: int, kind: str, options: str, label: str = "OPTIONAL") -> str:
    return (
        f'field {{ name: "f{number}" number: {number} type: TYPE_{kind} label: LABEL_{label} '
        f"options {{ {options} }} }}"
    )


def ruled(rules: str) -> str:
    return f"[buf.validate.field] {{ {rules} }}"


FIELDS = [
    a_field(1, "STRING", ruled('string { min_len: 1 max_len: 9 pattern: "^a" }')),
    a_field(2, "STRING", ruled("string { len: 3 } required: true")),
    a_field(3, "STRING", ruled('string { in: "a" in: "b" }')),
    a_field(4, "STRING", ruled("string { email: true }")),
    a_field(5, "INT32", ruled("int32 { gte: 1 lt: 9 }")),
    a_field(6, "INT64", ruled("int64 { gte: 1 }")),
    a_field(
        7,
        "STRING",
        ruled(
            "repeated { min_items: 1 max_items: 2 unique: true items { string { max_len: 5 } } }"
        ),
        "REPEATED",
    ),
    a_field(8, "STRING", "[google.api.field_behavior]: [REQUIRED]"),
    a_field(9, "STRING", "[google.api.field_behavior]: [OUTPUT_ONLY] deprecated: true"),
    a_field(10, "STRING", "[google.api.field_behavior]: [INPUT_ONLY]"),
    a_field(11, "STRING", ""),
]


@pytest.fixture(scope="module", autouse=True)
def ruled_file() -> None:
    add_file(RULES)
    add_file(
        'name: "test/ruled.proto" package: "test.ruled" syntax: "proto3" '
        'dependency: "buf/validate/validate.proto" '
        'dependency: "google/api/field_behavior.proto" '
        f'message_type {{ name: "Ruled" {" ".join(FIELDS)} '
        'oneof_decl { name: "choice" options { [buf.validate.oneof] { required: true } } } '
        'field { name: "a" number: 20 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 } '
        'field { name: "b" number: 21 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 } } '
        'service { name: "Rules" method { name: "Rule" input_type: ".test.ruled.Ruled" '
        'output_type: ".test.ruled.Ruled" options { deprecated: true } } }'
    )


@cases(
    "number, keywords",
    {
        "lengths and pattern": (1, {"minLength": 1, "maxLength": 9, "pattern": "^a"}),
        "length": (2, {"minLength": 3, "maxLength": 3}),
        "some values": (3, {"enum": ["a", "b"]}),
        "format": (4, {"format": "email"}),
        "range": (5, {"minimum": 1, "exclusiveMaximum": 9}),
        "range of what JSON has as text": (6, {}),
        "items": (7, {"minItems": 1, "maxItems": 2, "uniqueItems": True}),
        "output, deprecated": (9, {"deprecated": True, "readOnly": True}),
        "input": (10, {"writeOnly": True}),
        "nothing": (11, {}),
    },
)
def test_a_rule_is_a_keyword(number: int, keywords: dict[str, Any]) -> None:
    message = descriptor_pool.Default().FindMessageTypeByName("test.ruled.Ruled")
    assert notes_of(message.fields_by_number[number]).keywords == keywords


def test_a_message_has_the_rules_of_its_fields() -> None:
    document = document_of("test.ruled.Rules")
    schema = document["components"]["schemas"]["test.ruled.Ruled"]
    assert schema["required"] == ["f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8"]
    assert schema["properties"]["f7"]["items"] == {"type": "string", "maxLength": 5}
    assert schema["allOf"] == [{"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}]
    operation = document["paths"]["/test.ruled.Rules/Rule"]["post"]
    assert operation["deprecated"] is True
    assert operation["requestBody"]["required"] is True


def test_rules_of_protoc_gen_validate_are_read_too() -> None:
    name = management_pb2.CreateActionRequest.DESCRIPTOR.fields_by_name["name"]
    assert notes_of(name).keywords == {"minLength": 1, "maxLength": 200}


def test_rules_are_read_without_the_code_of_their_proto(tmp_path: Path) -> None:
    rules = """
        syntax = "proto2";
        package buf.validate;
        import "google/protobuf/descriptor.proto";
        extend google.protobuf.FieldOptions { optional FieldRules field = 1159; }
        message FieldRules { oneof type { MapRules map = 19; } }
        message MapRules { optional uint64 max_pairs = 2; }
    """
    ruled = """
        syntax = "proto3";
        package remote;
        import "rules.proto";
        import "google/api/field_behavior.proto";
        message Ruled {
          map<string, string> labels = 1 [(buf.validate.field).map.max_pairs = 7];
          string name = 2 [(google.api.field_behavior) = REQUIRED];
        }
    """
    pool = protoc(tmp_path, {"rules.proto": rules, "ruled.proto": ruled})
    labels, name = pool.FindMessageTypeByName("remote.Ruled").fields
    assert notes_of(labels).keywords == {"maxProperties": 7}
    assert notes_of(name).is_required
