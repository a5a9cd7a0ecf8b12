"""HTTP rules from YAML and JSON, without a service."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from google.api import http_pb2

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


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"http":{"rules":[{"selector":"a.B.C","responseBody":"x"}]}}', id="JSON"),
        pytest.param(
            b'{\n\t"http": {"rules": [{"selector": "a.B.C", "responseBody": "x"}]}}', id="tabs"
        ),
        pytest.param(b"http:\n  rules:\n  - {selector: a.B.C, response_body: x}\n", id="YAML"),
    ],
)
def test_a_configuration_is_json_or_yaml(text: bytes) -> None:
    configured = ServiceConfig(text).rule_of("a.B.C")
    assert configured is not None
    assert configured.rule.response_body == "x"


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


@pytest.mark.parametrize(
    ("selectors", "method", "path"),
    [
        pytest.param(["a.B.C"], "a.B.C", "/0", id="whole name"),
        pytest.param(["a.B.C"], "a.B.Cc", None, id="longer name"),
        pytest.param(["a.B.C"], "a.B", None, id="shorter name"),
        pytest.param(["a.B.*"], "a.B.C", "/0", id="all of a service"),
        pytest.param(["a.*"], "a.B.C", "/0", id="all of a package"),
        pytest.param(["a.B.*"], "a.Bb.C", None, id="wildcard of whole components"),
        pytest.param(["*"], "a.B.C", "/0", id="everything"),
        pytest.param(["x.Y.Z, a.B.C"], "a.B.C", "/0", id="one of several"),
        pytest.param(["a.B.C", "*"], "a.B.C", "/1", id="the last of two, which is wider"),
        pytest.param(["*", "a.B.C"], "a.B.C", "/1", id="the last of two, which is narrower"),
        pytest.param(["a.B.C", "a.B.C"], "a.B.C", "/1", id="the last of two that are the same"),
        pytest.param([], "a.B.C", None, id="no rules"),
    ],
)
def test_a_selector_selects_as_documented(
    selectors: Sequence[str], method: str, path: str | None
) -> None:
    configured = _config(*selectors).rule_of(method)
    assert (configured.rule.get if configured else None) == path


@pytest.mark.parametrize(
    ("selector", "complaint"),
    [
        pytest.param("a.B.Nope", "'a.B.Nope' selects", id="no such method"),
        pytest.param("x.*", "'x.*' selects", id="no such package"),
        pytest.param("a.B.C, a.B.D", "'a.B.D' selects", id="one of two"),
    ],
)
def test_a_selector_must_select_something(selector: str, complaint: str) -> None:
    with pytest.raises(SchemaError) as caught:
        _config("*", selector).require_methods(["a.B.C"])
    assert str(caught.value) == (
        f"service configuration: http.rules[1] ({selector}): {complaint} no method "
        "that is registered"
    )
    _config("*", "a.*", "a.B.*", "a.B.C").require_methods(["a.B.C"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"", "expected a mapping with http.rules in it, got nothing", id="empty"),
        pytest.param(
            b"[]", "expected a mapping with http.rules in it, got a list", id="list at the top"
        ),
        pytest.param(
            b"http", "expected a mapping with http.rules in it, got 'http'", id="word at the top"
        ),
        pytest.param(
            b"a: b: c",
            "expected YAML at line 1, column 5: mapping values are not allowed here",
            id="not YAML",
        ),
        pytest.param(
            b'{"http": {"rules": [',
            "expected YAML at line 1, column 21: expected the node content, "
            "but found '<stream end>'",
            id="JSON that ends early",
        ),
        pytest.param(b"\xff\xfe\x00", "expected YAML in UTF-8", id="not text"),
        pytest.param(b"[" * 100_000, "expected YAML in UTF-8", id="nested beyond any reader"),
        pytest.param(
            b"http: !!python/name:os.system {}",
            "expected YAML at line 1, column 7: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/name:os.system'",
            id="a tag that makes objects",
        ),
        *(
            pytest.param(
                b"http: %s" % value.encode(),
                f"expected YAML at line 1, column 7: {value.rpartition(' ')[2]!r} is no {kind}",
                id=value,
            )
            for value, kind in (
                ("!!int a", "int"),
                ("!!float a", "float"),
                ("!!bool a", "bool"),
                ("!!timestamp a", "timestamp"),
                ("2024-13-01", "timestamp"),
            )
        ),
        pytest.param(
            b"http: {}\nhttp: {}\n",
            "expected YAML at line 2, column 1: 'http' is given twice",
            id="a name twice",
        ),
        pytest.param(
            b"? [http]\n: {}",
            "expected YAML at line 1, column 3: found unhashable key",
            id="a name that is a list",
        ),
        pytest.param(
            b"type: google.api.Servcie\nhttp: {}",
            "expected 'google.api.Service' as its type, got 'google.api.Servcie'",
            id="another type",
        ),
        pytest.param(b"htpp: {}", "expected a mapping as http, got nothing", id="no http"),
        pytest.param(b"http: []", "expected a mapping as http, got a list", id="http is a list"),
        pytest.param(b"http: {rule: []}", "http has no member 'rule'", id="unknown member"),
        pytest.param(
            b"http: {rules: {}}", "expected a list as http.rules, got a mapping", id="rules"
        ),
        pytest.param(
            b"http: {fully_decode_reserved_expansion: maybe}",
            "expected true or false as http.fully_decode_reserved_expansion, got 'maybe'",
            id="flag that is no bool",
        ),
        pytest.param(
            b"http: {rules: [a.B.C]}",
            "http.rules[0]: expected a mapping with a selector, got 'a.B.C'",
            id="rule is text",
        ),
        pytest.param(
            b"http: {rules: [{selector: a.B.C, get: /a}, {get: /a}]}",
            "http.rules[1]: expected a text as its selector, got nothing",
            id="no selector",
        ),
        pytest.param(
            b"http: {rules: [{selector: a.B*}]}",
            "http.rules[0] (a.B*): expected the name of a method, or one that ends in '.*', "
            "got 'a.B*'",
            id="wildcard within a component",
        ),
        pytest.param(
            b"http: {rules: [{selector: 'a.*.C'}]}",
            "http.rules[0] (a.*.C): expected the name of a method, or one that ends in '.*', "
            "got 'a.*.C'",
            id="wildcard in the middle",
        ),
        pytest.param(
            b"http: {rules: [{selector: 'a.B.C,'}]}",
            "http.rules[0] (a.B.C,): expected the name of a method, or one that ends in '.*', "
            "got ''",
            id="comma at the end",
        ),
        pytest.param(
            b"http: {rules: [{selector: a.B.C, gett: /a}]}",
            "http.rules[0] (a.B.C): rule: 'gett' is no field of google.api.HttpRule",
            id="unknown member of a rule",
        ),
        pytest.param(
            b"http: {rules: [{selector: a.B.C, get: 5}]}",
            "http.rules[0] (a.B.C): get: expected string, got 5",
            id="number as a path",
        ),
        pytest.param(
            b"http: {rules: [{selector: a.B.C, get: /a, post: /a}]}",
            "http.rules[0] (a.B.C): rule: expected one of get, post, got 2",
            id="two patterns",
        ),
        pytest.param(
            b"http: {rules: [{selector: a.B.C, additional_bindings: {get: /a}}]}",
            "http.rules[0] (a.B.C): additional_bindings: expected an array, got an object",
            id="additional_bindings is a mapping",
        ),
        pytest.param(
            b"http: {rules: [{selector: a.B.C, additional_bindings: [{selector: a.B.D}]}]}",
            "http.rules[0] (a.B.C): a selector within additional_bindings",
            id="selector of an additional binding",
        ),
    ],
)
def test_a_bad_configuration_is_refused_with_its_place(text: bytes, complaint: str) -> None:
    with pytest.raises(SchemaError) as caught:
        ServiceConfig(text)
    assert str(caught.value) == f"service configuration: {complaint}"


def test_aliases_that_hold_themselves_are_refused() -> None:
    text = b"http: {rules: [{selector: a, additional_bindings: [&b {additional_bindings: [*b]}]}]}"
    with pytest.raises(SchemaError, match=r"http\.rules\[0\] \(a\): .*: nested too deeply"):
        ServiceConfig(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError) as caught:
        ServiceConfig(tmp_path / "no.yaml")
    assert str(caught.value) == (
        f"service configuration {tmp_path / 'no.yaml'}: No such file or directory"
    )
