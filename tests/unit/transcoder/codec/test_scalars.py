"""Scalars at the edges that a message cannot show."""

import pytest

from transcoder.codec.scalars import ExactFloat, Fault, expected, quoted, shortest_float


@pytest.mark.parametrize(
    ("number", "written"),
    [
        pytest.param(0.5, "0.5", id="exact in both"),
        pytest.param(0.10000000149011612, "0.1", id="1 digit"),
        pytest.param(1.0000001192092896, "1.0000001", id="8 digits"),
        pytest.param(-103.21731567382812, "-103.217316", id="9 digits"),
        pytest.param(3.4028234663852886e38, "3.4028235e+38", id="greatest"),
        pytest.param(1.1754943508222875e-38, "1.1754944e-38", id="smallest normal"),
        pytest.param(1.401298464324817e-45, "1.4013e-45", id="smallest of all"),
        pytest.param(-0.0, "-0.0", id="minus zero"),
        pytest.param(float("nan"), "NaN", id="NaN"),
    ],
)
def test_a_float_is_written_with_the_digits_that_tell_it_from_its_neighbours(
    number: float, written: str
) -> None:
    assert str(shortest_float(number)) == written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "null", id="null"),
        pytest.param(True, "true", id="true"),
        pytest.param(False, "false", id="false"),
        pytest.param({"a": 1}, "an object", id="object"),
        pytest.param([1], "an array", id="array"),
        pytest.param("it's", '"it\'s"', id="text"),
        pytest.param(1.5, "1.5", id="float"),
        pytest.param(ExactFloat("1.50"), "1.50", id="float as it was sent"),
        pytest.param(10**50, "1" + "0" * 39 + "…", id="long number"),
    ],
)
def test_a_message_shows_json_as_json(value: object, text: str) -> None:
    assert quoted(value) == text


def test_a_path_reads_from_the_outermost_step() -> None:
    fault = expected("int32", "x")
    fault.path += ["c", "[2]", "b", "a"]
    assert fault.text("body") == "a.b[2].c: expected int32, got 'x'"


def test_a_fault_of_the_whole_has_its_name() -> None:
    assert Fault("nested too deeply").text("body") == "body: nested too deeply"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(["seconds", "['k']", "times"], "times['k'].seconds", id="whole"),
        pytest.param(["[3]", "['" + "k" * 300 + "']"], "…[3]", id="cut before a long key"),
        pytest.param(["a" * 99, "b" * 99, "c"], f"….{'b' * 99}.{'a' * 99}", id="cut between names"),
        pytest.param(["['" + "k" * 300 + "']", "m"], "…['" + "k" * 300 + "']", id="a long last"),
    ],
)
def test_a_path_is_cut_between_its_steps(path: list[str], expected: str) -> None:
    fault = Fault("nested too deeply")
    fault.path += path
    assert fault.text("body") == f"{expected}: nested too deeply"
