"""docs/transcoding.md, "Queries": a test for each of its lines, over a real Transcoder."""

from urllib.parse import quote_plus

from tests.support.everything_fixture import Exchange, Row, refused, run
from tests.support.tables import cases

PART = '{"first": "a"}'


def read(query: str, answer: object) -> Exchange:
    return Exchange(f"GET /v1/read?{query}", answer, by="Read")


def bad(query: str, name: str, problem: str) -> Exchange:
    return refused(f"GET /v1/read?{query}", f"query parameter {name!r}: {problem}")


def unread(query: str, message: str) -> Exchange:
    return refused(f"GET /v1/read?{query}", f"query: {message}")


def bad_value(name: str, text: str, problem: str) -> Exchange:
    return bad(f"{name}={quote_plus(text)}", name, f"{problem}, got {text!r}")


def no_effect(query: str, message: str) -> tuple[Exchange, Exchange]:
    """A query that counts for nothing; 400 with `strict`."""
    target = f"GET /v1/read?{query}"
    return Exchange(target, {}), refused(target, f"query parameter {message}", strict=True)


def misformed(query: str, message: str) -> tuple[Exchange, Exchange]:
    """A query that names a field in a form that it does not have: 400, `strict` or not."""
    target = f"GET /v1/read?{query}"
    message = f"query parameter {message}"
    return refused(target, message), refused(target, message, strict=True)


def beyond(name: str, text: str, kind: str) -> Exchange:
    return bad(f"{name}={text}", name, f"expected {kind}, got {text!r}, which is out of range")


