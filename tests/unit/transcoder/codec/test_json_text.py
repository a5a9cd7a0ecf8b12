"""JSON text: what is refused before any message is thought of."""

import pytest

from tests.support.tables import cases
from transcoder.codec.json_text import parse_json, parse_json_exactly
from transcoder.codec.scalars import ExactFloat, Fault


def problem_of(text: bytes) -> str:
    with pytest.raises(Fault) as caught:
        parse_json(text, has_floats=True)
    return caught.value.text("body")


@cases(
    "text, problem",
    {
        "empty": (b"", "expected JSON, got the end of the text at line 1, column 1"),
        "cut short": (b'{"a":', "expected JSON, got the end of the text at line 1, column 6"),
        "text after": (b"{} x", "expected JSON, got 'x' at line 1, column 4"),
        "second document": (b"{}{}", "expected JSON, got '{}' at line 1, column 3"),
        "trailing comma": (b"[1,]", "expected JSON, got ',]' at line 1, column 3"),
        "quotes": (b"{'a':1}", "expected JSON, got \"'a':1}\" at line 1, column 2"),
        "NaN": (b'\n{"a":NaN}', "expected JSON, got 'NaN}' at line 2, column 6"),
        "inf": (b"Infinity", "expected JSON, got 'Infinity' at line 1, column 1"),
        "leading zero": (b"01", "expected JSON, got '01' at line 1, column 1"),
        "plus": (b"+1", "expected JSON, got '+1' at line 1, column 1"),
        "too great": (
            b'{"a":\n-1e400}',
            "expected a number that a double holds, got '-1e400' at line 2, column 1, "
            "which is out of range",
        ),
        "no fraction": (b"1.e400", "expected JSON, got 'e400' at line 1, column 3"),
        "5,000 digits": (
            b"9" * 5000,
            f"expected a number that a double holds, got '{'9' * 40}…' at line 1, column 1, "
            "which is out of range",
        ),
        "invalid UTF-8": (b'"\xff"', "expected UTF-8, got 0xff at byte 1"),
        "raw surrogate": (b'"\xed\xa0\x80"', "expected UTF-8, got 0xed at byte 1"),
        "BOM": (
            b'\xef\xbb\xbf{"a":1}',
            "expected JSON, got '\\ufeff{\"a\":1}' at line 1, column 1",
        ),
        "UTF-16": ("{}".encode("utf-16"), "expected UTF-8, got 0xff at byte 0"),
    },
)
def test_invalid_json_is_refused_with_its_place(text: bytes, problem: str) -> None:
    assert problem_of(text) == f"body: {problem}"


@cases(
    "text",
    {
        "lone surrogate": b'"\\ud800"',
        "surrogates the wrong way round": b'"\\udc00\\ud800"',
        "raw NUL": b'"a\x00b"',
        "raw line feed": b'"a\nb"',
        "escape that JSON has not": b'"\\x41"',
        "100,000 arrays": b"[" * 100_000,
        "1,025 arrays, closed": b"[" * 1025 + b"]" * 1025,
    },
)
def test_other_syntax_errors_are_refused_as_well(text: bytes) -> None:
    assert problem_of(text).startswith("body: expected JSON, got ")


@cases(
    "text, problem",
    {
        "equal values": (b'{"a":1,"a":1}', "a: given twice"),
        "not next to each other": (b'{"a":null,"b":2,"a":1}', "a: given twice"),
        "nested": (b'{"a":{"b":1,"b":2}}', "a.b: given twice"),
        "in the second of two": (b'[{"a":1},{"a":1,"a":2}]', "a: given twice"),
        "below a list": (b'{"x":{"a":[{"y":1,"y":2}]}}', "x.a.y: given twice"),
        "one of them escaped": (b'{"a":1,"\\u0061":1}', "a: given twice"),
        "an escaped colon": (b'{"a:":1,"a\\u003a":1}', "a:: given twice"),
        "a colon to hide behind": (b'{"b":"\\u003A","a":1,"a":1}', "a: given twice"),
        "colons in values": (b'{"a":":::","a":":"}', "a: given twice"),
        "brackets in values": (b'{"a":"\\":{","a":"}"}', "a: given twice"),
        "backslashes": (b'{"\\\\":1,"\\\\":1}', "\\: given twice"),
        "empty names": (b'{"":1,"":1}', "body: given twice"),
        "long name": (
            b'{"' + b"k" * 50 + b'":1,"' + b"k" * 50 + b'":1}',
            "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…: given twice",
        ),
        "beside what is deeper than orjson writes": (
            b'{"x":' + b"[" * 300 + b"]" * 300 + b',"a":1,"a":1}',
            "a: given twice",
        ),
    },
)
def test_a_name_twice_in_one_object_is_refused(text: bytes, problem: str) -> None:
    assert problem_of(text) == problem


@cases(
    "text",
    {
        "one name on each level": b'{"a":{"a":{"a":1}}}',
        "one name in each object": b'[{"a":1},{"a":1}]',
        "colons in values": b'{ "a" : ":" , "b" : ":::" }',
        "escaped colons": b'{"a":"\\u003a","b":"\\\\u003a"}',
        "JSON in strings": b'{"a":"\\"a\\":1","b":"}"}',
        "case": b'{"A":1,"a":1}',
        "deeper than orjson writes": b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        "text that is written otherwise": b'{"a":1.0,"b":1e2,"c":"\\/"}',
    },
)
def test_names_of_different_objects_are_no_duplicates(text: bytes) -> None:
    assert isinstance(parse_json(text, has_floats=True), dict | list)


@cases(
    "text, sign",
    {
        "alone": (b"-0", -1),
        "in a list": (b"[ -0 ]", -1),
        "in an object": (b'{"a":-0}', -1),
        "zero": (b"0", 1),
    },
)
def test_minus_zero_keeps_its_sign_where_floats_are_read(text: bytes, sign: int) -> None:
    tree = parse_json(text, has_floats=True)
    [value] = (
        tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else [tree]
    )
    assert str(value).startswith("-") == (sign < 0)


def test_minus_zero_is_an_integer_where_no_floats_are_read() -> None:
    tree = parse_json(b'{"a":-0,"b":"2024-01-01"}', has_floats=False)
    assert str(tree) == "{'a': 0, 'b': '2024-01-01'}"


def test_an_exact_document_keeps_the_text_of_its_floats() -> None:
    tree = parse_json_exactly(b'{"a":9007199254740993.0,"b":[12345678901234567890123],"c":1}')
    assert isinstance(tree, dict)
    assert isinstance(tree["a"], ExactFloat)
    assert tree["a"].text == "9007199254740993.0"
    assert tree["b"] == [12345678901234567890123]
    assert tree["c"] == 1


def test_an_exact_document_deeper_than_the_stack_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The depth depends on the version of Python; from 3.12 on it is deeper than orjson reads."""

    def exhausted(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr("transcoder.codec.json_text.json.loads", exhausted)
    with pytest.raises(Fault, match="nested too deeply"):
        parse_json_exactly(b"[9007199254740993.0]")
