"""Answers at paths that are not served."""

import grpc
import pytest

from tests.support.tables import cases
from transcoder import SchemaError
from transcoder.http.unserved_paths import UnservedPaths, asks_for_page
from transcoder.routing.template import PathTemplate


def unserved(*routes: tuple[str, str], docs: str = "") -> UnservedPaths:
    made = UnservedPaths(docs)
    for prefix, template in routes:
        made.add(prefix, PathTemplate.parse(template))
    return made


SERVICE = unserved(
    ("/management/v1", "/actions/{id}"),
    ("/management/v1", "/flows"),
    ("", "/v1/flows"),
    docs="README",
)


@pytest.mark.parametrize("path", ["/", "/reactivate", "/actions/_search", "/management/v11", ""])
def test_outside_of_every_prefix_the_prefixes_are_named(path: str) -> None:
    assert SERVICE.text(path) == (
        "Not Found: paths here begin with /management/v1 or /v1; "
        "/healthz and /readyz tell whether it serves; see README"
    )


@pytest.mark.parametrize("path", ["/management/v1", "/management/v1/none", "/v1/none"])
def test_below_a_prefix_a_404_is_short(path: str) -> None:
    assert SERVICE.text(path) == "Not Found"


def test_three_prefixes_are_a_list() -> None:
    said = unserved(("/a", "/x"), ("/b", "/x"), ("/c", "/x")).text("/")
    assert said.startswith("Not Found: paths here begin with /a, /b or /c; ")


def test_without_prefixes_a_404_is_short() -> None:
    assert unserved(("", "/v1/books")).text("/none") == "Not Found"


def test_a_page_says_the_same_and_escapes_it() -> None:
    page = unserved(("/a<b", "/x"), ("", "/{name=*}"), docs="<docs>").page().decode()
    assert "<li><code>/a&lt;b</code></ul>" in page
    assert "/healthz" in page
    assert "See &lt;docs&gt;." in page


@pytest.mark.parametrize(
    ("path", "is_known"),
    [
        ("/acme.Shop/Buy", True),
        ("/acme/v1", True),
        ("/acme/v1/carts/1", True),
        ("/acme/v11", False),
        ("/acme", False),
        ("/", False),
    ],
)
def test_an_api_that_is_known_but_not_served_is_unimplemented(path: str, is_known: bool) -> None:
    made = UnservedPaths("", {"/acme.": "no shop", "/acme/v1/": "no shop"})
    route, method = made.missing(path), made.unknown_method(path)
    unimplemented, not_found = grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND
    if is_known:
        assert (route.code, route.message) == (unimplemented, "no shop")
        assert (method.code, method.message) == (unimplemented, "no shop")
    else:
        assert (route.code, route.message) == (not_found, "Not Found")
        assert (method.code, method.message) == (unimplemented, f"unknown method {path!r}")


def test_a_beginning_of_what_is_not_served_starts_with_a_slash() -> None:
    with pytest.raises(SchemaError, match="not_served: expected \"/\" first, got 'acme/'"):
        UnservedPaths("", {"acme/": "no shop"})


@cases(
    "accept, expected",
    {
        "a browser": ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        "curl": ("*/*", False),
        "none": (None, False),
        "JSON too": ("application/json, text/html", False),
    },
)
def test_a_page_is_sent_only_to_clients_that_ask_for_html(
    accept: str | None, expected: bool
) -> None:
    assert asks_for_page(accept) is expected
