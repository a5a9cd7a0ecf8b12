"""JSON in Struct and Value, and out of them."""

import math

import pytest
from google.protobuf.struct_pb2 import Struct, Value

from server.scripts.contract import JsonValue
from server.services.values import (
    LEVELS_MAX,
    NotRepresentable,
    fill_struct,
    fill_value,
    json_of,
    object_of,
)


@pytest.mark.parametrize(
    "json",
    [
        pytest.param(None, id="null"),
        pytest.param(True, id="true"),
        pytest.param("", id="empty text"),
        pytest.param("ä\0", id="text"),
        pytest.param(0, id="zero"),
        pytest.param(-7, id="integer"),
        pytest.param(0.5, id="fraction"),
        pytest.param(1e300, id="large number"),
        pytest.param([], id="empty array"),
        pytest.param({}, id="empty object"),
        pytest.param([1, [None, {"a": [False]}]], id="array"),
        pytest.param({"": "", "a": {"b": [1, {}]}}, id="object"),
    ],
)
def test_json_comes_out_as_it_went_in(json: JsonValue) -> None:
    value = Value()
    fill_value(value, json)
    read = json_of(Value.FromString(value.SerializeToString()))
    assert (read, type(read)) == (json, type(json))
    struct = Struct()
    fill_struct(struct, {"v": json})
    assert object_of(struct) == {"v": json}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param(2.0**53 - 1, int, id="the last that is exact"),
        pytest.param(2.0**53, float, id="the first that is not"),
        pytest.param(math.inf, float, id="infinity"),
        pytest.param(math.nan, float, id="no number"),
    ],
)
def test_whole_numbers_are_integers_where_doubles_are_exact(number: float, expected: type) -> None:
    assert type(json_of(Value(number_value=number))) is expected


def test_a_value_without_a_kind_is_null() -> None:
    assert json_of(Value()) is None


def nested(levels: int, *, is_list: bool) -> JsonValue:
    json: JsonValue = 1
    for _ in range(levels):
        json = [json] if is_list else {"a": json}
    return json


@pytest.mark.parametrize("is_list", [True, False])
def test_a_value_too_deep_for_parsers_is_refused(is_list: bool) -> None:
    value = Value()
    fill_value(value, nested(LEVELS_MAX, is_list=is_list))
    assert Value.FromString(value.SerializeToString()) == value
    with pytest.raises(NotRepresentable):
        fill_value(Value(), nested(LEVELS_MAX + 1, is_list=is_list))


def test_a_number_beyond_all_doubles_is_not_made() -> None:
    with pytest.raises(NotRepresentable):
        fill_value(Value(), [10**400])
