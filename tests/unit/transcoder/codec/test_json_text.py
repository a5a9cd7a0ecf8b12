"""JSON text: what is refused before any message is thought of."""

import pytest

from transcoder.codec.json_text import parse, parse_exactly
from transcoder.codec.scalars import ExactFloat, Fault


def problem_of(text: bytes) -> str:
    with pytest.raises(Fault) as caught:
        parse(text, has_floats=True)
    return caught.value.text("body")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(b"", "expected JSON, got the end of the text at line 1, column 1", id="empty"),
        pytest.param(
            b'{"a":', "expected JSON, got the end of the text at line 1, column 6", id="cut short"
        ),
        pytest.param(b"{} x", "expected JSON, got 'x' at line 1, column 4", id="text after"),
        pytest.param(b"{}{}", "expected JSON, got '{}' at line 1, column 3", id="second document"),
        pytest.param(b"[1,]", "expected JSON, got ',]' at line 1, column 3", id="trailing comma"),
        pytest.param(b"{'a':1}", "expected JSON, got \"'a':1}\" at line 1, column 2", id="quotes"),
        pytest.param(b'\n{"a":NaN}', "expected JSON, got 'NaN}' at line 2, column 6", id="NaN"),
        pytest.param(b"Infinity", "expected JSON, got 'Infinity' at line 1, column 1", id="inf"),
        pytest.param(b"01", "expected JSON, got '01' at line 1, column 1", id="leading zero"),
        pytest.param(b"+1", "expected JSON, got '+1' at line 1, column 1", id="plus"),
        pytest.param(
            b'{"a":\n-1e400}',
            "expected a number that a double holds, got '-1e400' at line 2, column 1, "
            "which is out of range",
            id="too great",
        ),
        pytest.param(b"1.e400", "expected JSON, got 'e400' at line 1, column 3", id="no fraction"),
        pytest.param(
            b"9" * 5000,
            f"expected a number that a double holds, got '{'9' * 40}…' at line 1, column 1, "
            "which is out of range",
            id="5,000 digits",
        ),
        pytest.param(b'"\xff"', "expected UTF-8, got 0xff at byte 1", id="invalid UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', "expected UTF-8, got 0xed at byte 1", id="raw surrogate"),
        pytest.param(
            b'\xef\xbb\xbf{"a":1}',
            "expected JSON, got '\\ufeff{\"a\":1}' at line 1, column 1",
            id="BOM",
        ),
        pytest.param("{}".encode("utf-16"), "expected UTF-8, got 0xff at byte 0", id="UTF-16"),
    ],
)
def test_what_is_not_one_json_document_is_refused_at_its_place(text: bytes, problem: str) -> None:
    assert problem_of(text) == f"body: {problem}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'"\\ud800"', id="lone surrogate"),
        pytest.param(b'"\\udc00\\ud800"', id="surrogates the wrong way round"),
        pytest.param(b'"a\x00b"', id="raw NUL"),
        pytest.param(b'"a\nb"', id="raw line feed"),
        pytest.param(b'"\\x41"', id="escape that JSON has not"),
        pytest.param(b"[" * 100_000, id="100,000 arrays"),
        pytest.param(b"[" * 1025 + b"]" * 1025, id="1,025 arrays, closed"),
    ],
)
def test_other_syntax_errors_are_refused_as_well(text: bytes) -> None:
    assert problem_of(text).startswith("body: expected JSON, got ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(b'{"a":1,"a":1}', "a: given twice", id="equal values"),
        pytest.param(b'{"a":null,"b":2,"a":1}', "a: given twice", id="not next to each other"),
        pytest.param(b'{"a":{"b":1,"b":2}}', "a.b: given twice", id="nested"),
        pytest.param(b'[{"a":1},{"a":1,"a":2}]', "a: given twice", id="in the second of two"),
        pytest.param(b'{"x":{"a":[{"y":1,"y":2}]}}', "x.a.y: given twice", id="below a list"),
        pytest.param(b'{"a":1,"\\u0061":1}', "a: given twice", id="one of them escaped"),
        pytest.param(b'{"a:":1,"a\\u003a":1}', "a:: given twice", id="an escaped colon"),
        pytest.param(b'{"b":"\\u003A","a":1,"a":1}', "a: given twice", id="a colon to hide behind"),
        pytest.param(b'{"a":":::","a":":"}', "a: given twice", id="colons in values"),
        pytest.param(b'{"a":"\\":{","a":"}"}', "a: given twice", id="brackets in values"),
        pytest.param(b'{"\\\\":1,"\\\\":1}', "\\: given twice", id="backslashes"),
        pytest.param(b'{"":1,"":1}', "body: given twice", id="empty names"),
        pytest.param(
            b'{"' + b"k" * 50 + b'":1,"' + b"k" * 50 + b'":1}',
            "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…: given twice",
            id="long name",
        ),
        pytest.param(
            b'{"x":' + b"[" * 300 + b"]" * 300 + b',"a":1,"a":1}',
            "a: given twice",
            id="beside what is deeper than orjson writes",
        ),
    ],
)
def test_a_name_twice_in_one_object_is_refused(text: bytes, problem: str) -> None:
    assert problem_of(text) == problem


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a":{"a":{"a":1}}}', id="one name on each level"),
        pytest.param(b'[{"a":1},{"a":1}]', id="one name in each object"),
        pytest.param(b'{ "a" : ":" , "b" : ":::" }', id="colons in values"),
        pytest.param(b'{"a":"\\u003a","b":"\\\\u003a"}', id="escaped colons"),
        pytest.param(b'{"a":"\\"a\\":1","b":"}"}', id="JSON in strings"),
        pytest.param(b'{"A":1,"a":1}', id="case"),
        pytest.param(b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", id="deeper than orjson writes"),
        pytest.param(b'{"a":1.0,"b":1e2,"c":"\\/"}', id="text that is written otherwise"),
    ],
)
def test_names_of_different_objects_are_no_duplicates(text: bytes) -> None:
    assert isinstance(parse(text, has_floats=True), dict | list)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        pytest.param(b"-0", -1, id="alone"),
        pytest.param(b"[ -0 ]", -1, id="in a list"),
        pytest.param(b'{"a":-0}', -1, id="in an object"),
        pytest.param(b"0", 1, id="zero"),
    ],
)
def test_minus_zero_keeps_its_sign_where_floats_are_read(text: bytes, sign: int) -> None:
    tree = parse(text, has_floats=True)
    [value] = (
        tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else [tree]
    )
    assert str(value).startswith("-") == (sign < 0)


def test_minus_zero_is_an_integer_where_no_floats_are_read() -> None:
    assert (
        str(parse(b'{"a":-0,"b":"2024-01-01"}', has_floats=False)) == "{'a': 0, 'b': '2024-01-01'}"
    )


def test_an_exact_document_keeps_the_text_of_its_floats() -> None:
    tree = parse_exactly(b'{"a":9007199254740993.0,"b":[12345678901234567890123],"c":1}')
    assert isinstance(tree, dict)
    assert isinstance(tree["a"], ExactFloat)
    assert tree["a"].text == "9007199254740993.0"
    assert tree["b"] == [12345678901234567890123]
    assert tree["c"] == 1


def test_an_exact_document_deeper_than_the_stack_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How deep that is depends on the version of Python; from 3.12 on, deeper than orjson reads."""

    def exhausted(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr("transcoder.codec.json_text.json.loads", exhausted)
    with pytest.raises(Fault, match="nested too deeply"):
        parse_exactly(b"[9007199254740993.0]")
