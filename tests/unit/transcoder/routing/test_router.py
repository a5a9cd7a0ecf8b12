"""Which route a request takes, and what it is told when it has none."""

from collections.abc import Iterable

import pytest
from grpc import StatusCode

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.routing.router import Router
from transcoder.routing.template import PathTemplate


def _router(*routes: str, prefix: str = "") -> Router[str]:
    """A router of "VERB /template" lines, each the target of its own route."""
    router: Router[str] = Router()
    for route in routes:
        verb, text = route.split(" ")
        template = PathTemplate.parse(text)
        router.add(verb, template, route, prefix=prefix, origin=f"test.{route}")
    return router


def _refusal(router: Router[str], verb: str, raw_path: str) -> TranscodeError:
    with pytest.raises(TranscodeError) as caught:
        router.match(verb, raw_path)
    return caught.value


@cases(
    "route, raw_path, variables",
    {
        "root": ("GET /", "/", ()),
        "literals": ("GET /a/b", "/a/b", ()),
        "single wildcard binds nothing": ("GET /a/*", "/a/x", ()),
        "variable": ("GET /a/{id}", "/a/x", ("x",)),
        "two variables": ("GET /a/{id}/b/{n}", "/a/1/b/2", ("1", "2")),
        "variable with a template": ("GET /a/{n=b/*}", "/a/b/c", ("b/c",)),
        "multi, then single": ("GET /a/{n=b/*}/{i}", "/a/b/c/d", ("b/c", "d")),
        "variable of one literal": ("GET /a/{n=fixed}", "/a/fixed", ("fixed",)),
        "many": ("GET /a/{n=**}", "/a/b/c", ("b/c",)),
        "many, none there": ("GET /a/{n=**}", "/a", ("",)),
        "many, one empty": ("GET /a/{n=**}", "/a/", ("",)),
        "many, empty first": ("GET /a/{n=**}", "/a//b", ("/b",)),
        "many at the root": ("GET /{n=**}", "/", ("",)),
        "literal and many": ("GET /a/{n=x/**}", "/a/x/y/z", ("x/y/z",)),
        "many before a literal": ("GET /a/{n=**}/end", "/a/b/c/end", ("b/c",)),
        "none before a literal": ("GET /a/{n=**}/end", "/a/end", ("",)),
        "many with its tail": ("GET /a/{n=**/end}", "/a/b/end", ("b/end",)),
        "variable after many": ("GET /{n=**}/a/{k=b}", "/x/a/b", ("x", "b")),
        "multi after many": ("GET /{n=**}/{k=a/b}/c", "/x/a/b/c", ("x", "a/b")),
        "single after many": ("GET /a/{n=**}/{k}", "/a/b/c/d", ("b/c", "d")),
        "single after none": ("GET /a/{n=**}/{k}", "/a/d", ("", "d")),
        "two after none": ("GET /{n=a/*/**}/*/{k}:act", "/a/1/x/y:act", ("a/1", "y")),
        "tail of two": ("GET /{n=**}/{k=a/*}/{i}", "/x/y/a/1/2", ("x/y", "a/1", "2")),
        "single before many": ("GET /{i}/{n=**}", "/1/2/3", ("1", "2/3")),
        "single before unbound many": ("GET /{i}/**/e", "/1/2/3/e", ("1",)),
        "verb of a literal": ("GET /a:act", "/a:act", ()),
        "verb with a colon": ("GET /a:b:c", "/a:b:c", ()),
        "verb of a variable": ("GET /{id}:act", "/x:act", ("x",)),
        "verb of an id with a colon": ("GET /{id}:act", "/x:y:act", ("x:y",)),
        "verb with a colon of a variable": ("GET /{id}:b:c", "/x:b:c", ("x",)),
        "escaped letter in a verb": ("GET /{id}:act", "/x:%61ct", ("x",)),
        "verb of many": ("GET /{n=**}:act", "/a/b:act", ("a/b",)),
        "verb of none": ("GET /a/{n=**}:act", "/a:act", ("",)),
        "verb after a literal after many": ("GET /{n=**}/e:act", "/a/e:act", ("a",)),
        "colon id": ("GET /{id}", "/x:act", ("x:act",)),
        "colon in a literal": ("GET /a:b/{id}", "/a:b/c", ("c",)),
        "plus is plus": ("GET /{id}", "/a+b", ("a+b",)),
        "single is decoded whole": ("GET /{id}", "/a%2Fb%20c", ("a/b c",)),
        "decoded once": ("GET /{id}", "/%252F", ("%2F",)),
        "escaped utf-8": ("GET /{id}", "/gr%C3%BCn", ("grün",)),
        "raw utf-8": ("GET /{id}", "/grün", ("grün",)),
        "dots are data": ("GET /{id}", "/..", ("..",)),
        "multi keeps %2F": ("GET /{n=a/*}", "/a/x%2Fy%2fz%3A", ("a/x%2Fy%2fz:",)),
        "many keeps %2F": ("GET /{n=**}", "/a%20b/%2f", ("a b/%2f",)),
        "many is decoded once": ("GET /{n=**}", "/%252F", ("%2F",)),
        "escaped letter in a literal": ("GET /abc/{id}", "/%61bc/x", ("x",)),
        "escaped literal": ("GET /a%20b", "/a%20b", ()),
        "escaped slash in a variable": ("GET /a/{n=b/*}", "/a/b%2Fc", ("b/c",)),
        "some escaped": ("GET /{n=a/*/b/*}", "/a%2fx%2Fb/y%20z", ("a/x/b/y z",)),
        "escaped slash and a verb": ("GET /{n=a/*}:act", "/a%2Fb:act", ("a/b",)),
        "two variables, escaped": ("GET /{n=a/*}/{k=b/*}", "/a%2Fc/b%2Fd", ("a/c", "b/d")),
        "many with escaped slashes": ("GET /x/{n=a/**}", "/x/a%2Fb%2Fc", ("a/b/c",)),
        "escaped after many": ("GET /{n=**}/e/{k=a/*}", "/x/e/a%2Fb", ("x", "a/b")),
        "slash in a literal": ("GET /a%2Fb", "/a%2fb", ()),
        "literal beyond ascii": ("GET /{i}/grün", "/x/gr%C3%BCn", ("x",)),
    },
)
def test_path_matches(route: str, raw_path: str, variables: tuple[str, ...]) -> None:
    assert _router(route, "GET /other:act").match("GET", raw_path) == (route, variables)


