"""Which route a request takes, and what it is told when it has none."""

from collections.abc import Iterable

import pytest
from grpc import StatusCode

from transcoder.errors import SchemaError, TranscodeError
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


@pytest.mark.parametrize(
    ("route", "raw_path", "variables"),
    [
        pytest.param("GET /", "/", (), id="root"),
        pytest.param("GET /a/b", "/a/b", (), id="literals"),
        pytest.param("GET /a/*", "/a/x", (), id="single wildcard binds nothing"),
        pytest.param("GET /a/{id}", "/a/x", ("x",), id="variable"),
        pytest.param("GET /a/{id}/b/{n}", "/a/1/b/2", ("1", "2"), id="two variables"),
        pytest.param("GET /a/{n=b/*}", "/a/b/c", ("b/c",), id="variable with a template"),
        pytest.param("GET /a/{n=b/*}/{i}", "/a/b/c/d", ("b/c", "d"), id="multi, then single"),
        pytest.param("GET /a/{n=fixed}", "/a/fixed", ("fixed",), id="variable of one literal"),
        pytest.param("GET /a/{n=**}", "/a/b/c", ("b/c",), id="many"),
        pytest.param("GET /a/{n=**}", "/a", ("",), id="many, none there"),
        pytest.param("GET /a/{n=**}", "/a/", ("",), id="many, one empty"),
        pytest.param("GET /a/{n=**}", "/a//b", ("/b",), id="many, empty first"),
        pytest.param("GET /{n=**}", "/", ("",), id="many at the root"),
        pytest.param("GET /a/{n=x/**}", "/a/x/y/z", ("x/y/z",), id="literal and many"),
        pytest.param("GET /a/{n=**}/end", "/a/b/c/end", ("b/c",), id="many before a literal"),
        pytest.param("GET /a/{n=**}/end", "/a/end", ("",), id="none before a literal"),
        pytest.param("GET /a/{n=**/end}", "/a/b/end", ("b/end",), id="many with its tail"),
        pytest.param("GET /{n=**}/a/{k=b}", "/x/a/b", ("x", "b"), id="variable after many"),
        pytest.param("GET /{n=**}/{k=a/b}/c", "/x/a/b/c", ("x", "a/b"), id="multi after many"),
        pytest.param("GET /a/{n=**}/{k}", "/a/b/c/d", ("b/c", "d"), id="single after many"),
        pytest.param("GET /a/{n=**}/{k}", "/a/d", ("", "d"), id="single after none"),
        pytest.param(
            "GET /{n=a/*/**}/*/{k}:act", "/a/1/x/y:act", ("a/1", "y"), id="two after none"
        ),
        pytest.param(
            "GET /{n=**}/{k=a/*}/{i}", "/x/y/a/1/2", ("x/y", "a/1", "2"), id="tail of two"
        ),
        pytest.param("GET /{i}/{n=**}", "/1/2/3", ("1", "2/3"), id="single before many"),
        pytest.param("GET /{i}/**/e", "/1/2/3/e", ("1",), id="single before unbound many"),
        pytest.param("GET /a:act", "/a:act", (), id="verb of a literal"),
        pytest.param("GET /a:b:c", "/a:b:c", (), id="verb with a colon"),
        pytest.param("GET /{id}:act", "/x:act", ("x",), id="verb of a variable"),
        pytest.param("GET /{id}:act", "/x:y:act", ("x:y",), id="verb of an id with a colon"),
        pytest.param("GET /{id}:b:c", "/x:b:c", ("x",), id="verb with a colon of a variable"),
        pytest.param("GET /{id}:act", "/x:%61ct", ("x",), id="escaped letter in a verb"),
        pytest.param("GET /{n=**}:act", "/a/b:act", ("a/b",), id="verb of many"),
        pytest.param("GET /a/{n=**}:act", "/a:act", ("",), id="verb of none"),
        pytest.param("GET /{n=**}/e:act", "/a/e:act", ("a",), id="verb after a literal after many"),
        pytest.param("GET /{id}", "/x:act", ("x:act",), id="colon id"),
        pytest.param("GET /a:b/{id}", "/a:b/c", ("c",), id="colon in a literal"),
        pytest.param("GET /{id}", "/a+b", ("a+b",), id="plus is plus"),
        pytest.param("GET /{id}", "/a%2Fb%20c", ("a/b c",), id="single is decoded whole"),
        pytest.param("GET /{id}", "/%252F", ("%2F",), id="decoded once"),
        pytest.param("GET /{id}", "/gr%C3%BCn", ("grün",), id="escaped utf-8"),
        pytest.param("GET /{id}", "/grün", ("grün",), id="raw utf-8"),
        pytest.param("GET /{id}", "/..", ("..",), id="dots are data"),
        pytest.param("GET /{n=a/*}", "/a/x%2Fy%2fz%3A", ("a/x%2Fy%2fz:",), id="multi keeps %2F"),
        pytest.param("GET /{n=**}", "/a%20b/%2f", ("a b/%2f",), id="many keeps %2F"),
        pytest.param("GET /{n=**}", "/%252F", ("%2F",), id="many is decoded once"),
        pytest.param("GET /abc/{id}", "/%61bc/x", ("x",), id="escaped letter in a literal"),
        pytest.param("GET /a%20b", "/a%20b", (), id="escaped literal"),
        pytest.param("GET /a%2Fb", "/a%2fb", (), id="slash in a literal"),
        pytest.param("GET /{i}/grün", "/x/gr%C3%BCn", ("x",), id="literal beyond ascii"),
    ],
)
def test_path_matches(route: str, raw_path: str, variables: tuple[str, ...]) -> None:
    assert _router(route, "GET /other:act").match("GET", raw_path) == (route, variables)


