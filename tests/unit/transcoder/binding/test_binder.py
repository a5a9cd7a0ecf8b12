"""Requests bound from path, query and body, with a schema made at run time."""

from collections.abc import Sequence

import pytest

from tests.support.raised import malformed, misconfigured
from tests.support.schemas import compiled
from tests.support.shop import binder, order
from tests.support.tables import cases
from transcoder.binding.binder import Binder
from transcoder.binding.fields import Fields
from transcoder.codec.codec import Codec
from transcoder.errors import TranscodeError
from transcoder.registry import methods_of
from transcoder.routing.http_rule import HttpRule
from transcoder.routing.template import PathTemplate


@cases(
    "template, variables, message",
    {
        "string": ("/{id}", ["a b/c"], 'id: "a b/c"'),
        "int64": ("/{count}", ["-5"], "count: -5"),
        "enum by name": ("/{color}", ["GREEN"], "color: GREEN"),
        "enum by number": ("/{color}", ["1"], "color: GREEN"),
        "enum by unknown number": ("/{color}", ["7"], "color: 7"),
        "optional bool": ("/{is_gift}", ["false"], "is_gift: false"),
        "double": ("/{price}", ["1e-3"], "price: 0.001"),
        "infinity": ("/{price}", ["-Infinity"], "price: -inf"),
        "bytes, URL-safe and unpadded": ("/{blob}", ["_-8"], 'blob: "\\377\\357"'),
        "nested": ("/{size.width}", ["3"], "size { width: 3 }"),
        "nested default": ("/{size.width}", ["0"], "size {}"),
        "deep": ("/{size.inner.inner.width}", ["1"], "size{inner{inner{width:1}}}"),
        "wrapper of a default": ("/{rank}", ["0"], "rank {}"),
        "Timestamp": ("/{made_at}", ["1970-01-01T00:00:01Z"], "made_at { seconds: 1 }"),
        "FieldMask": ("/{update_mask}", ["a,bC"], "update_mask{paths:['a','b_c']}"),
        "as in the .proto": ("/{update_mask}", ["b_c"], "update_mask{paths:'b_c'}"),
        "Value": ("/{anything}", ["null"], "anything { null_value: 0 }"),
        "Value that is an object": (
            "/{anything}",
            ['{"a":[1]}'],
            "anything{struct_value{fields{key:'a' value{list_value{values{number_value:1}}}}}}",
        ),
        "member of a oneof": ("/{barter.width}", ["1"], "barter { width: 1 }"),
        "two variables": ("/{id}/{count}", ["a", "1"], 'id: "a" count: 1'),
    },
)
def test_a_path_variable_of_every_kind_is_read(
    template: str, variables: Sequence[str], message: str
) -> None:
    assert binder(template).bind(variables, "", b"") == order(message)


@cases(
    "variable, text, problem",
    {
        "integer": ("count", "x", "expected int64, got 'x'"),
        "out of range": (
            "count",
            "9223372036854775808",
            "expected int64, got '9223372036854775808', which is out of range",
        ),
        "bool": ("is_gift", "1", "expected bool, got '1'"),
        "enum": ("color", "PINK", "expected a value of test.Color, got 'PINK'"),
        "enum number out of range": (
            "color",
            "99999999999",
            "expected a value of test.Color, got '99999999999'",
        ),
        "nested": ("size.width", "1.5", "expected int32, got '1.5'"),
        "Timestamp": ("made_at", "now", "expected an RFC 3339 timestamp, got 'now'"),
        "wrapper": ("rank", "x", "expected int32, got 'x'"),
        "Value": ("anything", "{x", "expected JSON, got 'x' at line 1, column 2"),
    },
)
def test_a_bad_path_variable_is_refused_by_name(variable: str, text: str, problem: str) -> None:
    with malformed(f"path variable {variable!r}: {problem}"):
        binder(f"/{{{variable}}}").bind([text], "", b"")


