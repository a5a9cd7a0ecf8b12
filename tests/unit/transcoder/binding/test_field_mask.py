"""The mask of a PATCH whose body is a field, over a schema made at run time."""

from collections.abc import Sequence

from tests.support.raised import malformed
from tests.support.schemas import compiled
from tests.support.tables import cases
from transcoder.binding.binder import Binder
from transcoder.binding.fields import Fields
from transcoder.codec.codec import Codec
from transcoder.registry import methods_of
from transcoder.routing.http_rule import HttpRule
from transcoder.routing.template import PathTemplate

SCHEMA = """
enum Color {
RED = 0;
}
message Part {
string first_name = 1;
Part inner_part = 2;
repeated Part many_parts = 3;
map<string, Part> by_key = 4;
google.protobuf.Any packed = 5;
google.protobuf.Struct free_form = 6;
google.protobuf.Value any_value = 7;
google.protobuf.Timestamp made_at = 8;
google.protobuf.StringValue wrapped = 9;
Color color = 10;
int32 count = 11 [json_name = "howMany"];
}
message One {
Part part = 1;
google.protobuf.FieldMask the_mask = 2;
string name = 3;
repeated Part parts = 4;
map<string, Part> by_key = 5;
google.protobuf.Struct free_form = 6;
}
message Two {
Part part = 1;
google.protobuf.FieldMask update_mask = 2;
google.protobuf.FieldMask read_mask = 3;
}
message Many {
Part part = 1;
repeated google.protobuf.FieldMask masks = 2;
}
service Shop {
rpc One(One) returns (One);
rpc Two(Two) returns (Two);
rpc Many(Many) returns (Many);
}
"""
POOL = compiled(SCHEMA)


def patch(
    *, method: str = "One", body: str = "part", verb: str = "PATCH", strict: bool = False
) -> Binder:
    found = methods_of("test.Shop", POOL)[f"/test.Shop/{method}"]
    rule = HttpRule(f"test.Shop.{method}", verb, PathTemplate.parse("/a"), body, "")
    return Binder(found, rule, Fields(Codec(pool=POOL, strict=strict)), strict=strict)


@cases(
    "body, paths",
    {
        "JSON name": ('{"firstName":"x"}', ["first_name"]),
        "proto name": ('{"first_name":"x"}', ["first_name"]),
        "JSON name of one's own": ('{"howMany":1}', ["count"]),
        "defaults": ('{"count":0,"firstName":""}', ["count", "first_name"]),
        "null clears": ('{"firstName":null}', ["first_name"]),
        "null clears a message": ('{"innerPart":null}', ["inner_part"]),
        "empty message": ('{"innerPart":{}}', ["inner_part"]),
        "nested": (
            '{"innerPart":{"firstName":"x","innerPart":{"color":"RED"}}}',
            ["inner_part.first_name", "inner_part.inner_part.color"],
        ),
        "list": ('{"manyParts":[{"firstName":"x"}]}', ["many_parts"]),
        "map": ('{"byKey":{"a":{"firstName":"x"}}}', ["by_key"]),
        "empty map": ('{"byKey":{}}', ["by_key"]),
        "Any": ('{"packed":{"@type":"type.googleapis.com/test.Part","color":0}}', ["packed"]),
        "Struct": ('{"freeForm":{"firstName":{"a":1}}}', ["free_form"]),
        "Value": ('{"anyValue":{"firstName":{"a":1}}}', ["any_value"]),
        "Timestamp": ('{"madeAt":"1970-01-01T00:00:00Z"}', ["made_at"]),
        "wrapper": ('{"wrapped":"x"}', ["wrapped"]),
        "unknown members": ('{"nope":1,"color":0,"innerPart":{"no":1}}', ["color"]),
        "nothing": ("{}", []),
        "null": ("null", []),
        "no body": ("", []),
    },
)
def test_an_empty_mask_is_filled_from_the_members_of_the_body(
    body: str, paths: Sequence[str]
) -> None:
    for query in ("", "theMask="):
        message = patch().bind([], query, body.encode())
        assert list(message.the_mask.paths) == paths  # type: ignore[attr-defined]
        assert message.HasField("the_mask") == bool(query or paths)


def test_a_mask_that_is_given_stays() -> None:
    message = patch().bind([], "theMask=firstName", b'{"firstName":"x","count":1}')
    assert list(message.the_mask.paths) == ["first_name"]  # type: ignore[attr-defined]


@cases(
    "method, body, verb, sent",
    {
        "another verb": ("One", "part", "PUT", '{"color":0}'),
        "whole body": ("One", "*", "PATCH", '{"part":{"color":0}}'),
        "scalar": ("One", "name", "PATCH", '"x"'),
        "list": ("One", "parts", "PATCH", '[{"color":0}]'),
        "map": ("One", "by_key", "PATCH", '{"a":{"color":0}}'),
        "Struct": ("One", "free_form", "PATCH", '{"color":0}'),
        "two masks": ("Two", "part", "PATCH", '{"color":0}'),
        "list of masks": ("Many", "part", "PATCH", '{"color":0}'),
    },
)
def test_no_mask_is_filled_where_none_is_meant(
    method: str, body: str, verb: str, sent: str
) -> None:
    message = patch(method=method, body=body, verb=verb).bind([], "", sent.encode())
    assert [field.name for field, _ in message.ListFields() if "mask" in field.name] == []


def test_strict_refuses_a_member_that_is_no_field_before_the_mask_is_filled() -> None:
    with malformed("part: 'nope' is no field of test.Part"):
        patch(strict=True).bind([], "", b'{"color":0,"nope":1}')
