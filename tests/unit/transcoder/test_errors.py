"""What errors say to the caller, and what of it the log may have."""

import pytest

from transcoder.errors import foreign_origin, shown, without_values


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("Not Found", "Not Found", id="nothing quoted"),
        pytest.param(f"a: expected b, got {shown('s')}", "a: expected b, got '…'", id="a value"),
        pytest.param(f"{shown('a')}: got {shown('s')}", "'…': got '…'", id="two"),
        pytest.param("got " + shown("it's"), "got '…'", id="an apostrophe in it"),
        pytest.param(f"got {shown('a' * 99)}", "got '…'", id="a cut value"),
        pytest.param("got " + shown("'\" s"), "got '…'", id="both quotes in it"),
        pytest.param("got " + shown("s\\") + " x", "got '…' x", id="a backslash at its end"),
        pytest.param("a: got 's", "a: got '…'", id="no end"),
        pytest.param("a: got 's\\", "a: got '…'", id="no end, but a backslash"),
        pytest.param("'" + "\\a" * 500, "'…'", id="no end, and many backslashes"),
        pytest.param("\"'" + "\\'" * 500, "'…'", id="no end, and many quotes"),
        pytest.param(f"got {shown(['s', 1])}", "got '…'", id="a list"),
        pytest.param(
            f"the method's body: got {shown('s')}",
            "the method's body: got '…'",
            id="an apostrophe before it",
        ),
    ],
)
def test_the_log_has_no_value_of_a_request(message: str, expected: str) -> None:
    assert without_values(message) == expected


def test_a_cross_site_request_without_an_origin_is_refused_with_that_reason() -> None:
    assert foreign_origin(None).message == (
        "cross-site request without an Origin header: expected one of the allowed origins"
    )