@cases(
    "route, raw_path",
    {
        "root": ("GET /a", "/"),
        "another literal": ("GET /a", "/b"),
        "another case": ("GET /a", "/A"),
        "trailing slash after a literal": ("GET /a", "/a/"),
        "longer": ("GET /a", "/a/b"),
        "shorter": ("GET /a/b", "/a"),
        "double slash": ("GET /a/b", "/a//b"),
        "empty segment for a variable": ("GET /a/{id}", "/a/"),
        "trailing slash after a variable": ("GET /a/{id}", "/a/x/"),
        "empty segment within": ("GET /a/{id}/b", "/a//b"),
        "empty segment for a wildcard": ("GET /a/*", "/a/"),
        "empty segment before a verb": ("GET /{id}:act", "/:act"),
        "verb not there": ("GET /{id}:act", "/x"),
        "escaped colon is no verb": ("GET /{id}:act", "/x%3Aact"),
        "another verb": ("GET /a:act", "/a:other"),
        "escaped slash before a variable": ("GET /a/{n=b/*}", "/a%2Fb/c"),
        "escaped slash behind a variable": ("GET /{n=a/*}/b", "/a/x%2Fb"),
        "escaped slash between variables": ("GET /{n=a/*}/{k=b/*}", "/a/x%2Fb/y"),
        "escaped slash before a segment": ("GET /a/{i}", "/a%2Fx"),
        "escaped slash and a wildcard": ("GET /a/*/c", "/a%2Fb/c"),
        "too many escaped slashes": ("GET /a/{n=b/*}", "/a/b%2Fc%2Fd"),
        "escaped slash at the end": ("GET /a/{n=b/*}", "/a/b%2F"),
        "escaped slash in a literal": ("GET /a/{n=bb/*}", "/a/b%2Fb/c"),
        "slash is not an escaped slash": ("GET /a%2Fb", "/a/b"),
        "no tail after many": ("GET /a/**/end", "/a/b"),
        "tail longer than the rest": ("GET /a/**/x/y", "/a/y"),
    },
)
def test_path_of_no_route_is_not_found(route: str, raw_path: str) -> None:
    refusal = _refusal(_router(route), "GET", raw_path)
    assert (refusal.code, refusal.http_status) == (StatusCode.NOT_FOUND, 404)


