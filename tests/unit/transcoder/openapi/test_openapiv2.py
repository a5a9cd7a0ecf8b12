"""Annotations of protoc-gen-openapiv2 in documents, without code of theirs."""

from typing import Any

import openapi_spec_validator
import pytest
from google.protobuf.descriptor_pool import DescriptorPool

from tests.support.openapi_documents import document_of, protoc
from tests.support.tables import cases
from transcoder.options import OpenApi

FOLDER = "protoc-gen-openapiv2/options/"

# The part of openapiv2.proto that is used below.
TERMS = """
syntax = "proto3";
package grpc.gateway.protoc_gen_openapiv2.options;
import "google/protobuf/descriptor.proto";
import "google/protobuf/struct.proto";
extend google.protobuf.FileOptions { Swagger openapiv2_swagger = 1042; }
extend google.protobuf.MethodOptions { Operation openapiv2_operation = 1042; }
extend google.protobuf.MessageOptions { Schema openapiv2_schema = 1042; }
extend google.protobuf.EnumOptions { EnumSchema openapiv2_enum = 1042; }
extend google.protobuf.ServiceOptions { Tag openapiv2_tag = 1042; }
extend google.protobuf.FieldOptions { JSONSchema openapiv2_field = 1042; }
message Swagger {
  Info info = 2;
  string host = 3;
  SecurityDefinitions security_definitions = 11;
  repeated SecurityRequirement security = 12;
  repeated Tag tags = 13;
  ExternalDocumentation external_docs = 14;
}
message Info {
  string title = 1;
  string description = 2;
  string terms_of_service = 3;
  Contact contact = 4;
  License license = 5;
  string version = 6;
}
message Contact { string name = 1; string url = 2; string email = 3; }
message License { string name = 1; string url = 2; }
message ExternalDocumentation { string description = 1; string url = 2; }
message Operation {
  repeated string tags = 1;
  string summary = 2;
  string description = 3;
  ExternalDocumentation external_docs = 4;
  string operation_id = 5;
  map<string, Response> responses = 9;
  bool deprecated = 11;
  repeated SecurityRequirement security = 12;
  map<string, google.protobuf.Value> extensions = 13;
}
message Response {
  string description = 1;
  map<string, Header> headers = 3;
  map<string, string> examples = 4;
}
message Header { string description = 1; string type = 2; string format = 3; string default = 6; }
message Schema {
  JSONSchema json_schema = 1;
  ExternalDocumentation external_docs = 5;
  string example = 6;
}
message EnumSchema {
  string description = 1;
  string default = 2;
  string title = 3;
  bool read_only = 5;
  ExternalDocumentation external_docs = 6;
  string example = 7;
}
message JSONSchema {
  string title = 5;
  string description = 6;
  string default = 7;
  bool read_only = 8;
  string example = 9;
  double maximum = 11;
  bool exclusive_maximum = 12;
  double minimum = 13;
  bool exclusive_minimum = 14;
  uint64 max_length = 15;
  string pattern = 17;
  uint64 max_items = 20;
  repeated string required = 26;
  string format = 36;
  repeated string enum = 46;
}
message Tag { string name = 1; string description = 2; ExternalDocumentation external_docs = 3; }
message SecurityDefinitions { map<string, SecurityScheme> security = 1; }
message SecurityScheme {
  enum Type { TYPE_INVALID = 0; TYPE_BASIC = 1; TYPE_API_KEY = 2; TYPE_OAUTH2 = 3; }
  enum In { IN_INVALID = 0; IN_QUERY = 1; IN_HEADER = 2; }
  enum Flow { FLOW_INVALID = 0; FLOW_IMPLICIT = 1; FLOW_PASSWORD = 2; FLOW_APPLICATION = 3;
    FLOW_ACCESS_CODE = 4; }
  Type type = 1;
  string description = 2;
  string name = 3;
  In in = 4;
  Flow flow = 5;
  string authorization_url = 6;
  string token_url = 7;
  Scopes scopes = 8;
}
message SecurityRequirement {
  message SecurityRequirementValue { repeated string scope = 1; }
  map<string, SecurityRequirementValue> security_requirement = 1;
}
message Scopes { map<string, string> scope = 1; }
"""