ROWS = {
    "fields of fields": (
        read("part.size=1&part.inner.first=a", {"part": {"size": 1, "inner": {"first": "a"}}}),
        read("part.notes=a&part.notes=b", {"part": {"notes": ["a", "b"]}}),
        bad(
            "part" + ".inner" * 100 + ".size=1",
            "part.inner.inner.inner.inner.inner.inner…",
            "nested too deeply",
        ),
    ),
    "a repeated field": (
        read("tags=a&tags=&tags=b", {"tags": ["a", "", "b"]}),
        read("numbers=1&numbers=-2", {"numbers": ["1", "-2"]}),
        read("colors=COLOR_RED&colors=-2", {"colors": ["COLOR_RED", "COLOR_BLUE"]}),
        read("waits=1s&waits=0.5s", {"waits": ["1s", "0.500s"]}),
        read("values=1&values=null&values=[]", {"values": [1, None, []]}),
    ),
    "values divided by commas": (
        bad("numbers=1,2", "numbers", "expected int64, got '1,2'"),
        read("tags=a,b", {"tags": ["a,b"]}),
    ),
    "a list of messages": (
        read("parts.size=1&parts.first=a", {"parts": [{"first": "a", "size": 1}]}),
        read(
            "parts[1].size=2&parts[0].size=1&parts[1].inners[0].first=a",
            {"parts": [{"size": 1}, {"size": 2, "inners": [{"first": "a"}]}]},
        ),
        bad("parts.size=1&parts.size=2", "parts.size", "expected one value, got two"),
        unread("parts[1].size=1", "parts[0] is left out"),
        bad("parts=x", "parts", "parts is a list of messages, expected parts[0].field"),
    ),
    "two values for one field": (
        bad("an_int32=1&an_int32=1", "an_int32", "expected one value, got two"),
        bad("anInt32=1&an_int32=2", "an_int32", "expected one value, got two"),
        bad("part.size=1&part.size=2", "part.size", "expected one value, got two"),
    ),
    "an enum": (
        read("color=COLOR_RED", {"color": "COLOR_RED"}),
        read("color=-2", {"color": "COLOR_BLUE"}),
        read("color=7", {"color": 7}),
        bad_value("color", "RED", "expected a value of everything.v1.Color"),
        bad_value("color", "color_red", "expected a value of everything.v1.Color"),
        bad_value("color", "2147483648", "expected a value of everything.v1.Color"),
    ),
    "both names of a field": (
        read("anInt32=1", {"anInt32": 1}),
        read("an_int32=1", {"anInt32": 1}),
        read("@odd=a", {"@odd": "a"}),
        read("odd_name=a", {"@odd": "a"}),
        *no_effect("oddName=a", "'oddName': no such field"),
    ),
    "Timestamp": (
        read("timestamp=1970-01-01T00:00:00.5Z", {"timestamp": "1970-01-01T00:00:00.500Z"}),
        bad_value("timestamp", "1970-01-01", "expected an RFC 3339 timestamp"),
    ),
    "Duration": (
        read("duration=-1.5s", {"duration": "-1.500s"}),
        bad_value("duration", "1h2m", "expected a duration in seconds"),
    ),
    "FieldMask": (
        read(
            "updateMask=name,anInt32,part.firstName", {"updateMask": "name,anInt32,part.firstName"}
        ),
        read("updateMask=an_int32,part.first_name", {"updateMask": "anInt32,part.firstName"}),
        read("update_mask=", {"updateMask": ""}),
        read("updateMask=*", {"updateMask": "*"}),
        read("updateMask=part.*,labels.`X-y`", {"updateMask": "part.*,labels.`X-y`"}),
        bad_value("updateMask", "a-b", "expected a field mask"),
    ),
    "wrappers": (
        read("wrapped_double=0.5", {"wrappedDouble": 0.5}),
        read("wrapped_float=-Infinity", {"wrappedFloat": "-Infinity"}),
        read("wrapped_int64=5", {"wrappedInt64": "5"}),
        read("wrapped_uint64=5", {"wrappedUint64": "5"}),
        read("wrapped_int32=0", {"wrappedInt32": 0}),
        read("wrapped_uint32=5", {"wrappedUint32": 5}),
        read("wrapped_bool=false", {"wrappedBool": False}),
        read("wrapped_string=", {"wrappedString": ""}),
        read("wrapped_bytes=_-8", {"wrappedBytes": "/+8="}),
        bad_value("wrapped_int32", "x", "expected int32"),
    ),
    "Struct": (
        read("struct=%7B%22a%22:[1,null]%7D", {"struct": {"a": [1, None]}}),
        bad("struct=[]", "struct", "expected an object, got an array"),
        bad("struct=a", "struct", "expected JSON, got 'a' at line 1, column 1"),
    ),
    "Value and ListValue": (
        read("value=5", {"value": 5}),
        read("value=null", {"value": None}),
        read("value=%22a%22", {"value": "a"}),
        read("list=[1,[]]", {"list": [1, []]}),
        bad("value=a", "value", "expected JSON, got 'a' at line 1, column 1"),
    ),
    "maps": (
        read("labels[a]=1&labels[b.c]=2", {"labels": {"a": "1", "b.c": "2"}}),
        read("labels%5Ba%5D=1", {"labels": {"a": "1"}}),
        read("by_int32[-1]=5", {"byInt32": {"-1": "5"}}),
        read("by_int64[5]=true", {"byInt64": {"5": True}}),
        read("by_uint32[5]=COLOR_RED", {"byUint32": {"5": "COLOR_RED"}}),
        read("by_uint64[18446744073709551615]=0.5", {"byUint64": {"18446744073709551615": 0.5}}),
        read("by_sint32[-1]=a", {"bySint32": {"-1": "a"}}),
        read("by_sint64[-1]=a", {"bySint64": {"-1": "a"}}),
        read("by_fixed32[1]=a", {"byFixed32": {"1": "a"}}),
        read("by_fixed64[1]=a", {"byFixed64": {"1": "a"}}),
        read("by_sfixed32[-1]=a", {"bySfixed32": {"-1": "a"}}),
        read("by_sfixed64[-1]=a", {"bySfixed64": {"-1": "a"}}),
        read("by_bool[false]=_-8", {"byBool": {"false": "/+8="}}),
        read(
            "partsByKey[a].size=1&partsByKey[a].inner.size=2&partsByKey[b].size=3",
            {"partsByKey": {"a": {"size": 1, "inner": {"size": 2}}, "b": {"size": 3}}},
        ),
        read("times_by_key[a]=1970-01-01T00:00:00Z", {"timesByKey": {"a": "1970-01-01T00:00:00Z"}}),
        read("values_by_key[a]=null", {"valuesByKey": {"a": None}}),
        bad("labels=a", "labels", "labels is a map, expected labels[key]"),
        bad("labels[a]=1&labels[a]=2", "labels[a]", "expected one value, got two"),
        bad("by_bool[1]=a", "by_bool[1]", "key: expected bool, got '1'"),
        bad("labels[a=1", "labels[a", "expected ']' behind the key"),
    ),
    "two members of a oneof": (
        read("text=", {"text": ""}),
        read("nothing=NULL_VALUE", {"nothing": None}),
        bad("text=a&number=1", "number", "excludes text, which is given too"),
        bad("piece.size=1&text=a", "text", "excludes piece, which is given too"),
        bad("part.left=1&part.right=1", "part.right", "excludes left, which is given too"),
        Exchange("GET /v1/kind/choice/5?text=a", {"number": "5"}),
        refused(
            "GET /v1/kind/choice/5?text=a", "number: excludes text, which is given too", strict=True
        ),
    ),
    "an optional field's default": (
        read("maybe_int32=0", {"maybeInt32": 0}),
        read("maybe_bool=false", {"maybeBool": False}),
        read("maybe_string=", {"maybeString": ""}),
        read("maybe_color=0", {"maybeColor": "COLOR_UNSPECIFIED"}),
    ),
    "bytes": (
        read("some_bytes=/%2B8=", {"someBytes": "/+8="}),
        read("some_bytes=/%2B8", {"someBytes": "/+8="}),
        read("some_bytes=_-8=", {"someBytes": "/+8="}),
        read("some_bytes=_-8", {"someBytes": "/+8="}),
        bad_value("some_bytes", "a", "expected base64"),
    ),
    "bool": (
        read("a_bool=true", {"aBool": True}),
        read("a_bool=false", {}),
        bad_value("a_bool", "1", "expected bool"),
        bad_value("a_bool", "TRUE", "expected bool"),
        bad_value("a_bool", "", "expected bool"),
    ),
    "NaN and the infinities": (
        read("a_double=NaN", {"aDouble": "NaN"}),
        read("a_float=-Infinity", {"aFloat": "-Infinity"}),
        read("a_double=1e3", {"aDouble": 1000}),
        bad_value("a_double", "nan", "expected double"),
        beyond("a_double", "1e999", "double"),
    ),
    "integers out of range": (
        beyond("an_int32", "2147483648", "int32"),
        beyond("an_int64", "9223372036854775808", "int64"),
        beyond("a_uint32", "-1", "uint32"),
        beyond("a_uint64", "18446744073709551616", "uint64"),
        beyond("an_int64", "1e400", "int64"),
        bad(
            "a_double=" + "9" * 5000,
            "a_double",
            f"expected double, got '{'9' * 40}…', which is out of range",
        ),
        bad_value("an_int32", "1.5", "expected int32"),
        bad_value("an_int32", "", "expected int32"),
    ),
    "+ is a space": (read("name=a+b", {"name": "a b"}), read("name=a%2Bb", {"name": "a+b"})),
    "escapes in names": (
        read("%6eame=a", {"name": "a"}),
        read("part%2Esize=1", {"part": {"size": 1}}),
        unread("name=%zz", "expected percent-encoded UTF-8, got '%zz'"),
        unread("%ff=a", "expected percent-encoded UTF-8, got '%ff'"),
    ),
    "an unknown parameter": (
        *no_effect("nope=1", "'nope': no such field"),
        *no_effect("part.nope=1", "'part.nope': no such field"),
    ),
    "a field in a wrong form": (
        *misformed("tags[]=a", "'tags[]': tags is a list, expected tags=value for each value"),
        *misformed("tags[0]=a", "'tags[0]': tags is a list, expected tags=value for each value"),
        *misformed("tags.0=a", "'tags.0': tags is a list, expected tags=value for each value"),
        *misformed(
            "waits[0]=1s", "'waits[0]': waits is a list, expected waits=value for each value"
        ),
        *misformed(
            "part.notes[]=a", "'part.notes[]': notes is a list, expected notes=value for each value"
        ),
        *misformed("name.x=1", "'name.x': name is one value, expected name=value"),
        *misformed("an_int32[0]=1", "'an_int32[0]': anInt32 is one value, expected anInt32=value"),
        *misformed(
            "timestamp.seconds=1",
            "'timestamp.seconds': timestamp is one value, expected timestamp=value",
        ),
        *misformed("part[first]=a", "'part[first]': part is a message, expected part.field"),
        *misformed("labels.a=b", "'labels.a': labels is a map, expected labels[key]"),
        Exchange("GET /v1/read/x?name[]=a", {"name": "x"}, by="Read"),
        Exchange("PUT /v1/part/x?part[first]=b", {"name": "x", "part": {"first": "a"}}, body=PART),
    ),
    "a message as a value": (
        bad("part=a", "part", "part is a message, expected part.field"),
        bad("any=a", "any", "any is a message, not a value"),
        bad("empty=", "empty", "empty is a message, not a value"),
    ),
    "fields of the body's field": (
        Exchange("PUT /v1/part/x?part.size=5", {"name": "x", "part": {"first": "a"}}, body=PART),
        refused(
            "PUT /v1/part/x?part.size=5",
            "query parameter 'part.size': bound by the path or the body",
            body=PART,
            strict=True,
        ),
    ),
    "a form as parameters": (
        refused(
            "POST /v1/write",
            "content type 'application/x-www-form-urlencoded': expected application/json"
            " or multipart/form-data",
            status=415,
            body="name=a",
            content_type="application/x-www-form-urlencoded",
        ),
    ),
    "system parameters": (
        *no_effect("$alt=json", "'$alt': no such field"),
        *no_effect("key=a", "'key': no such field"),
        Exchange(
            "GET /v1/read?%24alt=json&key=a&anInt32=1",
            {"anInt32": 1},
            strict=True,
            ignored=("$alt", "key"),
        ),
        Exchange("POST /v1/write?key=a", {}, strict=True, ignored=("$alt", "key")),
        refused(
            "POST /v1/write?key=a&k=a",
            "query: expected none, as the body is the whole request",
            strict=True,
            ignored=("$alt", "key"),
        ),
    ),
}


@cases("row", ROWS)
async def test_queries(row: Row) -> None:
    await run(row)
