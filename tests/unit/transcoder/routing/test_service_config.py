"""HTTP rules from YAML and JSON, without a service."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from google.api import http_pb2

from tests.support.raised import misconfigured
from tests.support.tables import cases
from transcoder.errors import SchemaError
from transcoder.routing.service_config import ServiceConfig

HttpRule = http_pb2.HttpRule

REAL = b"""
type: google.api.Service
config_version: 3
name: books.example.com
title: Books
apis:
- name: shop.Books
authentication:
  rules: [{selector: '*', allow_without_credential: true}]
documentation:
  summary: Reads and writes books.
http:
  fully_decode_reserved_expansion: true
  rules:
  - selector: shop.Books.Get
    get: '/v1/{name=books/*}'
    response_body: title
    additional_bindings:
    - post: '/v1/{name=books/*}:get'
      body: '*'
    - custom: {kind: LOCK, path: /v1/lock}
"""


def test_the_rules_of_a_real_configuration_are_read() -> None:
    configured = ServiceConfig(REAL).rule_of("shop.Books.Get")
    assert configured is not None
    assert configured.origin == "service configuration: http.rules[0] (shop.Books.Get)"
    assert configured.rule == HttpRule(
        selector="shop.Books.Get",
        get="/v1/{name=books/*}",
        response_body="title",
        additional_bindings=[
            HttpRule(post="/v1/{name=books/*}:get", body="*"),
            HttpRule(custom=http_pb2.CustomHttpPattern(kind="LOCK", path="/v1/lock")),
        ],
    )


@cases(
    "text",
    {
        "JSON": b'{"http":{"rules":[{"selector":"a.B.C","responseBody":"x"}]}}',
        "tabs": b'{\n\t"http": {"rules": [{"selector": "a.B.C", "responseBody": "x"}]}}',
        "YAML": b"http:\n  rules:\n  - {selector: a.B.C, response_body: x}\n",
    },
)
def test_a_configuration_is_json_or_yaml(text: bytes) -> None:
    configured = ServiceConfig(text).rule_of("a.B.C")
    assert configured is not None
    assert configured.rule.response_body == "x"


def test_a_published_configuration_may_have_no_rules() -> None:
    text = b"type: google.api.Service\nname: books.example.com\napis: [{name: shop.Books}]\n"
    assert ServiceConfig(text).rule_of("shop.Books.Get") is None


def test_a_str_is_the_path_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "api.yaml"
    path.write_text("http: {rules: [{selector: a.B.C, get: /x}]}", encoding="utf-8")
    for source in (path, str(path)):
        configured = ServiceConfig(source).rule_of("a.B.C")
        assert configured is not None
        assert configured.origin == f"service configuration {path}: http.rules[0] (a.B.C)"


def _config(*selectors: str) -> ServiceConfig:
    rules = [f"{{selector: '{text}', get: /{index}}}" for index, text in enumerate(selectors)]
    return ServiceConfig(f"http: {{rules: [{', '.join(rules)}]}}".encode())


@cases(
    "selectors, method, path",
    {
        "whole name": (["a.B.C"], "a.B.C", "/0"),
        "longer name": (["a.B.C"], "a.B.Cc", None),
        "shorter name": (["a.B.C"], "a.B", None),
        "all of a service": (["a.B.*"], "a.B.C", "/0"),
        "all of a package": (["a.*"], "a.B.C", "/0"),
        "wildcard of whole components": (["a.B.*"], "a.Bb.C", None),
        "everything": (["*"], "a.B.C", "/0"),
        "one of several": (["x.Y.Z, a.B.C"], "a.B.C", "/0"),
        "the last of two, which is wider": (["a.B.C", "*"], "a.B.C", "/1"),
        "the last of two, which is narrower": (["*", "a.B.C"], "a.B.C", "/1"),
        "the last of two that are the same": (["a.B.C", "a.B.C"], "a.B.C", "/1"),
        "no rules": ([], "a.B.C", None),
    },
)
def test_a_selector_selects_as_documented(
    selectors: Sequence[str], method: str, path: str | None
) -> None:
    configured = _config(*selectors).rule_of(method)
    assert (configured.rule.get if configured else None) == path


@cases(
    "selector, complaint",
    {
        "no such method": ("a.B.Nope", "'a.B.Nope' selects"),
        "one of two": ("a.B.C, a.B.D", "'a.B.D' selects"),
        "beside one of another service": ("x.Y.Z, a.B.D", "'a.B.D' selects"),
    },
)
def test_a_selector_must_select_a_method_that_its_service_has(
    selector: str, complaint: str
) -> None:
    place = f"service configuration: http.rules[1] ({selector})"
    with misconfigured(f"{place}: {complaint} no method that is registered"):
        _config("*", selector).require_methods(["a.B.C"])
    _config("*", "a.*", "a.B.*", "a.B.C").require_methods(["a.B.C"])


def test_selectors_of_services_that_are_not_registered_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _config("x.*", "a.B.C", "a.Bb.C, C", "x.D", "x.E", "x.F").require_methods(["a.B.C"])
    assert [record.getMessage() for record in caplog.records] == [
        "service configuration: 6 selectors of services that are not registered: "
        "x.*, a.Bb.C, C, x.D, x.E, …"
    ]


@cases(
    "text, complaint",
    {
        "empty": (b"", "expected a mapping with http.rules in it, got nothing"),
        "list at the top": (b"[]", "expected a mapping with http.rules in it, got a list"),
        "word at the top": (b"http", "expected a mapping with http.rules in it, got 'http'"),
        "not YAML": (
            b"a: b: c",
            "expected YAML at line 1, column 5: mapping values are not allowed here",
        ),
        "JSON that ends early": (
            b'{"http": {"rules": [',
            "expected YAML at line 1, column 21: expected the node content, "
            "but found '<stream end>'",
        ),
        "not text": (b"\xff\xfe\x00", "expected YAML in UTF-8"),
        "nested beyond any reader": (b"[" * 100_000, "expected YAML in UTF-8"),
        "a tag that makes objects": (
            b"http: !!python/name:os.system {}",
            "expected YAML at line 1, column 7: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/name:os.system'",
        ),
        **{
            value: (
                b"http: %s" % value.encode(),
                f"expected YAML at line 1, column 7: {value.rpartition(' ')[2]!r} is no {kind}",
            )
            for value, kind in (
                ("!!int a", "int"),
                ("!!float a", "float"),
                ("!!bool a", "bool"),
                ("!!timestamp a", "timestamp"),
                ("2024-13-01", "timestamp"),
            )
        },
        "a name twice": (
            b"http: {}\nhttp: {}\n",
            "expected YAML at line 2, column 1: 'http' is given twice",
        ),
        "a name that is a list": (
            b"? [http]\n: {}",
            "expected YAML at line 1, column 3: found unhashable key",
        ),
        "another type": (
            b"type: google.api.Servcie\nhttp: {}",
            "expected 'google.api.Service' as its type, got 'google.api.Servcie'",
        ),
        "no http": (b"htpp: {}", "expected a mapping as http, got nothing"),
        "http is a list": (b"http: []", "expected a mapping as http, got a list"),
        "unknown member": (b"http: {rule: []}", "http has no member 'rule'"),
        "rules": (b"http: {rules: {}}", "expected a list as http.rules, got a mapping"),
        "flag that is no bool": (
            b"http: {fully_decode_reserved_expansion: maybe}",
            "expected true or false as http.fully_decode_reserved_expansion, got 'maybe'",
        ),
        "rule is text": (
            b"http: {rules: [a.B.C]}",
            "http.rules[0]: expected a mapping with a selector, got 'a.B.C'",
        ),
        "no selector": (
            b"http: {rules: [{selector: a.B.C, get: /a}, {get: /a}]}",
            "http.rules[1]: expected a text as its selector, got nothing",
        ),
    },
)
def test_a_bad_configuration_is_refused_with_its_place(text: bytes, complaint: str) -> None:
    with misconfigured(f"service configuration: {complaint}"):
        ServiceConfig(text)


@cases(
    "selector, part",
    {
        "wildcard within a component": ("a.B*", "a.B*"),
        "wildcard in the middle": ("a.*.C", "a.*.C"),
        "comma at the end": ("a.B.C,", ""),
    },
)
def test_a_bad_selector_is_refused(selector: str, part: str) -> None:
    wanted = "expected the name of a method, or one that ends in '.*'"
    with misconfigured(
        f"service configuration: http.rules[0] ({selector}): {wanted}, got {part!r}"
    ):
        _config(selector)


@cases(
    "rule, complaint",
    {
        "unknown member": ("gett: /a", "rule: 'gett' is no field of google.api.HttpRule"),
        "number as a path": ("get: 5", "get: expected string, got 5"),
        "two patterns": ("get: /a, post: /a", "rule: expected one of get, post, got 2"),
        "additional_bindings is a mapping": (
            "additional_bindings: {get: /a}",
            "additional_bindings: expected an array, got an object",
        ),
        "selector of an additional binding": (
            "additional_bindings: [{selector: a.B.D}]",
            "a selector within additional_bindings",
        ),
    },
)
def test_a_bad_rule_is_refused_with_its_place(rule: str, complaint: str) -> None:
    with misconfigured(f"service configuration: http.rules[0] (a.B.C): {complaint}"):
        ServiceConfig(f"http: {{rules: [{{selector: a.B.C, {rule}}}]}}".encode())


def test_aliases_that_hold_themselves_are_refused() -> None:
    text = b"http: {rules: [{selector: a, additional_bindings: [&b {additional_bindings: [*b]}]}]}"
    with pytest.raises(SchemaError, match=r"http\.rules\[0\] \(a\): .*: nested too deeply"):
        ServiceConfig(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with misconfigured(f"service configuration {tmp_path / 'no.yaml'}: No such file or directory"):
        ServiceConfig(tmp_path / "no.yaml")