@pytest.mark.parametrize(
    ("route", "raw_path"),
    [
        pytest.param("GET /a", "/", id="root"),
        pytest.param("GET /a", "/b", id="another literal"),
        pytest.param("GET /a", "/A", id="another case"),
        pytest.param("GET /a", "/a/", id="trailing slash after a literal"),
        pytest.param("GET /a", "/a/b", id="longer"),
        pytest.param("GET /a/b", "/a", id="shorter"),
        pytest.param("GET /a/b", "/a//b", id="double slash"),
        pytest.param("GET /a/{id}", "/a/", id="empty segment for a variable"),
        pytest.param("GET /a/{id}", "/a/x/", id="trailing slash after a variable"),
        pytest.param("GET /a/{id}/b", "/a//b", id="empty segment within"),
        pytest.param("GET /a/*", "/a/", id="empty segment for a wildcard"),
        pytest.param("GET /{id}:act", "/:act", id="empty segment before a verb"),
        pytest.param("GET /{id}:act", "/x", id="verb not there"),
        pytest.param("GET /{id}:act", "/x%3Aact", id="escaped colon is no verb"),
        pytest.param("GET /a:act", "/a:other", id="another verb"),
        pytest.param("GET /a/{n=b/*}", "/a/b%2Fc", id="escaped slash does not split"),
        pytest.param("GET /a%2Fb", "/a/b", id="slash is not an escaped slash"),
        pytest.param("GET /a/**/end", "/a/b", id="no tail after many"),
        pytest.param("GET /a/**/x/y", "/a/y", id="tail longer than the rest"),
    ],
)
def test_path_of_no_route_is_not_found(route: str, raw_path: str) -> None:
    refusal = _refusal(_router(route), "GET", raw_path)
    assert (refusal.code, refusal.http_status) == (StatusCode.NOT_FOUND, 404)


@pytest.mark.parametrize(
    ("routes", "request_line", "expected"),
    [
        pytest.param(("GET /a/{id}", "GET /a/b"), "GET /a/b", "GET /a/b", id="literal over *"),
        pytest.param(("GET /a/**", "GET /a/*"), "GET /a/b", "GET /a/*", id="* over **"),
        pytest.param(("GET /**", "GET /a/b"), "GET /a/b", "GET /a/b", id="literal over **"),
        pytest.param(
            ("GET /a/b/c", "GET /a/*/d"), "GET /a/b/d", "GET /a/*/d", id="back from a literal"
        ),
        pytest.param(
            ("GET /a/*/c", "GET /a/**"), "GET /a/b/d", "GET /a/**", id="back from a wildcard"
        ),
        pytest.param(
            ("GET /a/b/c", "GET /a/*/d", "GET /**"), "GET /a/b/e", "GET /**", id="back twice"
        ),
        pytest.param(
            ("GET /a/**", "GET /a/**/z"), "GET /a/b/z", "GET /a/**/z", id="longer tail first"
        ),
        pytest.param(
            ("GET /**/z", "GET /a/**/y"), "GET /a/b/z", "GET /**/z", id="back from a tail"
        ),
        pytest.param(
            ("POST /a/b", "GET /a/{id}"), "GET /a/b", "GET /a/{id}", id="back across methods"
        ),
        pytest.param(
            ("POST /a/**/z", "GET /a/**"), "GET /a/z", "GET /a/**", id="tails across methods"
        ),
        pytest.param(
            ("GET /{id}", "GET /{id}:act"), "GET /x:act", "GET /{id}:act", id="verb over data"
        ),
        pytest.param(
            ("GET /{id}", "POST /{id}:act"), "GET /x:act", "GET /{id}", id="verbs across methods"
        ),
        pytest.param(
            ("GET /{id}:c", "GET /a:b:c"), "GET /%61:b:c", "GET /a:b:c", id="longest verb first"
        ),
        pytest.param(
            ("GET /{id}:c", "GET /*/x:b:c"), "GET /a:b:c", "GET /{id}:c", id="next verb then"
        ),
        pytest.param(("* /a", "GET /a"), "GET /a", "GET /a", id="method over any"),
        pytest.param(("* /a", "GET /a"), "PUT /a", "* /a", id="any method"),
        pytest.param(("* /a/*", "GET /a/b"), "PUT /a/b", "* /a/*", id="any method, further back"),
        pytest.param(("GET /a", "POST /b"), "HEAD /a", "GET /a", id="head of get"),
        pytest.param(("GET /a", "HEAD /a"), "HEAD /a", "HEAD /a", id="head of its own"),
        pytest.param(("GET /a", "* /a"), "HEAD /a", "GET /a", id="head of get over any"),
        pytest.param(("LOCK /a", "GET /a"), "LOCK /a", "LOCK /a", id="custom method"),
    ],
)
def test_most_specific_route_wins(
    routes: tuple[str, ...], request_line: str, expected: str
) -> None:
    verb, raw_path = request_line.split(" ")
    assert _router(*routes).match(verb, raw_path).target == expected


