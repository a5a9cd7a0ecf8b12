"""Fields from the query of a request target, over a schema made at run time."""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from transcoder.binding.binder import Binder
from transcoder.errors import TranscodeError


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("&&", "", id="separators alone"),
        pytest.param("count=5", "count: 5", id="one"),
        pytest.param("isGift=false", "is_gift: false", id="JSON name, optional default"),
        pytest.param("is_gift=true", "is_gift: true", id="proto name"),
        pytest.param("tags=a&tags=&tags=b", "tags: ['a', '', 'b']", id="repeated"),
        pytest.param("colors=GREEN&colors=1", "colors: [GREEN, GREEN]", id="repeated enum"),
        pytest.param(
            "waits=1s&waits=2s", "waits { seconds: 1 } waits { seconds: 2 }", id="repeated Duration"
        ),
        pytest.param(
            "size.width=1&size.inner.width=2", "size{width:1 inner{width:2}}", id="nested"
        ),
        pytest.param("size.notes=a&size.notes=b", "size { notes: ['a','b'] }", id="nested list"),
        pytest.param("id=a+b%20c%2B%26%3D", 'id: "a b c+&="', id="escapes"),
        pytest.param("id=%C3%A9%00", 'id: "é\\000"', id="UTF-8 and NUL"),
        pytest.param("%69d=x", 'id: "x"', id="escaped name"),
        pytest.param("id=a=b", 'id: "a=b"', id="equals sign in a value"),
        pytest.param("id", "", id="name alone is empty"),
        pytest.param("note=", "note {}", id="empty StringValue"),
        pytest.param("card=", 'card: ""', id="empty member of a oneof"),
        pytest.param("madeAt=1970-01-01T00:00:01Z", "made_at { seconds: 1 }", id="Timestamp"),
        pytest.param(
            "made_at=1970-01-01T01:00:01%2B01:00", "made_at { seconds: 1 }", id="Timestamp, offset"
        ),
        pytest.param("updateMask=a,bC", "update_mask { paths: ['a','b_c'] }", id="FieldMask"),
        pytest.param(
            "updateMask=price_cents,a.b_c",
            "update_mask { paths: ['price_cents','a.b_c'] }",
            id="FieldMask in the names of the .proto",
        ),
        pytest.param(
            "update_mask=price_cents,priceCents,line_1,aB.c_d",
            "update_mask { paths: ['price_cents','price_cents','line_1','a_b.c_d'] }",
            id="FieldMask in names of both kinds",
        ),
        pytest.param("anything=5", "anything { number_value: 5 }", id="Value, JSON"),
        pytest.param(
            "extra=%7B%22a%22:-0%7D",
            "extra { fields { key: 'a' value { number_value: -0.0 } } }",
            id="Struct, JSON",
        ),
        pytest.param("nope=1&size.nope=2&nope.x=3", "", id="unknown parameters"),
        pytest.param("nope[x]=1&size.nope[]=1", "", id="unknown parameters with brackets"),
        pytest.param(
            "labels[a]=1&labels[b]=2",
            "labels{key:'a' value:'1'} labels{key:'b' value:'2'}",
            id="map",
        ),
        pytest.param("labels%5Bk.x%5D=v", "labels { key: 'k.x' value: 'v' }", id="escaped key"),
        pytest.param(
            "labels[a%5D.b+%5B]=v", "labels { key: 'a].b [' value: 'v' }", id="brackets in a key"
        ),
        pytest.param("labels[]=", "labels { key: '' value: '' }", id="empty key and value"),
        pytest.param("ranks[-1]=GREEN", "ranks { key: -1 value: GREEN }", id="map by int32"),
        pytest.param("marks[true]=_-8", "marks{key:true value:'\\377\\357'}", id="map by bool"),
        pytest.param(
            "times[k]=1s", "times { key: 'k' value { seconds: 1 } }", id="map of Durations"
        ),
        pytest.param(
            "boxes[a].width=1&boxes[a].notes=n&boxes[b.c].inner.width=2",
            "boxes{key:'a' value{width:1 notes:'n'}} boxes{key:'b.c' value{inner{width:2}}}",
            id="map of messages",
        ),
        pytest.param(
            "size.boxes[k].width=1", "size{boxes{key:'k' value{width:1}}}", id="map within"
        ),
        pytest.param(
            "sizes.width=1&sizes.notes=a&sizes.notes=b",
            "sizes { width: 1 notes: ['a', 'b'] }",
            id="list of messages, the first one",
        ),
        pytest.param(
            "sizes[1].width=2&sizes[0].width=1&sizes[1].inner.width=3",
            "sizes { width: 1 } sizes { width: 2 inner { width: 3 } }",
            id="list of messages, by index",
        ),
        pytest.param(
            "sizes[0].parts[1].width=2&sizes[0].parts[0].width=1",
            "sizes { parts { width: 1 } parts { width: 2 } }",
            id="list within a list",
        ),
        pytest.param("sizes[0].nope=1&boxes[k].nope=1", "", id="unknown fields of elements"),
        pytest.param("i.d[0]=x", "odd: 'x'", id="JSON name of dots and brackets"),
        pytest.param(
            "size.o[d]=x", "size { odd: 'x' }", id="JSON name with brackets in a submessage"
        ),
        pytest.param(
            "size.d.e[p].d.e[p].o[d]=x&size.d.e[p].width=1",
            "size { deep { width: 1 deep { odd: 'x' } } }",
            id="JSON names with brackets around one another",
        ),
        pytest.param(
            "size.a[][k].o%5Bd%5D=x",
            "size { apart { key: 'k' value { odd: 'x' } } }",
            id="JSON name with brackets of a map",
        ),
    ],
)
def test_a_query_fills_fields(
    binder: Callable[..., Binder], order: Callable[[str], Message], query: str, message: str
) -> None:
    assert binder("/orders").bind([], query, b"") == order(message)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        pytest.param(
            "count=x", "query parameter 'count': expected int64, got 'x'", id="not an integer"
        ),
        pytest.param(
            "count=1,2", "query parameter 'count': expected int64, got '1,2'", id="comma list"
        ),
        pytest.param(
            "size.width=x", "query parameter 'size.width': expected int32, got 'x'", id="nested"
        ),
        pytest.param(
            "count=1&count=1", "query parameter 'count': expected one value, got two", id="twice"
        ),
        pytest.param(
            "isGift=true&is_gift=true",
            "query parameter 'is_gift': expected one value, got two",
            id="both names",
        ),
        pytest.param(
            "size.width=1&size.width=2",
            "query parameter 'size.width': expected one value, got two",
            id="nested twice",
        ),
        pytest.param(
            "card=a&coins=1",
            "query parameter 'coins': excludes card, which is given too",
            id="two members of a oneof",
        ),
        pytest.param(
            "card=a&barter.width=1",
            "query parameter 'barter.width': excludes card, which is given too",
            id="member of a oneof and a field of another",
        ),
        pytest.param(
            "size=x",
            "query parameter 'size': size is a message, expected size.field",
            id="message",
        ),
        pytest.param(
            "packed=x", "query parameter 'packed': packed is a message, not a value", id="Any"
        ),
        pytest.param(
            "labels=x",
            "query parameter 'labels': labels is a map, expected labels[key]",
            id="map without a key",
        ),
        pytest.param(
            "labels.k=x",
            "query parameter 'labels.k': labels is a map, expected labels[key]",
            id="key of a map as its field",
        ),
        pytest.param(
            "boxes[k]=x",
            "query parameter 'boxes[k]': boxes is a map, expected boxes[key].field",
            id="map of messages without a field",
        ),
        pytest.param(
            "labels[k=x",
            "query parameter 'labels[k': expected ']' behind the key",
            id="open bracket",
        ),
        pytest.param(
            "labels[k]x=v",
            "query parameter 'labels[k]x': expected ']' behind the key",
            id="text behind a key",
        ),
        pytest.param(
            "boxes[k]width=1",
            "query parameter 'boxes[k]width': expected ']' behind the key",
            id="field behind a key without a dot",
        ),
        pytest.param(
            "labels[k]=a&labels[k]=b",
            "query parameter 'labels[k]': expected one value, got two",
            id="key twice",
        ),
        pytest.param(
            "ranks[1]=GREEN&ranks[1e0]=RED",
            "query parameter 'ranks[1e0]': expected one value, got two",
            id="key twice, spelled differently",
        ),
        pytest.param(
            "ranks[x]=GREEN",
            "query parameter 'ranks[x]': key: expected int32, got 'x'",
            id="bad key",
        ),
        pytest.param(
            "ranks[1]=PINK",
            "query parameter 'ranks[1]': expected a value of test.Color, got 'PINK'",
            id="bad value in a map",
        ),
        pytest.param(
            "sizes=x",
            "query parameter 'sizes': sizes is a list of messages, expected sizes[0].field",
            id="list",
        ),
        pytest.param(
            "sizes[0]=x",
            "query parameter 'sizes[0]': sizes is a list of messages, expected sizes[0].field",
            id="element of a list of messages",
        ),
        pytest.param(
            "sizes.width=1&sizes.width=2",
            "query parameter 'sizes.width': expected one value, got two",
            id="field of a list twice",
        ),
        pytest.param(
            "sizes.width=1&sizes[0].width=2",
            "query parameter 'sizes[0].width': expected one value, got two",
            id="field of the first element twice",
        ),
        pytest.param(
            "sizes[0].width=1&sizes[2].width=2",
            "query: sizes[1] is left out",
            id="element left out",
        ),
        pytest.param(
            "sizes[x].width=1",
            "query parameter 'sizes[x].width': expected an index from 0, got 'x'",
            id="index that is no number",
        ),
        pytest.param(
            "sizes[00].width=1",
            "query parameter 'sizes[00].width': expected an index from 0, got '00'",
            id="index of two zeros",
        ),
        pytest.param(
            "sizes[9999999].width=1",
            "query parameter 'sizes[9999999].width': expected an index from 0, got '9999999'",
            id="index beyond any list",
        ),
        pytest.param(
            "sizes[0.width=1",
            "query parameter 'sizes[0.width': expected ']' behind the key",
            id="open bracket of an index",
        ),
        pytest.param(
            "sizes[0].ways.left=1&sizes[0].ways.right=2",
            "query parameter 'sizes[0].ways.right': excludes left, which is given too",
            id="two members of a oneof within a list",
        ),
        pytest.param("id=%zz", "query: expected percent-encoded UTF-8, got '%zz'", id="bad escape"),
        pytest.param("id=%4", "query: expected percent-encoded UTF-8, got '%4'", id="half escape"),
        pytest.param("%ff=1", "query: expected percent-encoded UTF-8, got '%ff'", id="not UTF-8"),
        pytest.param("id=\udcff", "query: expected percent-encoded UTF-8, got '\\udcff'", id="raw"),
        pytest.param(
            "size" + ".inner" * 100 + ".width=1",
            "query parameter 'size.inner.inner.inner.inner.inner.inner…': nested too deeply",
            id="too deep",
        ),
        pytest.param(
            "boxes[k].boxes[k]" + ".boxes[k]" * 48 + ".width=1",
            "query parameter 'boxes[k].boxes[k].boxes[k].boxes[k].boxe…': nested too deeply",
            id="too deep through maps, whose entries are messages",
        ),
        pytest.param(
            "size." + "inner." * 95 + "extra=" + '{"a":{"a":1}}',
            "query parameter 'size.inner.inner.inner.inner.inner.inner…': nested too deeply",
            id="too deep together with a Struct",
        ),
        pytest.param(
            "anything=%7B%22a%22:1,%22a%22:2%7D",
            "query parameter 'anything': given twice",
            id="a name twice in JSON",
        ),
    ],
)
def test_a_bad_query_is_refused_by_parameter(
    binder: Callable[..., Binder], query: str, problem: str
) -> None:
    with pytest.raises(TranscodeError) as caught:
        binder("/orders").bind([], query, b"")
    assert (caught.value.http_status, caught.value.message) == (400, problem)
