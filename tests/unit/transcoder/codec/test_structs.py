"""Struct, Value and ListValue as JSON, and JSON of any shape as them."""

import pytest
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from tests.support.tables import cases
from transcoder.codec import structs
from transcoder.codec.scalars import Fault


@cases(
    "value, json",
    {
        "without a kind": (Value(), None),
        "null": (Value(null_value=0), None),  # type: ignore[arg-type]  # an int is one
        "bool": (Value(bool_value=False), False),
        "string": (Value(string_value=""), ""),
        "integral number, as JavaScript writes it": (Value(number_value=1), 1),
        "great number": (Value(number_value=1e300), 1e300),
        "fraction": (Value(number_value=0.5), 0.5),
        "list": (Value(list_value=ListValue()), []),
        "struct": (Value(struct_value=Struct()), {}),
    },
)
def test_a_value_is_written_as_the_json_that_it_stands_for(value: Value, json: object) -> None:
    written = structs.value_json(value)
    assert written == json
    assert type(written) is type(json)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_json_has_no_number_for_is_a_fault(number: float) -> None:
    with pytest.raises(Fault, match="a Value that holds"):
        structs.value_json(Value(number_value=number))


def test_struct_json_keeps_its_nesting() -> None:
    struct = Struct()
    struct.update({"a": [None, True, {"b": "c"}], "d": {}})
    assert structs.struct_json(struct) == {"a": [None, True, {"b": "c"}], "d": {}}


def test_minus_zero_in_a_value_keeps_its_sign() -> None:
    assert str(structs.value_json(Value(number_value=-0.0))) == "-0.0"


@cases(
    "json, struct",
    {
        "nothing": ({}, Struct()),
        "null, bools, an empty string": (
            {"a": None, "b": True, "c": False, "d": ""},
            Struct(
                fields={
                    "a": Value(null_value=0),  # type: ignore[arg-type]  # an int is one
                    "b": Value(bool_value=True),
                    "c": Value(bool_value=False),
                    "d": Value(string_value=""),
                }
            ),
        ),
        "text of 128 bytes, empty name, nesting, numbers": (
            {"é": "ü" * 64, "": [[], {}, -0.5, 2**63]},
            Struct(
                fields={
                    "é": Value(string_value="ü" * 64),
                    "": Value(
                        list_value=ListValue(
                            values=[
                                Value(list_value=ListValue()),
                                Value(struct_value=Struct()),
                                Value(number_value=-0.5),
                                Value(number_value=2**63),
                            ]
                        )
                    ),
                }
            ),
        ),
        "lengths of two and three bytes": (
            {"k" * 200: "x" * 100_000},
            Struct(fields={"k" * 200: Value(string_value="x" * 100_000)}),
        ),
    },
)
def test_json_is_read_as_the_struct_that_stands_for_it(
    json: dict[str, object], struct: Struct
) -> None:
    read = Struct()
    structs.read_struct(read, json, 100)
    assert read == struct