SHOP = """
syntax = "proto3";
package shop;
import "google/api/annotations.proto";
import "protoc-gen-openapiv2/options/openapiv2.proto";
option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_swagger) = {
  info: {
    title: "Shop" version: "3" description: "Sells <b>things</b>." terms_of_service: "https://t"
    contact: { name: "Us" email: "us@shop.example" } license: { name: "MIT" url: "https://l" }
  }
  host: "shop.example"
  security_definitions: {
    security: { key: "basic" value: { type: TYPE_BASIC } }
    security: { key: "a code" value: { type: TYPE_OAUTH2 flow: FLOW_ACCESS_CODE } }
    security: { key: "none" value: {} }
    security: { key: "key" value: { type: TYPE_API_KEY name: "X-Key" in: IN_HEADER } }
    security: { key: "oauth" value: {
      type: TYPE_OAUTH2 flow: FLOW_APPLICATION token_url: "https://o"
      scopes: { scope: { key: "read" value: "Reads." } } } }
  }
  security: { security_requirement: { key: "key" value: {} } }
  tags: { name: "orders" description: "What was bought." }
  external_docs: { url: "https://d" description: "More" }
};
service Shop {
  option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_tag) = {
    name: "Sales" description: "Sells." external_docs: { url: "https://s" }
  };
  rpc Buy(Order) returns (Order) {
    option (google.api.http) = {
      post: "/buy" body: "*" additional_bindings: { post: "/order" body: "*" }
    };
    option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation) = {
      tags: "orders" tags: "other" summary: "Buy it" description: "Buys *one* & more."
      operation_id: "buyOne" deprecated: true external_docs: { url: "https://b" }
      security: { security_requirement: { key: "oauth" value: { scope: "read" } } }
      responses: { key: "200" value: {
        description: "Bought." examples: { key: "application/json" value: '{"name": "tea"}' }
        headers: { key: "X-Cost" value: { description: "Cents." type: "integer" default: "1" } } } }
      responses: { key: "404" value: { description: "Sold out." } }
      responses: { key: "nonsense" value: { description: "Left out." } }
      extensions: { key: "x-cost" value: { number_value: 2 } }
      extensions: { key: "cost" value: { number_value: 3 } }
    };
  }
  rpc Look(Order) returns (Order) {
    option (google.api.http) = { get: "/look" };
    option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation) = { security: {} };
  }
}
enum Color {
  option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_enum) = {
    title: "Color" description: "A color." example: '"RED"'
  };
  RED = 0;
}
message Order {
  option (grpc.gateway.protoc_gen_openapiv2.options.openapiv2_schema) = {
    json_schema: { title: "An order" description: "Of one." required: "some_name" }
    external_docs: { url: "https://m" } example: '{"someName": "tea"}'
  };
  string some_name = 1 [(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_field) = {
    title: "Name" description: "Its <i>name</i>." example: "tea" max_length: 5 pattern: "^t" }];
  int32 count = 2 [(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_field) = {
    default: "1" minimum: 1 maximum: 9 exclusive_maximum: true required: "count" }];
  repeated string notes = 3 [(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_field) = {
    max_items: 3 format: "email" read_only: true }];
  Color color = 4;
}
"""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> DescriptorPool:
    files = {f"{FOLDER}openapiv2.proto": TERMS, "shop.proto": SHOP}
    return protoc(tmp_path_factory.mktemp("shop"), files)


@pytest.fixture(scope="module")
def document(pool: DescriptorPool) -> dict[str, Any]:
    made = document_of("shop.Shop", pool=pool)
    openapi_spec_validator.validate(made)
    return made


def test_a_file_describes_the_api(document: dict[str, Any]) -> None:
    assert document["info"] == {
        "title": "Shop",
        "version": "3",
        "description": "Sells &lt;b>things&lt;/b>.",
        "termsOfService": "https://t",
        "contact": {"name": "Us", "email": "us@shop.example"},
        "license": {"name": "MIT", "url": "https://l"},
    }
    assert document["externalDocs"] == {"url": "https://d", "description": "More"}
    assert "servers" not in document


