"""Documents of APIs that OpenAPI has no good words for: valid, and with every operation."""

from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest

from tests.support.openapi_documents import document_of, protoc
from tests.support.raised import misconfigured
from transcoder import OpenApi
from transcoder.openapi.parameters import PARAMETERS_MAX

LEVELS = 100


def compiled(folder: Path, text: str, **others: str) -> dict[str, Any]:
    """Returns the valid document of the service `api.Api`."""
    head = 'syntax = "proto3"; package {}; import "google/api/annotations.proto";'
    files = {f"{name}.proto": head.format(name) + other for name, other in others.items()}
    imports = "".join(f'import "{name}";' for name in files)
    files["api.proto"] = head.format("api") + imports + text
    made = document_of("api.Api", pool=protoc(folder, files))
    openapi_spec_validator.validate(made)
    return made


def test_messages_of_one_short_name_are_different_schemas(tmp_path: Path) -> None:
    text = """
        message Thing { Outer.Thing within = 1; other.Thing beside = 2; }
        message Outer { message Thing { string id = 1; } }
        service Api { rpc Get(Thing) returns (Thing) { option (google.api.http).get = "/get"; } }
    """
    made = compiled(tmp_path, text, other="message Thing { int32 size = 1; }")
    properties = {
        name: list(schema["properties"])
        for name, schema in made["components"]["schemas"].items()
        if name.endswith("Thing")
    }
    assert properties == {
        "api.Thing": ["within", "beside"],
        "api.Outer.Thing": ["id"],
        "other.Thing": ["size"],
    }


def test_operation_ids_differ_from_names_of_other_methods(tmp_path: Path) -> None:
    text = """
        message Thing {}
        service Api {
          rpc Get(Thing) returns (Thing) {
            option (google.api.http) = { get: "/a" additional_bindings: { get: "/b" } };
          }
          rpc Get_2(Thing) returns (Thing) { option (google.api.http).get = "/c"; }
        }
    """
    paths = compiled(tmp_path, text)["paths"]
    ids = {path: of_path["get"]["operationId"] for path, of_path in paths.items()}
    assert ids == {"/a": "api.Api.Get", "/b": "api.Api.Get_3", "/c": "api.Api.Get_2"}


def test_names_in_json_may_be_any_text(tmp_path: Path) -> None:
    text = """
        message Thing {
          string id = 1 [json_name = "{a}/<b>?#"];
          string more = 2 [json_name = "<script>alert(1)</script>"];
        }
        service Api { rpc Get(Thing) returns (Thing) {
          option (google.api.http).get = "/things/{id}"; } }
    """
    made = compiled(tmp_path, text)
    (path,) = made["paths"]
    first, second = made["paths"][path]["get"]["parameters"]
    assert path == "/things/{_a__<b>__}"
    assert (first["name"], first["in"]) == ("_a__<b>__", "path")
    assert (second["name"], second["in"]) == ("<script>alert(1)</script>", "query")
    assert list(made["components"]["schemas"]["api.Thing"]["properties"]) == [
        "{a}/<b>?#",
        "<script>alert(1)</script>",
    ]


def test_messages_may_nest_deeply_and_hold_themselves(tmp_path: Path) -> None:
    chain = "".join(
        f"message Level{level} {{ string text = 1; Level{(level + 1) % LEVELS} next = 2;"
        f" repeated Level{level} same = 3; map<string, Level{level}> named = 4; }}"
        for level in range(LEVELS)
    )
    service = """
        service Api {
          rpc Get(Level0) returns (Level0) { option (google.api.http).get = "/get"; }
          rpc Post(Level0) returns (Level0) {
            option (google.api.http) = { post: "/post" body: "*" }; }
        }
    """
    made = compiled(tmp_path, chain + service)
    assert sum(name.startswith("api.") for name in made["components"]["schemas"]) == LEVELS
    parameters = [each["name"] for each in made["paths"]["/get"]["get"]["parameters"]]
    assert parameters == ["text", "next.text", "next.next.text", "next.next.next.text"]
    assert len(parameters) <= PARAMETERS_MAX


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä"])
def test_a_security_scheme_needs_a_name_that_openapi_has(name: str) -> None:
    expected = "letters, digits, '.', '_' and '-'"
    with misconfigured(f"security scheme: expected a name of {expected}, got {name!r}"):
        OpenApi(security={name: {"type": "http", "scheme": "bearer"}})
