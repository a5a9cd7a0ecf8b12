"""docs/transcoding.md, "Paths": a test for each of its lines, over a real Transcoder."""

import gc
import sys
from collections import Counter
from types import FrameType

from tests.support.everything_fixture import Exchange, Refusal, Row, not_allowed, refused, run
from tests.support.tables import cases
from transcoder.routing.router import Router
from transcoder.routing.template import PathTemplate

MISS = "Not Found"
AFTER_MANY = b"""
http: {rules: [{selector: everything.v1.Everythings.NoRule,
  get: "/v2/{name=projects/*/databases/*/documents/*/**}/{text}"}]}
"""


def kind(name: str, text: str, answer: object) -> Exchange:
    return Exchange(f"GET /v1/kind/{name}/{text}", answer, by="Kinds")


def bad_kind(name: str, text: str, message: str) -> Exchange:
    return refused(f"GET /v1/kind/{name}/{text}", f"path variable {message}")


async def routes_cost_the_same() -> None:
    assert _calls(routes=1000) == _calls(routes=10)


def _calls(*, routes: int) -> int:
    """The calls that it takes to match each kind of path, of Python's and of C's functions."""
    router: Router[int] = Router()
    for index in range(routes):
        for path in ("", "/{a}", "/{a}/x", "/{a=**}", ":act"):
            template = PathTemplate.parse(f"/v1/things{index}{path}")
            router.add("GET", template, index, origin=f"{index}{path}")
    seen: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        seen[event] += 1

    gc.disable()  # what it finalises of other tests is not counted
    sys.setprofile(count)
    try:
        for path in ("", "/b", "/b/x", "/b/c/d", ":act"):
            router.match("GET", f"/v1/things7{path}")
    finally:
        sys.setprofile(None)
        gc.enable()
    return seen["call"] + seen["c_call"]