@cases(
    "routes, request_line, expected",
    {
        "literal over *": (("GET /a/{id}", "GET /a/b"), "GET /a/b", "GET /a/b"),
        "* over **": (("GET /a/**", "GET /a/*"), "GET /a/b", "GET /a/*"),
        "literal over **": (("GET /**", "GET /a/b"), "GET /a/b", "GET /a/b"),
        "back from a literal": (("GET /a/b/c", "GET /a/*/d"), "GET /a/b/d", "GET /a/*/d"),
        "back from a wildcard": (("GET /a/*/c", "GET /a/**"), "GET /a/b/d", "GET /a/**"),
        "back twice": (("GET /a/b/c", "GET /a/*/d", "GET /**"), "GET /a/b/e", "GET /**"),
        "longer tail first": (("GET /a/**", "GET /a/**/z"), "GET /a/b/z", "GET /a/**/z"),
        "back from a tail": (("GET /**/z", "GET /a/**/y"), "GET /a/b/z", "GET /**/z"),
        "back across methods": (("POST /a/b", "GET /a/{id}"), "GET /a/b", "GET /a/{id}"),
        "tails across methods": (("POST /a/**/z", "GET /a/**"), "GET /a/z", "GET /a/**"),
        "verb over data": (("GET /{id}", "GET /{id}:act"), "GET /x:act", "GET /{id}:act"),
        "verbs across methods": (("GET /{id}", "POST /{id}:act"), "GET /x:act", "GET /{id}"),
        "longest verb first": (("GET /{id}:c", "GET /a:b:c"), "GET /%61:b:c", "GET /a:b:c"),
        "next verb then": (("GET /{id}:c", "GET /*/x:b:c"), "GET /a:b:c", "GET /{id}:c"),
        "method over any": (("* /a", "GET /a"), "GET /a", "GET /a"),
        "any method": (("* /a", "GET /a"), "PUT /a", "* /a"),
        "any method, further back": (("* /a/*", "GET /a/b"), "PUT /a/b", "* /a/*"),
        "head of get": (("GET /a", "POST /b"), "HEAD /a", "GET /a"),
        "head of its own": (("GET /a", "HEAD /a"), "HEAD /a", "HEAD /a"),
        "head of get over any": (("GET /a", "* /a"), "HEAD /a", "GET /a"),
        "custom method": (("LOCK /a", "GET /a"), "LOCK /a", "LOCK /a"),
        "escaped slash is data first": (("GET /{id}", "GET /{n=a/*}"), "GET /a%2Fb", "GET /{id}"),
        "escaped slash, further back": (
            ("GET /a/{id}", "GET /{n=*/b}"),
            "GET /a%2Fb",
            "GET /{n=*/b}",
        ),
        "escaped slash across methods": (
            ("POST /{id}", "GET /{n=a/*}"),
            "GET /a%2Fb",
            "GET /{n=a/*}",
        ),
    },
)
def test_most_specific_route_wins(
    routes: tuple[str, ...], request_line: str, expected: str
) -> None:
    verb, raw_path = request_line.split(" ")
    assert _router(*routes).match(verb, raw_path).target == expected


