"""Fields from the query of a request target, over a schema made at run time."""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from transcoder.binding import Binder
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
        pytest.param("anything=5", "anything { number_value: 5 }", id="Value, JSON"),
        pytest.param(
            "extra=%7B%22a%22:-0%7D",
            "extra { fields { key: 'a' value { number_value: -0.0 } } }",
            id="Struct, JSON",
        ),
        pytest.param("nope=1&size.nope=2&id.x=3&rank.value=4", "", id="unknown parameters"),
        pytest.param("tags[0]=1&nope[x]=1", "", id="brackets that are no map"),
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
            "size=x", "query parameter 'size': size is a message, not a value", id="message"
        ),
        pytest.param(
            "packed=x", "query parameter 'packed': packed is a message, not a value", id="Any"
        ),
        pytest.param(
            "labels=x", "query parameter 'labels': labels is a map, not a value", id="map"
        ),
        pytest.param(
            "labels[k.x]=v",
            "query parameter 'labels[k.x]': labels is a map, not a value",
            id="entry",
        ),
        pytest.param(
            "sizes=x",
            "query parameter 'sizes': sizes is a list of messages, not a value",
            id="list",
        ),
        pytest.param(
            "sizes.width=1",
            "query parameter 'sizes.width': sizes is a list of messages, not a value",
            id="field of a list",
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