@cases(
    "body, sent, message",
    {
        "whole message": ("*", '{"count":"5","id":"x"}', 'id: "x" count: 5'),
        "empty body": ("*", "", ""),
        "empty object": ("*", "{}", ""),
        "message": ("size", '{"width":1}', "size { width: 1 }"),
        "empty message": ("size", "{}", "size {}"),
        "null": ("size", "null", ""),
        "empty body for a field": ("size", "", ""),
        "list": ("tags", '["a"]', "tags: 'a'"),
        "list of messages": ("sizes", '[{"width":1}]', "sizes { width: 1 }"),
        "map": ("labels", '{"a":"b"}', "labels { key: 'a' value: 'b' }"),
        "scalar": ("count", '"7"', "count: 7"),
        "enum": ("color", '"GREEN"', "color: GREEN"),
        "null Value": ("anything", "null", "anything { null_value: 0 }"),
        "minus zero": ("price", "-0", "price: -0.0"),
        "no body in the rule": ("", '{"id":"x"}', ""),
    },
)
def test_a_body_fills_what_the_rule_says(body: str, sent: str, message: str) -> None:
    made = binder("/orders", body=body)
    assert made.reads_body == (body != "")
    bound = made.bind([], "", sent.encode())
    assert bound.SerializeToString() == order(message).SerializeToString()


@cases(
    "body, sent, problem",
    {
        "whole message": ("*", "[]", "body: expected an object, got an array"),
        "nested": ("*", '{"size":{"width":"x"}}', "size.width: expected int32, got 'x'"),
        "field": ("size", "[]", "size: expected an object, got an array"),
        "in a list": ("sizes", '[{"width":true}]', "sizes[0].width: expected int32, got true"),
        "no JSON": (
            "size",
            "{",
            "body: expected JSON, got the end of the text at line 1, column 2",
        ),
        "blank": ("*", " ", "body: expected JSON, got ' ' at line 1, column 1"),
        "enum": ("color", '"PINK"', "color: expected a value of test.Color, got 'PINK'"),
    },
)
def test_a_bad_body_is_refused_by_field(body: str, sent: str, problem: str) -> None:
    with malformed(problem):
        binder("/orders", body=body).bind([], "", sent.encode())


@cases(
    "template, body, query, sent, message",
    {
        "body": ("/{id}", "*", "", '{"id":"body"}', 'id: "path"'),
        "query": ("/{id}", "", "id=query", "", 'id: "path"'),
        "query beside a body": (
            "/{id}",
            "size",
            "id=query",
            '{"width":1}',
            'id: "path" size { width: 1 }',
        ),
        "oneof": ("/{card}", "*", "", '{"coins":5}', 'card: "path"'),
    },
)
def test_a_field_bound_by_the_path_wins(
    template: str, body: str, query: str, sent: str, message: str
) -> None:
    bound = binder(template, body=body).bind(["path"], query, sent.encode())
    assert bound == order(message)


OLD = """
syntax = "proto2";
message Old {
required string id = 1;
repeated Old parts = 2;
}
service Olds {
rpc Put(Old) returns (Old);
}
"""


@cases(
    "body, missing",
    {
        "no body": ("", "id"),
        "empty body": ("{}", "id"),
        "in a list": ('{"id":"a","parts":[{"id":"b"},{}]}', "parts[1].id"),
    },
)
def test_a_required_field_that_is_missing_is_named(body: str, missing: str) -> None:
    pool = compiled(OLD)
    method = methods_of("test.Olds", pool)["/test.Olds/Put"]
    rule = HttpRule("test.Olds.Put", "PUT", PathTemplate.parse("/olds"), "*", "")
    made = Binder(method, rule, Fields(Codec(pool=pool)), strict=False)
    with malformed(f"{missing}: required, but not given"):
        made.bind([], "", body.encode())
    assert made.bind([], "", b'{"id":"a","parts":[{"id":"b"}]}').IsInitialized()


def test_a_nested_field_of_the_path_leaves_its_siblings() -> None:
    sent = b'{"size":{"width":9,"notes":["a"]}}'
    bound = binder("/{size.width}", body="*").bind(["1"], "", sent)
    assert bound == order("size { width: 1 notes: 'a' }")
    bound = binder("/{size.width}").bind(["1"], "size.width=9&size.notes=a", b"")
    assert bound == order("size { width: 1 notes: 'a' }")


def test_a_path_default_overrides_the_body() -> None:
    assert binder("/{count}", body="*").bind(["0"], "", b'{"count":5}') == order("")


def test_with_body_all_the_query_is_not_read() -> None:
    assert binder("/orders", body="*").bind([], "count=x&%zz", b"{}") == order("")


def test_the_query_fills_what_is_left_beside_a_body_field() -> None:
    made = binder("/{id}", body="size")
    bound = made.bind(["a"], "count=1&size.width=9", b'{"notes":["n"]}')
    assert bound == order("id: 'a' count: 1 size { notes: 'n' }")


