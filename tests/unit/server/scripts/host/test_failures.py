"""Finds the place of a failure in texts that no engine writes and in misleading scripts."""

import pytest

from server.scripts.contract import Failure
from server.scripts.host.failures import failure_of
from server.scripts.host.process import ActionEnd, EndKind, WorkerReport
from server.scripts.protocol import SHIM_COLUMN_MIN, SHIM_LINE
from tests.support.tables import cases


def located(text: str, source: str = "", *, stack: str = "") -> Failure | None:
    done = WorkerReport(text=text, stack=stack)
    return failure_of(ActionEnd(EndKind.DONE, evaluated=True, done=done), source, timeout_ns=10**9)


def raised(text: str) -> Failure | None:
    done = WorkerReport(raised=text)
    return failure_of(ActionEnd(EndKind.DONE, evaluated=False, done=done), "", timeout_ns=10**9)


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        pytest.param("throw 'x'", 1, 1, id="text"),
        pytest.param('\n  throw "x"', 2, 3, id="other quotes"),
        pytest.param("throw x", 1, 1, id="variable"),
        pytest.param("throw new Error('x')", 0, 0, id="only an Error"),
        pytest.param("throw a; throw b", 0, 0, id="either"),
        pytest.param("throw a; throw 'x'", 1, 10, id="the one that fits"),
        pytest.param("throw 'y'", 0, 0, id="none that fits"),
        pytest.param("// throw 'x'\n/* throw 'x' */ throw 'x'", 2, 17, id="comments"),
        pytest.param("'throw 1'; `throw 2`; throw 'x'", 1, 23, id="texts"),
        pytest.param("gen.throw('x'); o.$throw; throwing; throw 'x'", 1, 37, id="other names"),
        pytest.param("", 0, 0, id="nothing"),
    ],
)
def test_a_throw_is_found_if_there_is_one_that_fits(source: str, line: int, column: int) -> None:
    failure = located("x", source)
    assert failure is not None
    assert (failure.line, failure.column) == (line, column)


@pytest.mark.parametrize(
    "piece", ["/*", "`", "'", "'\\", '"', "throw", "throw '", "throw \\", "//", "\\`", "`\\"]
)
def test_a_script_is_searched_once(piece: str) -> None:
    assert located("x", piece * (1 << 14) + "a") is not None
    assert located("x", piece * (1 << 20)) == Failure("x")


@pytest.mark.parametrize(
    "stack",
    [
        " at " * 1024,
        "    at x\n" * 400,
        "    at " + "(" * 4000,
        "    at f (<input>:99999999999999999999:1)",
        "\n" * 4096,
        "    at " + "a (" * 1300 + "<input>:1:1)",
    ],
)
def test_an_invalid_stack_has_no_place(stack: str) -> None:
    failure = located("x", stack=stack)
    assert failure is not None
    assert failure.line in (0, 1)
    assert raised("x\n" + stack) is not None


@pytest.mark.parametrize(
    ("source", "column", "expected"),
    [
        pytest.param("abc x", 5, 5, id="ASCII"),
        pytest.param("'é日😀' x", 13, 7, id="other characters before"),
        pytest.param("x 'é'", 1, 1, id="other characters after"),
        pytest.param("'é'", 99, 4, id="beyond the line"),
        pytest.param("", 3, 3, id="no such line"),
    ],
)
def test_a_column_is_counted_in_characters(source: str, column: int, expected: int) -> None:
    line = 1 if source else 9
    failure = located("x", source, stack=f"    at f (<input>:{line}:{column})\n")
    assert failure is not None
    assert (failure.text, failure.column) == (f"x at f (<eval>:{line}:{expected})", expected)


@cases(
    "text, told",
    {
        "no Error": ("x\nundefined", "x"),
        "two lines": ("a\nb\n    at f (<input>:3:4)\n", "a\nb at f (<eval>:3:4)"),
        "only a frame": ("    at f (<input>:3:4)\n", "    at f (<input>:3:4)"),
        "ours first": (
            f"Error: x\n    at g (<input>:{SHIM_LINE}:{SHIM_COLUMN_MIN})\n    at f (<input>:1:2)\n",
            "Error: x at f (<eval>:1:2)",
        ),
        "the script's own": (
            f"Error: x\n    at g (<input>:{SHIM_LINE}:{SHIM_COLUMN_MIN - 1})\n",
            f"Error: x at g (<eval>:{SHIM_LINE}:{SHIM_COLUMN_MIN - 1})",
        ),
        "field of a class": (
            "Error: x\n    at <anonymous> (<input>:0:1)\n    at A (<input>:1:2)\n",
            "Error: x at A (<eval>:1:2)",
        ),
        "long": ("x" * 9000, "x" * 4096),
    },
)
def test_a_raised_error_is_split_into_text_and_place(text: str, told: str) -> None:
    failure = raised(text)
    assert failure is not None
    assert failure.text == told


@pytest.mark.parametrize("text", ["null", "[uninitialized]"])
def test_a_value_that_the_engine_throws_without_memory_is_reported_as_out_of_memory(
    text: str,
) -> None:
    assert located(text) == Failure("InternalError: out of memory")
    assert located(text, f"throw {text!r}") == Failure(f"{text} at <eval>:1:1", 1, 1)
