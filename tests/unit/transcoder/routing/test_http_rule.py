"""The HTTP rules of a method, from descriptors made at run time."""

import subprocess
import sys

import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.errors import SchemaError
from transcoder.routing.http_rule import HttpRule as Rule
from transcoder.routing.http_rule import bindings_of
from transcoder.routing.service_config import ServiceConfig

HttpRule = http_pb2.HttpRule
Custom = http_pb2.CustomHttpPattern


def _method(rule: http_pb2.HttpRule | None) -> MethodDescriptor:
    """A method `shop.Books.Get` whose request and response are `shop.Book {string title = 1}`."""
    file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop", syntax="proto3")
    book = file.message_type.add(name="Book")
    book.field.add(name="title", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    method = file.service.add(name="Books").method.add(
        name="Get", input_type=".shop.Book", output_type=".shop.Book"
    )
    if rule is not None:
        method.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName("shop.Books").methods_by_name["Get"]


def rules_of(method: MethodDescriptor, config: ServiceConfig | None = None) -> list[Rule]:
    return [binding.parse() for binding in bindings_of(method, config)]


def _read(rule: http_pb2.HttpRule | None) -> list[tuple[str, str, str, str, bool]]:
    return [
        (found.verb, found.template.text, found.body, found.response_body, found.is_default)
        for found in rules_of(_method(rule))
    ]


LOCK = Custom(kind="LOCK", path="/a")


@cases(
    "rule, verb, body, response_body",
    {
        "get": (HttpRule(get="/a"), "GET", "", ""),
        "put": (HttpRule(put="/a"), "PUT", "", ""),
        "post": (HttpRule(post="/a"), "POST", "", ""),
        "delete": (HttpRule(delete="/a"), "DELETE", "", ""),
        "patch": (HttpRule(patch="/a"), "PATCH", "", ""),
        "custom kind of HTTP": (HttpRule(custom=Custom(kind="HEAD", path="/a")), "HEAD", "", ""),
        "custom kind of one's own": (HttpRule(custom=LOCK), "LOCK", "", ""),
        "any kind": (HttpRule(custom=Custom(kind="*", path="/a")), "*", "", ""),
        "whole body": (HttpRule(post="/a", body="*"), "POST", "*", ""),
        "body of a field, with any verb": (
            HttpRule(delete="/a", body="title"),
            "DELETE",
            "title",
            "",
        ),
        "response of a field": (HttpRule(get="/a", response_body="title"), "GET", "", "title"),
    },
)
def test_rule_is_read(rule: http_pb2.HttpRule, verb: str, body: str, response_body: str) -> None:
    assert _read(rule) == [(verb, "/a", body, response_body, False)]


def test_a_method_without_an_annotation_is_posted_to_its_name() -> None:
    assert _read(None) == [("POST", "/shop.Books/Get", "*", "", True)]


def test_additional_bindings_follow_the_rule() -> None:
    rule = HttpRule(
        get="/a/{title}",
        response_body="title",
        additional_bindings=[
            HttpRule(post="/b", body="*"),
            HttpRule(custom=Custom(kind="SEARCH", path="/c"), body="title"),
        ],
    )
    assert _read(rule) == [
        ("GET", "/a/{title}", "", "title", False),
        ("POST", "/b", "*", "", False),
        ("SEARCH", "/c", "title", "", False),
    ]


@cases(
    "rule, complaint",
    {
        "no pattern": (HttpRule(body="*"), "its google.api.http rule has no method and path"),
        "additional binding without a pattern": (
            HttpRule(get="/a", additional_bindings=[HttpRule()]),
            "its google.api.http rule has no method and path",
        ),
        "nested additional bindings": (
            HttpRule(
                get="/a",
                additional_bindings=[HttpRule(get="/b", additional_bindings=[HttpRule(get="/c")])],
            ),
            "additional_bindings within additional_bindings",
        ),
        "no custom kind": (
            HttpRule(custom=Custom(path="/a")),
            "expected an HTTP method as custom kind, got ''",
        ),
        "custom kind that is no token": (
            HttpRule(custom=Custom(kind="NO WAY", path="/a")),
            "expected an HTTP method as custom kind, got 'NO WAY'",
        ),
        "bad template": (
            HttpRule(get="/a/{title"),
            "GET path template '/a/{title', column 10: "
            'expected ".", "=" or "}" of the variable in column 4, got the end',
        ),
        "unknown response field": (
            HttpRule(get="/a", response_body="author"),
            "GET /a: response_body 'author' is not a field of shop.Book",
        ),
    },
)
def test_bad_rule_is_refused_with_its_method(rule: http_pb2.HttpRule, complaint: str) -> None:
    with misconfigured(f"shop.Books.Get: {complaint}"):
        rules_of(_method(rule))


@cases(
    "path, warnings",
    {
        "a verb within a variable": (
            "/a/{title=var:verb}",
            [
                "shop.Books.Get: GET /a/{title=var:verb}: ':' is part of variable 'title', "
                "not a verb: write a verb behind '}'"
            ],
        ),
        "a verb behind it": ("/a/{title=var}:verb", []),
        "a literal outside of it": ("/a:b/{title}", []),
    },
)
def test_a_verb_that_is_no_verb_is_logged(
    path: str, warnings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    rules_of(_method(HttpRule(get=path)))
    assert [record.getMessage() for record in caplog.records] == warnings


def test_annotation_of_a_pool_with_its_own_annotations_is_read() -> None:
    pool = descriptor_pool.DescriptorPool()
    for dependency in (descriptor_pb2, http_pb2, annotations_pb2):
        pool.AddSerializedFile(dependency.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="shop.proto", package="shop", dependency=["google/api/annotations.proto"]
    )
    file.message_type.add(name="Book")
    method = file.service.add(name="Books").method.add(
        name="Get", input_type=".shop.Book", output_type=".shop.Book"
    )
    method.options.Extensions[annotations_pb2.http].get = "/a"
    pool.AddSerializedFile(file.SerializeToString())
    rules = rules_of(pool.FindServiceByName("shop.Books").methods_by_name["Get"])
    assert [(rule.verb, rule.template.text) for rule in rules] == [("GET", "/a")]


@cases(
    "annotation, said",
    {
        "whole": ("82d3e493020412022f61", "GET /a"),
        "broken": ("82d3e4930204127f2f61", "shop.Books.Get: its options cannot be parsed"),
    },
)
def test_annotation_read_before_its_extension_was_known_is_found(
    annotation: str, said: str
) -> None:
    program = """
import sys
from google.protobuf import descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop")
file.message_type.add(name="Book")
method = file.service.add(name="Books").method.add(
    name="Get", input_type=".shop.Book", output_type=".shop.Book"
)
method.options.MergeFromString(bytes.fromhex(sys.argv[1]))
pool = descriptor_pool.DescriptorPool()
pool.AddSerializedFile(file.SerializeToString())
found = pool.FindServiceByName("shop.Books").methods_by_name["Get"]
found.GetOptions()
from transcoder.routing.http_rule import bindings_of
try:
    [rule] = [binding.parse() for binding in bindings_of(found)]
    print(rule.verb, rule.template.text)
except ValueError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, annotation], capture_output=True, check=True, text=True
    )
    assert done.stdout == f"{said}\n"


def test_a_configured_rule_stands_instead_of_the_annotation() -> None:
    annotated = HttpRule(get="/annotated", additional_bindings=[HttpRule(get="/too")])
    config = ServiceConfig(
        b"http: {rules: [{selector: shop.*, put: /a, body: title,"
        b" additional_bindings: [{custom: {kind: '*', path: /b}}]}]}"
    )
    rules = rules_of(_method(annotated), config)
    assert [(rule.verb, rule.template.text, rule.body) for rule in rules] == [
        ("PUT", "/a", "title"),
        ("*", "/b", ""),
    ]


def test_a_method_that_no_selector_selects_keeps_its_annotation() -> None:
    config = ServiceConfig(b"http: {rules: [{selector: shop.Books.Put, get: /a}]}")
    [rule] = rules_of(_method(HttpRule(get="/annotated")), config)
    assert rule.where == "shop.Books.Get: GET /annotated"
    [rule] = rules_of(_method(None), config)
    assert rule.is_default


@cases(
    "rule, complaint",
    {
        "template": ("get: '/a/{'", "GET path template '/a/{', column 5: "),
        "no path": ("body: x", "its google.api.http rule has no method and path"),
        "response_body": (
            "get: /a, response_body: x",
            "GET /a: response_body 'x' is not a field of shop.Book",
        ),
        "custom kind": (
            "custom: {kind: 'A B', path: /a}",
            "expected an HTTP method as custom kind, got 'A B'",
        ),
        "nested additional bindings": (
            "get: /a, additional_bindings: [{get: /b, additional_bindings: [{get: /c}]}]",
            "additional_bindings within additional_bindings",
        ),
    },
)
def test_bad_configured_rule_is_refused_with_its_place(rule: str, complaint: str) -> None:
    config = ServiceConfig(f"http: {{rules: [{{selector: shop.Books.Get, {rule}}}]}}".encode())
    with pytest.raises(SchemaError) as caught:
        rules_of(_method(HttpRule(get="/annotated")), config)
    place = "service configuration: http.rules[0] (shop.Books.Get): shop.Books.Get: "
    assert str(caught.value).startswith(place + complaint)
