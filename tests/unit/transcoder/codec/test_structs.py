"""Struct, Value and ListValue as JSON, and JSON of any shape as them."""

import pytest
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from transcoder.codec import structs
from transcoder.codec.scalars import Fault


@pytest.mark.parametrize(
    ("value", "json"),
    [
        pytest.param(Value(), None, id="without a kind"),
        pytest.param(Value(null_value=0), None, id="null"),  # type: ignore[arg-type]  # an int is one
        pytest.param(Value(bool_value=False), False, id="bool"),
        pytest.param(Value(string_value=""), "", id="string"),
        pytest.param(Value(number_value=1), 1, id="integral number, as JavaScript writes it"),
        pytest.param(Value(number_value=1e300), 1e300, id="great number"),
        pytest.param(Value(number_value=0.5), 0.5, id="fraction"),
        pytest.param(Value(list_value=ListValue()), [], id="list"),
        pytest.param(Value(struct_value=Struct()), {}, id="struct"),
    ],
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


@pytest.mark.parametrize(
    ("json", "struct"),
    [
        pytest.param({}, Struct(), id="nothing"),
        pytest.param(
            {"a": None, "b": True, "c": False, "d": ""},
            Struct(
                fields={
                    "a": Value(null_value=0),  # type: ignore[arg-type]  # an int is one
                    "b": Value(bool_value=True),
                    "c": Value(bool_value=False),
                    "d": Value(string_value=""),
                }
            ),
            id="null, bools, an empty string",
        ),
        pytest.param(
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
            id="text of 128 bytes, empty name, nesting, numbers",
        ),
        pytest.param(
            {"k" * 200: "x" * 100_000},
            Struct(fields={"k" * 200: Value(string_value="x" * 100_000)}),
            id="lengths of two and three bytes",
        ),
    ],
)
def test_json_is_read_as_the_struct_that_stands_for_it(
    json: dict[str, object], struct: Struct
) -> None:
    assert structs.struct_reader(Struct)(json, 100) == struct
