"""Parameters of operations: segments of the path, and fields in the query."""

from typing import Any

from tests.support.openapi_documents import add_file, document_of
from tests.support.tables import cases

DOCUMENT = document_of("everything.v1.Everythings", "awkward.v1.Awkwards")


def parameters_of(verb: str, path: str) -> dict[str, Any]:
    return {each["name"]: each for each in DOCUMENT["paths"][path][verb].get("parameters", [])}


@cases(
    "name, parameter",
    {
        "text": ("servedBy", {"schema": {"type": "string"}}),
        "list": ("tags", {"schema": {"type": "array", "items": {"type": "string"}}}),
        "odd name": ("@odd", {"schema": {"type": "string"}}),
        "enum": ("color", {"schema": {"$ref": "#/components/schemas/everything.v1.Color"}}),
        "field of a field": ("part.first", {"schema": {"type": "string"}}),
        "list of a field": (
            "part.notes",
            {"schema": {"type": "array", "items": {"type": "string"}}},
        ),
        "map": (
            "labels",
            {
                "style": "deepObject",
                "explode": True,
                "schema": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        ),
        "Timestamp": ("timestamp", {"schema": {"type": "string", "format": "date-time"}}),
        "wrapper": ("wrappedBool", {"schema": {"type": "boolean"}}),
        "Struct": (
            "struct",
            {
                "content": {
                    "application/json": {"schema": {"type": "object", "additionalProperties": True}}
                }
            },
        ),
    },
)
def test_a_field_of_the_request_is_a_parameter_of_the_query(
    name: str, parameter: dict[str, Any]
) -> None:
    assert parameters_of("get", "/v1/read")[name] == {"name": name, "in": "query"} | parameter


@cases(
    "name",
    {
        "message": "part",
        "message that is in itself": "part.inner.first",
        "list of messages": "parts",
        "map of messages": "partsByKey",
        "Any": "any",
    },
)
def test_a_query_has_no_other_fields(name: str) -> None:
    assert name not in parameters_of("get", "/v1/read")


def test_what_the_path_binds_is_no_parameter_of_the_query() -> None:
    found = parameters_of("get", "/v1/nested/shelves/{shelvesId}/books/{part.inner.size}")
    assert found["shelvesId"] == {
        "name": "shelvesId",
        "in": "path",
        "required": True,
        "description": "A part of `part.first`.",
        "schema": {"type": "string", "minLength": 1},
    }
    assert found["part.inner.size"]["in"] == "path"
    assert found["part.inner.size"]["schema"]["type"] == "integer"
    assert "part.first" not in found


def test_what_the_body_binds_is_no_parameter() -> None:
    assert "part.first" not in parameters_of("put", "/v1/part/{name}")
    assert parameters_of("post", "/v1/upload/{name}").keys() == {"name"}


def test_any_number_of_segments_is_one_parameter() -> None:
    name = parameters_of("get", "/v1/many/{name}")["name"]
    assert name["description"] == "May hold slashes."


def test_messages_that_lead_to_others_without_end_have_few_parameters() -> None:
    fields = (
        'field { name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } '
        'field { name: "next" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: '
    )
    chain = [f'message_type {{ name: "M{n}" {fields} ".unending.M{n + 1}" }} }}' for n in range(50)]
    add_file(
        'name: "test/unending.proto" package: "unending" syntax: "proto3" '
        'dependency: "google/api/annotations.proto" message_type { name: "M50" } '
        f"{' '.join(chain)} "
        'service { name: "Chain" method { name: "Get" input_type: ".unending.M0" '
        'output_type: ".unending.M50" options { [google.api.http] { get: "/chain" } } } }'
    )
    operation = document_of("unending.Chain")["paths"]["/chain"]["get"]
    names = [each["name"] for each in operation["parameters"]]
    assert names == ["id", "next.id", "next.next.id", "next.next.next.id"]


def test_names_of_python_are_names() -> None:
    path = "/awkward/{CopyFrom}/{None.WhichOneof}/{SetInParent}"
    found = parameters_of("get", path)
    assert {"CopyFrom", "None.WhichOneof", "SetInParent", "class"} <= found.keys()