def test_a_file_declares_security(document: dict[str, Any]) -> None:
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"] == {
        "basic": {"type": "http", "scheme": "basic"},
        "a_code": {
            "type": "oauth2",
            "flows": {"authorizationCode": {"authorizationUrl": "", "tokenUrl": "", "scopes": {}}},
        },
        "key": {"type": "apiKey", "name": "X-Key", "in": "header"},
        "oauth": {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": "https://o", "scopes": {"read": "Reads."}}},
        },
    }


def test_tags_are_those_of_services_and_files(document: dict[str, Any]) -> None:
    assert document["tags"] == [
        {"name": "Sales", "description": "Sells.", "externalDocs": {"url": "https://s"}},
        {"name": "orders", "description": "What was bought."},
    ]


def test_a_method_describes_its_operations(document: dict[str, Any]) -> None:
    operation = document["paths"]["/buy"]["post"]
    named = {name: operation[name] for name in ("tags", "summary", "description", "operationId")}
    assert named == {
        "tags": ["orders", "other"],
        "summary": "Buy it",
        "description": "Buys *one* &amp; more.",
        "operationId": "buyOne",
    }
    assert operation["deprecated"] is True
    assert operation["security"] == [{"oauth": ["read"]}]
    assert operation["externalDocs"] == {"url": "https://b"}
    assert operation["x-cost"] == 2
    assert "cost" not in operation
    assert document["paths"]["/order"]["post"]["operationId"] == "buyOne_2"


def test_an_empty_requirement_needs_no_security_scheme(document: dict[str, Any]) -> None:
    assert document["paths"]["/look"]["get"]["security"] == []
    assert document["paths"]["/look"]["get"]["tags"] == ["Sales"]


def test_a_method_describes_its_responses(document: dict[str, Any]) -> None:
    responses = document["paths"]["/buy"]["post"]["responses"]
    assert sorted(responses) == ["200", "404", "default"]
    success = responses["200"]
    assert success["description"] == "Bought."
    assert success["content"]["application/json"]["example"] == {"name": "tea"}
    schema = {"type": "integer", "default": 1}
    assert success["headers"] == {"X-Cost": {"description": "Cents.", "schema": schema}}
    assert responses["404"]["description"] == "Sold out."
    assert responses["404"]["content"] == responses["default"]["content"]


@cases(
    "name, keywords",
    {
        "of text": (
            "someName",
            {
                "type": "string",
                "title": "Name",
                "description": "Its &lt;i>name&lt;/i>.",
                "examples": ["tea"],
                "maxLength": 5,
                "pattern": "^t",
            },
        ),
        "of a number": (
            "count",
            {
                "type": "integer",
                "format": "int32",
                "minimum": 1,
                "maximum": 2**31 - 1,
                "exclusiveMaximum": 9,
                "default": 1,
            },
        ),
        "of a list": (
            "notes",
            {
                "type": "array",
                "items": {"type": "string", "format": "email"},
                "maxItems": 3,
                "readOnly": True,
            },
        ),
    },
)
def test_a_field_has_keywords(
    document: dict[str, Any], name: str, keywords: dict[str, Any]
) -> None:
    assert document["components"]["schemas"]["shop.Order"]["properties"][name] == keywords


def test_messages_and_enums_have_keywords(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    order = {name: value for name, value in schemas["shop.Order"].items() if name != "properties"}
    assert order == {
        "type": "object",
        "title": "An order",
        "description": "Of one.",
        "required": ["someName", "count"],
        "externalDocs": {"url": "https://m"},
        "examples": [{"someName": "tea"}],
    }
    assert schemas["shop.Color"] == {
        "type": "string",
        "enum": ["RED"],
        "title": "Color",
        "description": "A color.",
        "examples": ["RED"],
    }


def test_options_come_before_annotations(pool: DescriptorPool) -> None:
    options = OpenApi(
        title="Ours",
        security={"token": {"type": "http", "scheme": "bearer"}},
        public_methods=["shop.Shop.Buy"],
    )
    made = document_of("shop.Shop", pool=pool, options=options)
    assert made["info"]["title"] == "Ours"
    assert made["info"]["version"] == "3"
    assert made["security"] == [{"token": []}]
    assert made["paths"]["/buy"]["post"]["security"] == []
