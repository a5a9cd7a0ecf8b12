"""Fields from the query of a request target, over a schema made at run time."""

from tests.support.raised import malformed
from tests.support.shop import binder, order
from tests.support.tables import cases


@cases(
    "query, message",
    {
        "empty": ("", ""),
        "separators alone": ("&&", ""),
        "one": ("count=5", "count: 5"),
        "JSON name, optional default": ("isGift=false", "is_gift: false"),
        "proto name": ("is_gift=true", "is_gift: true"),
        "repeated": ("tags=a&tags=&tags=b", "tags: ['a', '', 'b']"),
        "repeated enum": ("colors=GREEN&colors=1", "colors: [GREEN, GREEN]"),
        "repeated Duration": ("waits=1s&waits=2s", "waits { seconds: 1 } waits { seconds: 2 }"),
        "nested": ("size.width=1&size.inner.width=2", "size{width:1 inner{width:2}}"),
        "nested list": ("size.notes=a&size.notes=b", "size { notes: ['a','b'] }"),
        "escapes": ("id=a+b%20c%2B%26%3D", 'id: "a b c+&="'),
        "UTF-8 and NUL": ("id=%C3%A9%00", 'id: "é\\000"'),
        "escaped name": ("%69d=x", 'id: "x"'),
        "equals sign in a value": ("id=a=b", 'id: "a=b"'),
        "name alone is empty": ("id", ""),
        "empty StringValue": ("note=", "note {}"),
        "empty member of a oneof": ("card=", 'card: ""'),
        "Timestamp": ("madeAt=1970-01-01T00:00:01Z", "made_at { seconds: 1 }"),
        "Timestamp, offset": ("made_at=1970-01-01T01:00:01%2B01:00", "made_at { seconds: 1 }"),
        "FieldMask": ("updateMask=a,bC", "update_mask { paths: ['a','b_c'] }"),
        "FieldMask in the names of the .proto": (
            "updateMask=price_cents,a.b_c",
            "update_mask { paths: ['price_cents','a.b_c'] }",
        ),
        "FieldMask in names of both kinds": (
            "update_mask=price_cents,priceCents,line_1,aB.c_d",
            "update_mask { paths: ['price_cents','price_cents','line_1','a_b.c_d'] }",
        ),
        "Value, JSON": ("anything=5", "anything { number_value: 5 }"),
        "Struct, JSON": (
            "extra=%7B%22a%22:-0%7D",
            "extra { fields { key: 'a' value { number_value: -0.0 } } }",
        ),
        "unknown parameters": ("nope=1&size.nope=2&nope.x=3", ""),
        "unknown parameters with brackets": ("nope[x]=1&size.nope[]=1", ""),
        "map": ("labels[a]=1&labels[b]=2", "labels{key:'a' value:'1'} labels{key:'b' value:'2'}"),
        "escaped key": ("labels%5Bk.x%5D=v", "labels { key: 'k.x' value: 'v' }"),
        "brackets in a key": ("labels[a%5D.b+%5B]=v", "labels { key: 'a].b [' value: 'v' }"),
        "empty key and value": ("labels[]=", "labels { key: '' value: '' }"),
        "map by int32": ("ranks[-1]=GREEN", "ranks { key: -1 value: GREEN }"),
        "map by bool": ("marks[true]=_-8", "marks{key:true value:'\\377\\357'}"),
        "map of Durations": ("times[k]=1s", "times { key: 'k' value { seconds: 1 } }"),
        "map of messages": (
            "boxes[a].width=1&boxes[a].notes=n&boxes[b.c].inner.width=2",
            "boxes{key:'a' value{width:1 notes:'n'}} boxes{key:'b.c' value{inner{width:2}}}",
        ),
        "map within": ("size.boxes[k].width=1", "size{boxes{key:'k' value{width:1}}}"),
        "list of messages, the first one": (
            "sizes.width=1&sizes.notes=a&sizes.notes=b",
            "sizes { width: 1 notes: ['a', 'b'] }",
        ),
        "list of messages, by index": (
            "sizes[1].width=2&sizes[0].width=1&sizes[1].inner.width=3",
            "sizes { width: 1 } sizes { width: 2 inner { width: 3 } }",
        ),
        "list within a list": (
            "sizes[0].parts[1].width=2&sizes[0].parts[0].width=1",
            "sizes { parts { width: 1 } parts { width: 2 } }",
        ),
        "unknown fields of elements": ("sizes[0].nope=1&boxes[k].nope=1", ""),
        "JSON name of dots and brackets": ("i.d[0]=x", "odd: 'x'"),
        "JSON name with brackets in a submessage": ("size.o[d]=x", "size { odd: 'x' }"),
        "JSON names with brackets around one another": (
            "size.d.e[p].d.e[p].o[d]=x&size.d.e[p].width=1",
            "size { deep { width: 1 deep { odd: 'x' } } }",
        ),
        "JSON name with brackets of a map": (
            "size.a[][k].o%5Bd%5D=x",
            "size { apart { key: 'k' value { odd: 'x' } } }",
        ),
    },
)
def test_a_query_fills_fields(query: str, message: str) -> None:
    assert binder("/orders").bind([], query, b"") == order(message)


