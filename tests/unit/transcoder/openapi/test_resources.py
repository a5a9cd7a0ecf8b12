"""Resources of google.api in documents: names of parameters, and keywords."""

from typing import Any

import openapi_spec_validator
import pytest

from tests.support.openapi_documents import document_of, protoc
from tests.support.tables import cases

LIBRARY = """
syntax = "proto3";
package library;
import "google/api/annotations.proto";
import "google/api/resource.proto";
import "shelf.proto";
option (google.api.resource_definition) = {
  type: "library.example/Room" pattern: "rooms/{room}"
};
message Book {
  option (google.api.resource) = {
    type: "library.example/Book"
    pattern: "shelves/{shelf}/books/{book}"
    pattern: "publishers/{publisher}/books/{book}"
  };
  string name = 1;
  string shelf = 2 [(google.api.resource_reference).type = "library.example/Shelf"];
}
message Named { string name = 1 [(google.api.resource_reference).type = "library.example/Book"]; }
message Below {
  string parent = 1 [(google.api.resource_reference).child_type = "library.example/Book"];
}
message AtPublisher {
  string publisher = 1 [(google.api.resource_reference).type = "elsewhere.example/Publisher"];
}
message OfShelf { string id = 1 [(google.api.resource_reference).type = "library.example/Shelf"]; }
message InRoom { string room = 1 [(google.api.resource_reference).type = "library.example/Room"]; }
message Changed { Book book = 1; }
message Plain { string name = 1; }
service Library {
  rpc Get(Named) returns (Book) {
    option (google.api.http).get = "/get/{name=shelves/*/books/*}"; }
  rpc Published(Named) returns (Book) {
    option (google.api.http).get = "/published/{name=publishers/*/books/*}"; }
  rpc Other(Named) returns (Book) { option (google.api.http).get = "/other/{name=desks/*}"; }
  rpc List(Below) returns (Book) {
    option (google.api.http).get = "/list/{parent=publishers/*}/books"; }
  rpc Shelved(OfShelf) returns (Book) {
    option (google.api.http).get = "/shelved/{id=shelves/*/**}"; }
  rpc Publisher(AtPublisher) returns (Book) {
    option (google.api.http).get = "/publisher/{publisher=publishers/*}"; }
  rpc Room(InRoom) returns (Book) { option (google.api.http).get = "/room/{room=rooms/*}"; }
  rpc Change(Changed) returns (Book) {
    option (google.api.http) = { put: "/change/{book.name=shelves/*/books/*}" body: "book" }; }
  rpc Whole(Named) returns (Book) { option (google.api.http).get = "/whole/{name}"; }
  rpc None(Plain) returns (Book) { option (google.api.http).get = "/none/{name=shelves/*}"; }
}
"""
SHELF = """
syntax = "proto3";
package library;
import "google/api/resource.proto";
message Shelf {
  option (google.api.resource) = {
    type: "library.example/Shelf" pattern: "shelves/{shelf}/{place=**}"
  };
}
"""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    files = {"shelf.proto": SHELF, "library.proto": LIBRARY}
    pool = protoc(tmp_path_factory.mktemp("library"), files)
    made = document_of("library.Library", pool=pool)
    openapi_spec_validator.validate(made)
    return made


@cases(
    "path",
    {
        "a reference": "/get/shelves/{shelf}/books/{book}",
        "its second pattern": "/published/publishers/{publisher}/books/{book}",
        "no pattern that fits": "/other/desks/{desksId}",
        "the parent of a type": "/list/publishers/{publisher}/books",
        "a type of another file": "/shelved/shelves/{shelf}/{place}",
        "a type that no file defines, above one": "/publisher/publishers/{publisher}",
        "a type that a file defines": "/room/rooms/{room}",
        "the name of the resource itself": "/change/shelves/{shelf}/books/{book}",
        "a whole name": "/whole/{name}",
        "no resource": "/none/shelves/{shelvesId}",
    },
)
def test_a_pattern_names_parameters(document: dict[str, Any], path: str) -> None:
    assert path in document["paths"]


def test_types_are_keywords(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["library.Book"]["x-google-resource"] == {
        "type": "library.example/Book",
        "pattern": ["shelves/{shelf}/books/{book}", "publishers/{publisher}/books/{book}"],
    }
    assert schemas["library.Book"]["properties"]["shelf"] == {
        "type": "string",
        "x-google-resource-reference": {"type": "library.example/Shelf"},
    }