@pytest.mark.parametrize(
    ("routes", "request_line", "expected"),
    [
        pytest.param(("POST /a",), "GET /a", "POST", id="static"),
        pytest.param(("GET /a",), "POST /a", "GET, HEAD", id="get allows head"),
        pytest.param(("PUT /{id}", "DELETE /{id}"), "GET /x", "DELETE, PUT", id="variable"),
        pytest.param(
            ("PUT /a", "DELETE /*", "PATCH /**"), "GET /a", "DELETE, PATCH, PUT", id="all"
        ),
        pytest.param(("PUT /{id}", "POST /{id}:act"), "GET /x:act", "POST, PUT", id="verb"),
        pytest.param(("POST /a",), "OPTIONS /a", "POST", id="options"),
    ],
)
def test_wrong_method_is_refused_with_the_allowed_ones(
    routes: tuple[str, ...], request_line: str, expected: str
) -> None:
    verb, raw_path = request_line.split(" ")
    refusal = _refusal(_router(*routes), verb, raw_path)
    assert (refusal.code, refusal.http_status) == (StatusCode.UNIMPLEMENTED, 405)
    assert refusal.headers == (("Allow", expected),)


@pytest.mark.parametrize(
    ("raw_path", "message"),
    [
        pytest.param("", "path: expected \"/\" first, got ''", id="empty"),
        pytest.param("a/b", "path: expected \"/\" first, got 'a/b'", id="no slash first"),
        pytest.param("*", "path: expected \"/\" first, got '*'", id="asterisk"),
        pytest.param(
            "/%zz", "path segment '%zz': expected two hex digits after each '%'", id="not hex"
        ),
        pytest.param(
            "/x/a%2", "path segment 'a%2': expected two hex digits after each '%'", id="cut short"
        ),
        pytest.param("/%ff", "path segment '%ff': expected UTF-8", id="not utf-8"),
        pytest.param("/%ED%A0%80", "path segment '%ED%A0%80': expected UTF-8", id="surrogate"),
        pytest.param("/a\udcff", "path segment 'a\\\\udcff': expected UTF-8", id="raw byte"),
    ],
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


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param("/", id="root"),
        pytest.param("/a/*", id="wildcard"),
        pytest.param("/{a=b}", id="variable"),
        pytest.param("/a:b", id="verb"),
    ],
)
def test_prefix_that_is_not_literal_is_refused(prefix: str) -> None:
    with pytest.raises(SchemaError) as caught:
        _router("GET /a", prefix=prefix)
    assert str(caught.value) == (
        f"prefix {prefix!r}: expected literal segments only, as in '/management/v1'"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("/a", "/a", id="literal"),
        pytest.param("/{a}", "/{b}", id="other variable"),
        pytest.param("/{a=x/*}", "/x/{b}", id="other variables, same segments"),
        pytest.param("/{a=**}/z", "/**/z", id="many"),
        pytest.param("/{a}:act", "/*:act", id="verb"),
    ],
)
def test_same_route_twice_is_refused_naming_both(first: str, second: str) -> None:
    router: Router[str] = Router()
    router.add("GET", PathTemplate.parse(first), "one", prefix="/p", origin="shop.A.Get")
    with pytest.raises(SchemaError) as caught:
        router.add("GET", PathTemplate.parse(second), "two", prefix="/p", origin="shop.B.Get")
    assert str(caught.value) == (
        f"shop.B.Get: GET /p{second} is the same route as shop.A.Get: GET /p{first}"
    )


def test_many_slashes_are_matched_without_recursion() -> None:
    path = "/a" + "/" * 65536
    assert _router("GET /a/{n=**}").match("GET", path).variables == ("/" * 65535,)


def test_hostile_path_visits_no_node_twice() -> None:
    """Each level has a literal and a wildcard; 2^20 ways would take minutes."""

    def routes() -> Iterable[str]:
        for depth in range(20):
            yield "GET /" + "/".join(["a"] * depth + ["*"] * (20 - depth)) + "/end"

    assert _refusal(_router(*routes()), "GET", "/a" * 20 + "/miss").http_status == 404
