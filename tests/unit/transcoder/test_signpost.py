"""What a 404 says there is."""

import pytest

from transcoder.signpost import Signpost, asks_for_page
from transcoder.template import PathTemplate


def signpost(*routes: tuple[str, str], docs: str = "") -> Signpost:
    made = Signpost(docs)
    for prefix, template in routes:
        made.add(prefix, PathTemplate.parse(template))
    return made


SERVICE = signpost(
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
    said = signpost(("/a", "/x"), ("/b", "/x"), ("/c", "/x")).text("/")
    assert said.startswith("Not Found: paths here begin with /a, /b or /c; ")


def test_without_prefixes_a_404_is_short() -> None:
    assert signpost(("", "/v1/books")).text("/none") == "Not Found"


def test_a_page_says_the_same_and_escapes_it() -> None:
    page = signpost(("/a<b", "/x"), ("", "/{name=*}"), docs="<docs>").page().decode()
    assert "<li><code>/a&lt;b</code></ul>" in page
    assert "/healthz" in page
    assert "See &lt;docs&gt;." in page


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("text/html,application/xhtml+xml,*/*;q=0.8", True, id="a browser"),
        pytest.param("*/*", False, id="curl"),
        pytest.param(None, False, id="none"),
        pytest.param("application/json, text/html", False, id="JSON too"),
    ],
)
def test_a_page_is_for_those_who_ask_for_html(accept: str | None, expected: bool) -> None:
    assert asks_for_page(accept) is expected
