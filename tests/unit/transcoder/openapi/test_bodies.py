"""Bodies and answers of operations, by media type."""

from typing import Any

from tests.support.openapi_documents import document_of
from tests.support.tables import cases
from transcoder.options import JsonOptions

SERVICES = ("everything.v1.Everythings", "files.v1.Files")
DOCUMENT = document_of(*SERVICES)
EVERYTHING = {"$ref": "#/components/schemas/everything.v1.Everything"}
ASKED = {"$ref": "#/components/schemas/files.v1.Asked"}
PART = {"$ref": "#/components/schemas/everything.v1.Part"}
PARTS = {"type": "array", "items": PART}
STATUS = {"$ref": "#/components/schemas/google.rpc.Status"}
FILE = {"type": "string", "contentMediaType": "application/octet-stream"}


def operation(verb: str, path: str) -> Any:
    return DOCUMENT["paths"][path][verb]


@cases(
    "verb, path, content",
    {
        "whole message": ("put", "/v1/written", {"application/json": {"schema": ASKED}}),
        "field": ("post", "/v1/body/parts", {"application/json": {"schema": PARTS}}),
        "scalar": ("post", "/v1/body/bool", {"application/json": {"schema": {"type": "boolean"}}}),
        "any type": ("put", "/v1/files", {"*/*": {}}),
        "any type in a field": ("put", "/v1/files/{size}", {"*/*": {}}),
        "pieces": ("post", "/v1/uploads", {"*/*": {}}),
    },
)
def test_a_body_has_its_media_types(verb: str, path: str, content: dict[str, Any]) -> None:
    assert operation(verb, path)["requestBody"] == {"content": content}


def test_what_the_rule_does_not_read_is_no_body() -> None:
    assert "requestBody" not in operation("get", "/v1/read")
    assert "requestBody" not in operation("post", "/v1/objects/{name}")


def test_fields_of_the_path_are_not_in_the_body() -> None:
    body = operation("post", "/v1/upload/{name}")["requestBody"]
    lines = body["content"]["application/x-ndjson"]["schema"]
    assert "name" not in lines["properties"]
    assert "servedBy" in lines["properties"]
    assert body["content"]["application/json"] == {"schema": {"type": "array", "items": lines}}


def test_a_form_has_files_and_fields() -> None:
    body = operation("post", "/v1/forms/{name}")["requestBody"]["content"]
    assert body.keys() == {"application/json", "multipart/form-data"}
    properties = body["multipart/form-data"]["schema"]["properties"]
    assert properties["file"] == FILE
    assert properties["pages"] == {"type": "array", "items": FILE}
    assert properties["isPublic"] == {"type": "boolean"}
    assert "name" not in properties


@cases(
    "verb, path, content",
    {
        "message": ("get", "/v1/read", {"application/json": {"schema": EVERYTHING}}),
        "field": ("post", "/v1/response/part", {"application/json": {"schema": PART}}),
        "field without an object": (
            "post",
            "/v1/response/timestamp",
            {
                "application/json": {
                    "schema": {
                        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]
                    }
                }
            },
        ),
        "any type": ("get", "/v1/files/{size}", {"*/*": {}}),
        "any type in a field": ("get", "/v1/held/{size}", {"*/*": {}}),
        "bytes in pieces": ("get", "/v1/downloads/{size}", {"*/*": {}}),
        "stream": (
            "get",
            "/v1/watch",
            {
                "application/x-ndjson": {
                    "schema": {"type": "object", "properties": {"result": PART, "error": STATUS}}
                },
                "application/json": {"schema": {"type": "array", "items": PART}},
                "text/event-stream": {"schema": {"type": "string"}},
            },
        ),
    },
)
def test_an_answer_has_its_media_types(verb: str, path: str, content: dict[str, Any]) -> None:
    assert operation(verb, path)["responses"]["200"]["content"] == content


def test_every_failure_is_a_status() -> None:
    for operations in DOCUMENT["paths"].values():
        for each in operations.values():
            content = each["responses"]["default"]["content"]
            assert content == {"application/json": {"schema": STATUS}}


def test_the_envelope_of_errors_is_described() -> None:
    document = document_of(*SERVICES, json=JsonOptions(error_envelope=True))
    answers = document["paths"]["/v1/watch"]["get"]["responses"]
    failure = answers["default"]["content"]["application/json"]["schema"]
    assert failure["required"] == ["error"]
    assert failure["properties"]["error"]["properties"].keys() == {
        *("code", "message", "status", "details"),
    }
    line = answers["200"]["content"]["application/x-ndjson"]["schema"]
    assert line["properties"]["error"] == failure["properties"]["error"]
