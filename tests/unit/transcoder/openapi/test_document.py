"""Whole documents: each is valid, and has every route."""

from typing import Any

import openapi_spec_validator
import pytest

from tests.support.openapi_documents import SERVICES, document_of
from tests.support.tables import cases
from transcoder.openapi.document import Document, Part
from transcoder.options import JsonOptions, OpenApi

EVERYTHING = "everything.v1.Everythings"
FILES = "files.v1.Files"
FILLED_INNER = "post /v1/forms/{name}/inner"


def operations(document: dict[str, Any]) -> dict[str, str]:
    """Returns operation ids by HTTP method and path."""
    return {
        f"{verb.upper()} {path}": each["operationId"]
        for path, of_path in document["paths"].items()
        for verb, each in of_path.items()
    }


def shortened(document: dict[str, Any]) -> dict[str, Any]:
    """Leaves parameters of queries at one path only: the validator takes 2 ms for each."""
    for path, of_path in document["paths"].items():
        for each in of_path.values() if path != "/v1/read" else ():
            each["parameters"] = [p for p in each.get("parameters", ()) if p["in"] == "path"]
    return document


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_of_a_service_is_valid(service: str) -> None:
    options = OpenApi(
        title="An API",
        version="2",
        description="For tests.",
        servers=["/api"],
        security={"token": {"type": "http", "scheme": "bearer"}},
    )
    document = document_of(service, options=options)
    openapi_spec_validator.validate(shortened(document) if service == EVERYTHING else document)
    assert operations(document)


def test_several_services_have_one_document() -> None:
    document = document_of(*(each for each in SERVICES if each != EVERYTHING))
    ids = list(operations(document).values())
    assert len(ids) == len(set(ids))
    assert {each["name"] for each in document["tags"]} == set(SERVICES) - {EVERYTHING}


def test_options_are_the_head() -> None:
    options = OpenApi(
        title="Files",
        version="7",
        description="Holds files.",
        servers=["https://files.example"],
        security={"token": {"type": "http", "scheme": "bearer"}},
    )
    document = document_of(FILES, options=options)
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {"title": "Files", "version": "7", "description": "Holds files."}
    assert document["servers"] == [{"url": "https://files.example"}]
    assert document["security"] == [{"token": []}]
    schemes = document["components"]["securitySchemes"]
    assert schemes == {"token": {"type": "http", "scheme": "bearer"}}


@cases(
    "pattern, public",
    {
        "one method": (f"{FILES}.Get", ["get /v1/files/{size}"]),
        "a method with two rules": (f"{FILES}.Fill", ["post /v1/forms/{name}", FILLED_INNER]),
    },
)
def test_a_public_method_needs_no_security_scheme(pattern: str, public: list[str]) -> None:
    options = OpenApi(security={"token": {"type": "http"}}, public_methods=[pattern])
    found = document_of(FILES, options=options)["paths"]
    opened = [
        f"{verb} {path}"
        for path, of_path in found.items()
        for verb, each in of_path.items()
        if each.get("security") == []
    ]
    assert opened == public


def test_a_pattern_selects_all_methods_of_a_service() -> None:
    found = document_of(FILES, options=OpenApi(public_methods=["files.v1.*"]))["paths"]
    assert all(each["security"] == [] for of_path in found.values() for each in of_path.values())


def test_each_rule_is_an_operation() -> None:
    found = operations(document_of(FILES))
    assert found["POST /v1/forms/{name}"] == "files.v1.Files.Fill"
    assert found["POST /v1/forms/{name}/inner"] == "files.v1.Files.Fill_2"


def test_a_method_without_a_rule_has_its_own_path() -> None:
    found = operations(document_of(FILES))
    own = {each for each in found if each.startswith("POST /files.v1.Files/")}
    assert own == {"POST /files.v1.Files/NoRule"}


def test_an_operation_names_the_path_of_its_method_over_grpc() -> None:
    read = document_of(EVERYTHING)["paths"]["/v1/read"]["get"]
    assert read["x-grpc-path"] == "/everything.v1.Everythings/Read"


def test_a_prefix_is_part_of_paths() -> None:
    found = operations(document_of(FILES, prefix="/api"))
    assert "GET /api/v1/files/{size}" in found
    assert "POST /files.v1.Files/NoRule" in found


def test_a_service_configuration_replaces_rules() -> None:
    config = b'{"type": "google.api.Service", "http": {"rules": [{"selector": "%s", "get": "/g"}]}}'
    found = operations(document_of(FILES, config=config % b"files.v1.Files.Get"))
    assert found["GET /g"] == "files.v1.Files.Get"
    assert "GET /v1/files/{size}" not in found


def test_routes_that_the_document_cannot_hold_are_listed() -> None:
    assert document_of(EVERYTHING)["x-unwritten-routes"] == [
        "LOCK /v1/custom everything.v1.Everythings.CustomVerbs",
        "* /v1/any/{name} everything.v1.Everythings.AnyVerb",
        "GET /v1/over/{name=**} everything.v1.Everythings.Rest",
    ]


def test_an_operation_has_the_tag_of_its_service() -> None:
    document = document_of(FILES)
    assert document["tags"] == [{"name": FILES}]
    assert document["paths"]["/v1/files/{size}"]["get"]["tags"] == [FILES]


def test_a_document_without_routes_is_valid() -> None:
    document = Document(OpenApi(), JsonOptions()).content()
    openapi_spec_validator.validate(document)
    assert document["paths"] == {}


def test_a_part_has_the_operations_of_one_service() -> None:
    part = document_of(FILES, EVERYTHING, part=Part(service=FILES))
    assert {each["name"] for each in part["tags"]} == {FILES}
    assert operations(part) == operations(document_of(FILES))
    assert part["components"] == document_of(FILES)["components"]


def test_a_part_has_the_operations_of_one_tag() -> None:
    part = document_of(FILES, EVERYTHING, part=Part(tag=EVERYTHING))
    assert operations(part) == operations(document_of(EVERYTHING))


def test_a_part_of_a_service_and_the_tag_of_another_one_has_nothing() -> None:
    part = document_of(FILES, EVERYTHING, part=Part(service=FILES, tag=EVERYTHING))
    assert part["paths"] == {}
