import pytest

from tests.support.tables import cases
from transcoder.http.asgi_target import target_of


@cases(
    "root, path, raw, target",
    {
        "no prefix": ("", "/v1/a", b"/v1/a", "/v1/a"),
        "a prefix": ("/api", "/api/v1/a", b"/api/v1/a", "/v1/a"),
        "an escaped prefix": ("/api", "/api/v1/a", b"/%61pi/v1/a", "/v1/a"),
        "a prefix beyond ASCII": ("/größe", "/größe/a", b"/gr%C3%B6%C3%9Fe/a", "/a"),
        "the prefix alone": ("/api", "/api", b"/api", "/"),
        "a prefix that ends in a slash": ("/api/", "/api/v1/a", b"/api/v1/a", "/v1/a"),
        "a prefix that a proxy has taken off": ("/api", "/v1/a", b"/v1/a", "/v1/a"),
        "a longer first segment": ("/api", "/apis/a", b"/apis/a", "/apis/a"),
        "an escaped slash in the path": ("/api", "/api/a/b", b"/api/a%2Fb", "/a%2Fb"),
        "an escaped slash behind the prefix": ("/api", "/api/a", b"/api%2Fa", "%2Fa"),
        "an escaped slash within the prefix": ("/a/b", "/a/b/c", b"/a%2Fb/c", "/c"),
        "the asterisk": ("", "*", b"*", "*"),
        "no raw path": ("/api", "/api/a b/ü?/c", None, "/a%20b/%C3%BC%3F/c"),
    },
)
def test_the_prefix_is_taken_off_and_nothing_else(
    root: str, path: str, raw: bytes | None, target: str
) -> None:
    assert target_of({"path": path, "raw_path": raw, "root_path": root}) == target


@pytest.mark.parametrize(("query", "target"), [(b"", "/a"), (b"x=%2F&y", "/a?x=%2F&y")])
def test_the_query_stays_as_it_is(query: bytes, target: str) -> None:
    assert target_of({"path": "/a", "raw_path": b"/a", "query_string": query}) == target
