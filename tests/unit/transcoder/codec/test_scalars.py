"""Scalars at the edges that a message cannot show."""

from tests.support.tables import cases
from transcoder.codec.scalars import ExactFloat, Fault, expected, quoted, shortest_float


@cases(
    "number, written",
    {
        "exact in both": (0.5, "0.5"),
        "1 digit": (0.10000000149011612, "0.1"),
        "8 digits": (1.0000001192092896, "1.0000001"),
        "9 digits": (-103.21731567382812, "-103.217316"),
        "greatest": (3.4028234663852886e38, "3.4028235e+38"),
        "smallest normal": (1.1754943508222875e-38, "1.1754944e-38"),
        "smallest of all": (1.401298464324817e-45, "1.4013e-45"),
        "minus zero": (-0.0, "-0.0"),
        "NaN": (float("nan"), "NaN"),
    },
)
def test_a_float_is_written_with_the_digits_that_tell_it_from_its_neighbours(
    number: float, written: str
) -> None:
    assert str(shortest_float(number)) == written


@cases(
    "value, text",
    {
        "null": (None, "null"),
        "true": (True, "true"),
        "false": (False, "false"),
        "object": ({"a": 1}, "an object"),
        "array": ([1], "an array"),
        "text": ("it's", '"it\'s"'),
        "float": (1.5, "1.5"),
        "float as it was sent": (ExactFloat("1.50"), "1.50"),
        "long number": (10**50, "1" + "0" * 39 + "…"),
    },
)
def test_a_message_shows_json_as_json(value: object, text: str) -> None:
    assert quoted(value) == text


def test_a_path_reads_from_the_outermost_step() -> None:
    fault = expected("int32", "x")
    fault.path += ["c", "[2]", "b", "a"]
    assert fault.text("body") == "a.b[2].c: expected int32, got 'x'"


def test_a_fault_of_the_whole_has_its_name() -> None:
    assert Fault("nested too deeply").text("body") == "body: nested too deeply"


@cases(
    "path, expected",
    {
        "whole": (["seconds", "['k']", "times"], "times['k'].seconds"),
        "cut before a long key": (["[3]", "['" + "k" * 300 + "']"], "…[3]"),
        "cut between names": (["a" * 99, "b" * 99, "c"], f"….{'b' * 99}.{'a' * 99}"),
        "a long last": (["['" + "k" * 300 + "']", "m"], "…['" + "k" * 300 + "']"),
    },
)
def test_a_path_is_cut_between_its_steps(path: list[str], expected: str) -> None:
    fault = Fault("nested too deeply")
    fault.path += path
    assert fault.text("body") == f"{expected}: nested too deeply"