@cases(
    "routes, request_line, expected",
    {
        "static": (("POST /a",), "GET /a", "POST"),
        "get allows head": (("GET /a",), "POST /a", "GET, HEAD"),
        "variable": (("PUT /{id}", "DELETE /{id}"), "GET /x", "DELETE, PUT"),
        "all": (("PUT /a", "DELETE /*", "PATCH /**"), "GET /a", "DELETE, PATCH, PUT"),
        "verb": (("PUT /{id}", "POST /{id}:act"), "GET /x:act", "POST, PUT"),
        "options": (("POST /a",), "OPTIONS /a", "POST"),
        "escaped slash": (("POST /{n=a/*}", "PUT /a/b"), "GET /a%2Fb", "POST"),
    },
)
def test_wrong_method_is_refused_with_the_allowed_ones(
    routes: tuple[str, ...], request_line: str, expected: str
) -> None:
    verb, raw_path = request_line.split(" ")
    refusal = _refusal(_router(*routes), verb, raw_path)
    assert (refusal.code, refusal.http_status) == (StatusCode.UNIMPLEMENTED, 405)
    assert refusal.headers == (("Allow", expected),)


@cases(
    "raw_path, message",
    {
        "empty": ("", "path: expected \"/\" first, got ''"),
        "no slash first": ("a/b", "path: expected \"/\" first, got 'a/b'"),
        "asterisk": ("*", "path: expected \"/\" first, got '*'"),
        "not hex": ("/%zz", "path segment '%zz': expected two hex digits after each '%'"),
        "cut short": ("/x/a%2", "path segment 'a%2': expected two hex digits after each '%'"),
        "not utf-8": ("/%ff", "path segment '%ff': expected UTF-8"),
        "surrogate": ("/%ED%A0%80", "path segment '%ED%A0%80': expected UTF-8"),
        "raw byte": ("/a\udcff", "path segment 'a\\\\udcff': expected UTF-8"),
    },
)
def test_path_that_cannot_be_decoded_is_malformed(raw_path: str, message: str) -> None:
    refusal = _refusal(_router("GET /{id}", "GET /{id}/{name=**}", "GET /x:act"), "GET", raw_path)
    assert (refusal.http_status, refusal.message) == (400, message)


def test_prefix_stands_before_the_template() -> None:
    router = _router("GET /a/{id}", "GET /b", "GET /", "GET /{n=**}/end", prefix="/m/v1")
    matches = [router.match("GET", path) for path in ("/m/v1/a/x", "/m/v1/b", "/m/v1/")]
    assert matches == [("GET /a/{id}", ("x",)), ("GET /b", ()), ("GET /", ())]
    assert router.match("GET", "/m/v1/c/d/end") == ("GET /{n=**}/end", ("c/d",))
    assert _refusal(router, "GET", "/b").http_status == 404


@cases("prefix", {"root": "/", "wildcard": "/a/*", "variable": "/{a=b}", "verb": "/a:b"})
def test_prefix_that_is_not_literal_is_refused(prefix: str) -> None:
    with misconfigured(
        f"prefix {prefix!r}: expected literal segments only, as in '/management/v1'"
    ):
        _router("GET /a", prefix=prefix)


@cases(
    "first, second",
    {
        "literal": ("/a", "/a"),
        "other variable": ("/{a}", "/{b}"),
        "other variables, same segments": ("/{a=x/*}", "/x/{b}"),
        "many": ("/{a=**}/z", "/**/z"),
        "verb": ("/{a}:act", "/*:act"),
    },
)
def test_same_route_twice_is_refused_naming_both(first: str, second: str) -> None:
    router: Router[str] = Router()
    router.add("GET", PathTemplate.parse(first), "one", prefix="/p", origin="shop.A.Get")
    with misconfigured(
        f"shop.B.Get: GET /p{second} is the same route as shop.A.Get: GET /p{first}"
    ):
        router.add("GET", PathTemplate.parse(second), "two", prefix="/p", origin="shop.B.Get")


def test_many_slashes_are_matched_without_recursion() -> None:
    path = "/a" + "/" * 65536
    assert _router("GET /a/{n=**}").match("GET", path).variables == ("/" * 65535,)


def test_hostile_path_visits_no_node_twice() -> None:
    """Each level has a literal and a wildcard; 2^20 ways would take minutes."""

    def routes() -> Iterable[str]:
        for depth in range(20):
            yield "GET /" + "/".join(["a"] * depth + ["*"] * (20 - depth)) + "/end"

    assert _refusal(_router(*routes()), "GET", "/a" * 20 + "/miss").http_status == 404
