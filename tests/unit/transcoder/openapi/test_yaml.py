"""Documents as YAML, read by a reader of YAML 1.1."""

from typing import Any

import pytest
import yaml

from tests.support.openapi_documents import SERVICES, document_of
from tests.support.tables import cases
from transcoder.openapi.yaml import written_as_yaml

TEXTS = [
    *("", " ", "a", "a b", "true", "No", "null", "~", "1", "1e3", "0x1", "-", "- a", "a: b", "#"),
    *("a #b", "é中😀", "a\nb", "a\\b", 'say "a"', "\x00", "\x7f", "\x85", "\u2028", "\ufeff", "y"),
    *(
        "2026-01-01",
        "12:30:00",
        "<<",
        "=",
        "a/b.c-d+e",
        "_",
        "*",
        "&a",
        "!b",
        "%",
        "@",
        "`",
        "Infinity",
    ),
]


def read(text: bytes) -> Any:
    return yaml.safe_load(text)


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_a_text_is_read_as_that_text(text: str) -> None:
    assert read(written_as_yaml({text: [text, {text: text}]})) == {text: [text, {text: text}]}


@cases(
    "value",
    {
        "whole number": 1,
        "large number": 2**63,
        "fraction": 0.5,
        "large fraction": 1.5e300,
        "large, without a point": 1e300,
        "small": 1e-300,
        "true": True,
        "null": None,
        "empty object": {},
        "empty list": [],
        "lists in lists": [[1, []], [[2]]],
    },
)
def test_a_value_is_read_as_that_value(value: object) -> None:
    got = read(written_as_yaml({"a": value}))["a"]
    assert (got, type(got)) == (value, type(value))


def test_collections_are_blocks() -> None:
    content = {"openapi": "3.1.0", "tags": [{"name": "a"}], "paths": {"/a": {"get": {}}}}
    assert written_as_yaml(content).decode() == (
        'openapi: "3.1.0"\ntags:\n  -\n    name: a\npaths:\n  "/a":\n    get: {}\n'
    )


def test_a_document_is_read_as_it_is_written() -> None:
    content = document_of(*(each for each in SERVICES if not each.startswith("everything")))
    assert yaml.load(written_as_yaml(content), yaml.CSafeLoader) == content