ROWS = {
    "*": (
        Exchange("GET /v1/one/x", {}, by="One"),
        Exchange("GET /v1/one/x/more", {"name": "x"}, by="One"),
        refused("GET /v1/one/x/y", MISS, status=404),
        refused("GET /v1/one/", MISS, status=404),
        refused("GET /v1/one//more", MISS, status=404),
    ),
    "**": (
        Exchange("GET /v1/many/a/b", {"name": "a/b"}, by="Many"),
        Exchange("GET /v1/many/a", {"name": "a"}, by="Many"),
        Exchange("GET /v1/many", {}, by="Many"),
        Exchange("GET /v1/many/", {}, by="Many"),
        Exchange("GET /v1/unnamed/a/b/c", {}, by="Many"),
    ),
    "** before other segments": (
        Exchange("GET /v1/tail/a/b/tail", {"name": "a/b"}, by="Many"),
        Exchange("GET /v1/tail/tail", {}, by="Many"),
        Exchange("GET /v1/tail/tail/tail", {"name": "tail"}, by="Many"),
        refused("GET /v1/tail/a", MISS, status=404),
        Exchange(
            "GET /v2/projects/p/databases/d/documents/a/b/c/things",
            {"name": "projects/p/databases/d/documents/a/b/c", "text": "things"},
            config=AFTER_MANY,
        ),
        Exchange(
            "GET /v2/projects/p/databases/d/documents/a/things",
            {"name": "projects/p/databases/d/documents/a", "text": "things"},
            config=AFTER_MANY,
        ),
        Refusal(
            "get: '/a/**/{name=**}'",
            "{rule}: GET path template '/a/**/{name=**}', column 13: expected \"**\" once",
        ),
    ),
    "{field.field=template}": (
        Exchange(
            "GET /v1/nested/shelves/a/books/3",
            {"part": {"first": "shelves/a", "inner": {"size": 3}}},
            by="Nested",
        ),
        refused("GET /v1/nested/rooms/a/books/3", MISS, status=404),
        Refusal(
            "get: '/a/{part.nope}'",
            "{rule}: GET /a/{part.nope}: variable 'part.nope' at column 4: "
            "'nope' is not a field of everything.v1.Part",
        ),
    ),
    "a variable twice": (
        Refusal(
            "get: '/a/{name}/{name}'",
            "{rule}: GET path template '/a/{name}/{name}', column 11: "
            "expected variable 'name' once",
        ),
    ),
    ":verb": (
        Exchange("POST /v1/objects/a:act", {"name": "a"}, by="Act"),
        Exchange("POST /v1/objects:act", {}, by="Act"),
        Exchange("POST /v1/objects/a:act:twice", {"name": "a"}, by="Act"),
        Exchange("POST /v1/objects/a:b:act", {"name": "a:b"}, by="Act"),
        Exchange("POST /v1/objects/a:other", {"name": "a:other"}, by="Object"),
        Exchange("GET /v1/objects/a:act", {"name": "a:act"}, by="Object"),
        Exchange("GET /v1/deep/a/b:act", {"name": "a/b"}, by="Act"),
        Exchange("GET /v1/deep/a:act/b", {"name": "a:act/b"}, by="Object"),
    ),
    "an escaped colon": (Exchange("POST /v1/objects/a%3Aact", {"name": "a:act"}, by="Object"),),
    "/": (Exchange("GET /", {}, by="Root"),),
    "a slash at the end": (
        refused("GET /v1/read/", MISS, status=404),
        refused("GET /v1/verbs/", MISS, status=404),
        Exchange("GET /v1/many/a/", {"name": "a/"}, by="Many"),
    ),
    "slashes side by side": (
        refused("GET /v1//verbs", MISS, status=404),
        Exchange("GET /v1/many//a//b", {"name": "/a//b"}, by="Many"),
        Exchange("GET /v1/many" + "/" * 8000, {"name": "/" * 7999}, by="Many"),
    ),
    "the most specific of several": (
        Exchange("GET /v1/over/literal", {}, by="Literal"),
        Exchange("GET /v1/over/a", {"name": "a"}, by="Single"),
        Exchange("GET /v1/over/a/c", {"name": "a/c"}, by="Rest"),
        # Behind a literal that leads nowhere, and for an HTTP method that only others have.
        Exchange("GET /v1/over/literal/b", {"name": "literal"}, by="Single"),
        Exchange("GET /v1/over/literal/c", {"name": "literal/c"}, by="Rest"),
        Exchange("PUT /v1/over/literal", {"name": "literal"}, by="Single"),
        Exchange("POST /v1/over/literal", {"name": "literal"}, by="Rest"),
        not_allowed("DELETE /v1/over/literal", "GET, HEAD, POST, PUT"),
    ),
    "a route twice": (
        Refusal(
            "get: '/v1/read/{text}'",
            "everything.v1.Everythings.Read: GET /v1/read/{name} is the same route as "
            "{rule}: GET /v1/read/{text}",
        ),
    ),
    "cost of many routes": (routes_cost_the_same,),
    "escapes in one segment": (
        Exchange("GET /v1/read/a%2Fb%20c+d", {"name": "a/b c+d"}),
        Exchange("GET /v1/read/%C3%A9%252F", {"name": "é%2F"}),
        Exchange("GET /v1/%72ead/a", {"name": "a"}, by="Read"),
    ),
    "escapes in several segments": (
        Exchange("GET /v1/many/a%2Fb/c%20d", {"name": "a%2Fb/c d"}),
        Exchange("GET /v1/many/a%2fb/%3A%25/", {"name": "a%2fb/:%/"}),
    ),
    "%2F where a template has a slash": (
        Exchange(
            "GET /v1/nested/shelves%2Fa/books/3",
            {"part": {"first": "shelves/a", "inner": {"size": 3}}},
            by="Nested",
        ),
        refused("GET /v1/nested/shelves/a%2Fbooks/3", MISS, status=404),
        refused("GET /v1%2Fnested/shelves/a/books/3", MISS, status=404),
    ),
    "a broken escape": (
        refused("GET /v1/read/%zz", "path segment '%zz': expected two hex digits after each '%'"),
        refused("GET /v1/many/a/%4", "path segment '%4': expected two hex digits after each '%'"),
    ),
    "escapes that are not UTF-8": (
        refused("GET /v1/read/%ff", "path segment '%ff': expected UTF-8"),
    ),
    "kinds of variables": (
        kind("double", "-1.5e3", {"aDouble": -1500}),
        kind("double", "NaN", {"aDouble": "NaN"}),
        kind("float", "0.1", {"aFloat": 0.1}),
        kind("int32", "-2147483648", {"anInt32": -(2**31)}),
        kind("int64", "9223372036854775807", {"anInt64": "9223372036854775807"}),
        kind("uint32", "4294967295", {"aUint32": 2**32 - 1}),
        kind("uint64", "18446744073709551615", {"aUint64": "18446744073709551615"}),
        kind("sint32", "-1", {"aSint32": -1}),
        kind("sint64", "-1", {"aSint64": "-1"}),
        kind("fixed32", "1", {"aFixed32": 1}),
        kind("fixed64", "1", {"aFixed64": "1"}),
        kind("sfixed32", "-1", {"aSfixed32": -1}),
        kind("sfixed64", "-1", {"aSfixed64": "-1"}),
        kind("bool", "true", {"aBool": True}),
        kind("bytes", "_-8", {"someBytes": "/+8="}),
        kind("color", "COLOR_RED", {"color": "COLOR_RED"}),
        kind("color", "-2", {"color": "COLOR_BLUE"}),
        kind("maybe", "0", {"maybeInt32": 0}),
        kind("timestamp", "1970-01-01T01:00:00%2B01:00", {"timestamp": "1970-01-01T00:00:00Z"}),
        kind("duration", "1.5s", {"duration": "1.500s"}),
        kind("mask", "name,part.inner", {"updateMask": "name,part.inner"}),
        kind("struct", "%7B%22a%22:1%7D", {"struct": {"a": 1}}),
        kind("value", "null", {"value": None}),
        kind("list", "[1,2]", {"list": [1, 2]}),
        kind("wrapped", "false", {"wrappedBool": False}),
        kind("choice", "0", {"number": "0"}),
        bad_kind(
            "int32",
            "2147483648",
            "'an_int32': expected int32, got '2147483648', which is out of range",
        ),
        bad_kind("uint64", "-1", "'a_uint64': expected uint64, got '-1', which is out of range"),
        bad_kind("bool", "1", "'a_bool': expected bool, got '1'"),
        bad_kind("color", "RED", "'color': expected a value of everything.v1.Color, got 'RED'"),
        bad_kind("timestamp", "now", "'timestamp': expected an RFC 3339 timestamp, got 'now'"),
        Refusal(
            "get: '/a/{tags}'",
            "{rule}: GET /a/{tags}: variable 'tags' at column 4: "
            "'tags' holds several values, a path holds one",
        ),
        Refusal(
            "get: '/a/{labels}'",
            "{rule}: GET /a/{labels}: variable 'labels' at column 4: "
            "'labels' holds several values, a path holds one",
        ),
        Refusal(
            "get: '/a/{part}'",
            "{rule}: GET /a/{part}: variable 'part' at column 4: "
            "its type is a message that has no form as text",
        ),
    ),
    "a field of the path in query or body": (
        Exchange("GET /v1/read/real?name=fake", {"name": "real"}),
        Exchange("PUT /v1/write/real", {"name": "real"}, body='{"name": "fake"}'),
        Exchange(
            "PUT /v1/part/real/first/b?name=fake&part.first=c",
            {"name": "real", "part": {"first": "b"}},
            body='{"first": "a"}',
        ),
        refused(
            "GET /v1/read/real?name=fake",
            "query parameter 'name': bound by the path or the body",
            strict=True,
        ),
        refused(
            "PUT /v1/write/real",
            "name: given in the path and outside of it",
            body='{"name": "fake"}',
            strict=True,
        ),
    ),
}


@cases("row", ROWS)
async def test_paths(row: Row) -> None:
    await run(row)