@cases(
    "query, name, problem",
    {
        "not an integer": ("count=x", "count", "expected int64, got 'x'"),
        "comma list": ("count=1,2", "count", "expected int64, got '1,2'"),
        "nested": ("size.width=x", "size.width", "expected int32, got 'x'"),
        "twice": ("count=1&count=1", "count", "expected one value, got two"),
        "both names": ("isGift=true&is_gift=true", "is_gift", "expected one value, got two"),
        "nested twice": ("size.width=1&size.width=2", "size.width", "expected one value, got two"),
        "two members of a oneof": ("card=a&coins=1", "coins", "excludes card, which is given too"),
        "member of a oneof and a field of another": (
            "card=a&barter.width=1",
            "barter.width",
            "excludes card, which is given too",
        ),
        "message": ("size=x", "size", "size is a message, expected size.field"),
        "Any": ("packed=x", "packed", "packed is a message, not a value"),
        "map without a key": ("labels=x", "labels", "labels is a map, expected labels[key]"),
        "key of a map as its field": (
            "labels.k=x",
            "labels.k",
            "labels is a map, expected labels[key]",
        ),
        "map of messages without a field": (
            "boxes[k]=x",
            "boxes[k]",
            "boxes is a map, expected boxes[key].field",
        ),
        "open bracket": ("labels[k=x", "labels[k", "expected ']' behind the key"),
        "text behind a key": ("labels[k]x=v", "labels[k]x", "expected ']' behind the key"),
        "field behind a key without a dot": (
            "boxes[k]width=1",
            "boxes[k]width",
            "expected ']' behind the key",
        ),
        "key twice": ("labels[k]=a&labels[k]=b", "labels[k]", "expected one value, got two"),
        "key twice, spelled differently": (
            "ranks[1]=GREEN&ranks[1e0]=RED",
            "ranks[1e0]",
            "expected one value, got two",
        ),
        "bad key": ("ranks[x]=GREEN", "ranks[x]", "key: expected int32, got 'x'"),
        "bad value in a map": (
            "ranks[1]=PINK",
            "ranks[1]",
            "expected a value of test.Color, got 'PINK'",
        ),
        "list": ("sizes=x", "sizes", "sizes is a list of messages, expected sizes[0].field"),
        "element of a list of messages": (
            "sizes[0]=x",
            "sizes[0]",
            "sizes is a list of messages, expected sizes[0].field",
        ),
        "field of a list twice": (
            "sizes.width=1&sizes.width=2",
            "sizes.width",
            "expected one value, got two",
        ),
        "field of the first element twice": (
            "sizes.width=1&sizes[0].width=2",
            "sizes[0].width",
            "expected one value, got two",
        ),
        "index that is no number": (
            "sizes[x].width=1",
            "sizes[x].width",
            "expected an index from 0, got 'x'",
        ),
        "index of two zeros": (
            "sizes[00].width=1",
            "sizes[00].width",
            "expected an index from 0, got '00'",
        ),
        "index beyond any list": (
            "sizes[9999999].width=1",
            "sizes[9999999].width",
            "expected an index from 0, got '9999999'",
        ),
        "open bracket of an index": (
            "sizes[0.width=1",
            "sizes[0.width",
            "expected ']' behind the key",
        ),
        "two members of a oneof within a list": (
            "sizes[0].ways.left=1&sizes[0].ways.right=2",
            "sizes[0].ways.right",
            "excludes left, which is given too",
        ),
        "too deep": (
            "size" + ".inner" * 100 + ".width=1",
            "size.inner.inner.inner.inner.inner.inner…",
            "nested too deeply",
        ),
        "too deep through maps, whose entries are messages": (
            "boxes[k].boxes[k]" + ".boxes[k]" * 48 + ".width=1",
            "boxes[k].boxes[k].boxes[k].boxes[k].boxe…",
            "nested too deeply",
        ),
        "too deep together with a Struct": (
            "size." + "inner." * 95 + "extra=" + '{"a":{"a":1}}',
            "size.inner.inner.inner.inner.inner.inner…",
            "nested too deeply",
        ),
        "a name twice in JSON": ("anything=%7B%22a%22:1,%22a%22:2%7D", "anything", "given twice"),
    },
)
def test_a_bad_query_is_refused_by_parameter(query: str, name: str, problem: str) -> None:
    with malformed(f"query parameter {name!r}: {problem}"):
        binder("/orders").bind([], query, b"")


@cases(
    "query, problem",
    {
        "element left out": ("sizes[0].width=1&sizes[2].width=2", "sizes[1] is left out"),
        "bad escape": ("id=%zz", "expected percent-encoded UTF-8, got '%zz'"),
        "half escape": ("id=%4", "expected percent-encoded UTF-8, got '%4'"),
        "not UTF-8": ("%ff=1", "expected percent-encoded UTF-8, got '%ff'"),
        "raw": ("id=\udcff", "expected percent-encoded UTF-8, got '\\udcff'"),
    },
)
def test_a_query_that_cannot_be_read_is_refused(query: str, problem: str) -> None:
    with malformed(f"query: {problem}"):
        binder("/orders").bind([], query, b"")
