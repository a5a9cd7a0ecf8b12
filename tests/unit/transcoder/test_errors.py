"""Texts of errors, for the caller and for the log."""

from tests.support.tables import cases
from transcoder.errors import foreign_origin, shown, without_values


@cases(
    "message, expected",
    {
        "nothing quoted": ("Not Found", "Not Found"),
        "a value": (f"a: expected b, got {shown('s')}", "a: expected b, got '…'"),
        "two": (f"{shown('a')}: got {shown('s')}", "'…': got '…'"),
        "an apostrophe in it": ("got " + shown("it's"), "got '…'"),
        "a cut value": (f"got {shown('a' * 99)}", "got '…'"),
        "both quotes in it": ("got " + shown("'\" s"), "got '…'"),
        "a backslash at its end": ("got " + shown("s\\") + " x", "got '…' x"),
        "no end": ("a: got 's", "a: got '…'"),
        "no end, but a backslash": ("a: got 's\\", "a: got '…'"),
        "no end, and many backslashes": ("'" + "\\a" * 500, "'…'"),
        "no end, and many quotes": ("\"'" + "\\'" * 500, "'…'"),
        "a list": (f"got {shown(['s', 1])}", "got '…'"),
        "an apostrophe before it": (
            f"the method's body: got {shown('s')}",
            "the method's body: got '…'",
        ),
    },
)
def test_the_log_has_no_value_of_a_request(message: str, expected: str) -> None:
    assert without_values(message) == expected


def test_a_cross_site_request_without_an_origin_is_refused_with_that_reason() -> None:
    assert foreign_origin(None).message == (
        "cross-site request without an Origin header: expected one of the allowed origins"
    )
