"""Path templates as paths of the document."""

import pytest

from tests.support.tables import cases
from transcoder.openapi.paths import DocumentPath, document_path
from transcoder.routing.template import PathTemplate


def path_of(template: str, prefix: str = "") -> DocumentPath:
    parsed = PathTemplate.parse(template)
    return document_path(prefix, parsed, lambda variable: ".".join(variable.field_path))


@cases(
    "template, text",
    {
        "root": ("/", "/"),
        "literals": ("/v1/books", "/v1/books"),
        "variable": ("/v1/books/{id}", "/v1/books/{id}"),
        "field of a field": ("/v1/{book.id}", "/v1/{book.id}"),
        "verb": ("/v1/{id}:open", "/v1/{id}:open"),
        "segments of a variable": (
            "/v1/{name=shelves/*/books/*}:open",
            "/v1/shelves/{shelvesId}/books/{booksId}:open",
        ),
        "segments without a literal": ("/v1/{name=*/*}", "/v1/{nameId}/{nameId2}"),
        "literals alone": ("/v1/{name=a/b}", "/v1/a/b"),
        "any number": ("/v1/{name=**}", "/v1/{name}"),
        "any number below": ("/v1/{name=files/**}", "/v1/files/{filesId}"),
        "without a name": ("/v1/*/**", "/v1/{v1Id}/{segment}"),
        "a name twice": ("/v1/{a=x/*}/{b=x/*}", "/v1/x/{xId}/x/{xId2}"),
        "escapes": ("/v1/a%20b%7B%7D/ä/{id}", "/v1/a%20b%7B%7D/%C3%A4/{id}"),
    },
)
def test_a_parameter_is_a_segment(template: str, text: str) -> None:
    assert path_of(template).text == text


def test_a_prefix_comes_first() -> None:
    assert path_of("/books/{id}", "/library").text == "/library/books/{id}"


def test_a_parameter_says_what_it_fills() -> None:
    shelf, rest = path_of("/v1/{name=shelves/*}/{rest=**}").parameters
    assert (shelf.is_whole, shelf.is_multi) == (False, False)
    assert (rest.is_whole, rest.is_multi) == (True, True)


def test_a_path_takes_the_names_of_another_of_its_shape() -> None:
    first, second = path_of("/v1/{id}"), path_of("/v1/{name}")
    assert first.shape == second.shape
    assert second.named_as(first).text == "/v1/{id}"


@pytest.mark.parametrize("name", ["a{b", "a}b", "a/b", "a?b", "a#b"])
def test_a_name_that_paths_refuse_is_escaped(name: str) -> None:
    path = document_path("", PathTemplate.parse("/v1/{id}"), lambda _: name)
    assert path.text == "/v1/{a_b}"