def test_body_and_query_may_not_set_two_members_of_a_oneof() -> None:
    with malformed("body: excludes card, which is given too"):
        binder("/orders", body="barter").bind([], "card=x", b"{}")


def test_bind_path_sets_the_fields_of_a_message_that_came_otherwise() -> None:
    message = order('id: "sent" count: 3')
    binder("/{id}", body="*").bind_path(["path"], message)
    assert message == order('id: "path" count: 3')


@cases(
    "body, query, sent, problem",
    {
        "unknown": ("", "nope=1", "", "query parameter 'nope': no such field"),
        "path in query": ("", "id=x", "", "query parameter 'id': bound by the path or the body"),
        "body in query": (
            "size",
            "size.width=1",
            "{}",
            "query parameter 'size.width': bound by the path or the body",
        ),
        "query beside the whole body": (
            "*",
            "count=1",
            "{}",
            "query: expected none, as the body is the whole request",
        ),
        "path in body": ("*", "", '{"id":"x"}', "id: given in the path and outside of it"),
        "unknown in body": ("*", "", '{"nope":1}', "body: 'nope' is no field of test.Order"),
    },
)
def test_strict_refuses_what_would_have_no_effect(
    body: str, query: str, sent: str, problem: str
) -> None:
    with malformed(problem):
        binder("/{id}", body=body, strict=True).bind(["a"], query, sent.encode())


@cases(
    "template, query, problem",
    {
        "member": ("/{card}", "coins=1", "card: excludes coins, which is given too"),
        "field of a member": (
            "/{barter.width}",
            "card=a",
            "barter.width: excludes card, which is given too",
        ),
        "member beside a field of another": (
            "/{card}",
            "barter.width=1",
            "card: excludes barter, which is given too",
        ),
    },
)
def test_strict_refuses_another_member_of_a_oneof_that_the_path_binds(
    template: str, query: str, problem: str
) -> None:
    with malformed(problem):
        binder(template, strict=True).bind(["1"], query, b"")


def test_strict_finds_a_nested_optional_field_of_the_path_in_the_body() -> None:
    made = binder("/{size.inner.width}/{is_gift}", body="*", strict=True)
    assert made.bind(["1", "true"], "", b"{}") == order("size{inner{width:1}} is_gift: true")
    with pytest.raises(TranscodeError, match="is_gift"):
        made.bind(["1", "true"], "", b'{"isGift":false}')


@cases(
    "template, body, problem",
    {
        "no": ("/{nope}", "", "variable 'nope' at column 2: 'nope' is not a field of test.Order"),
        "in": (
            "/{size.nope}",
            "",
            "variable 'size.nope' at column 2: 'nope' is not a field of test.Size",
        ),
        "through a string": ("/{id.x}", "", "variable 'id.x' at column 2: 'id' is not a message"),
        "repeated": (
            "/{tags}",
            "",
            "variable 'tags' at column 2: 'tags' holds several values, a path holds one",
        ),
        "map": (
            "/{labels}",
            "",
            "variable 'labels' at column 2: 'labels' holds several values, a path holds one",
        ),
        "through a list": (
            "/{sizes.width}",
            "",
            "variable 'sizes.width' at column 2: 'sizes' holds several values, a path holds one",
        ),
        "message": (
            "/{size}",
            "",
            "variable 'size' at column 2: its type is a message that has no form as text",
        ),
        "JSON name": (
            "/{isGift}",
            "",
            "variable 'isGift' at column 2: 'isGift' is not a field of test.Order",
        ),
        "two members of a oneof": (
            "/{card}/{coins}",
            "",
            "variable 'card' and variable 'coins' are members of one oneof",
        ),
        "two members of a oneof, path and body": (
            "/{barter.width}",
            "card",
            "variable 'barter.width' and body 'card' are members of one oneof",
        ),
        "one field by path and body": ("/{id}", "id", "'id' is both the body and a variable"),
        "body": ("/orders", "nope", "body 'nope' is not a field of test.Order"),
        "nested body": ("/orders", "size.width", "body 'size.width' is not a field of test.Order"),
    },
)
def test_a_rule_that_cannot_be_bound_is_refused_at_once(
    template: str, body: str, problem: str
) -> None:
    with misconfigured(f"test.Shop.Put: PUT {template}: {problem}"):
        binder(template, body=body)


def test_fields_of_one_message_may_come_from_path_and_body() -> None:
    bound = binder("/{barter.width}", body="barter").bind(["1"], "", b'{"notes":["n"]}')
    assert bound == order("barter { width: 1 notes: 'n' }")
