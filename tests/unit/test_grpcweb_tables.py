"""docs/grpc-web.md has a line for each defect of sonora's, and for each bad input, with a test."""

import re
from pathlib import Path

import pytest

from tests.support.holders import missing

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/grpc-web.md").read_text(encoding="utf-8")
ROWS = [
    line.strip("| \n").split(" | ") for line in TEXT.splitlines() if re.match(r"\| [0-9]+ \|", line)
]
DEFECTS = [row for row in ROWS if len(row) == 4]
INPUTS = [row for row in ROWS if len(row) == 5]


def test_no_line_is_missing() -> None:
    assert [int(row[0]) for row in DEFECTS] == list(range(1, 18))
    assert [int(row[0]) for row in INPUTS] == list(range(1, 22))


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row[:2])) for row in ROWS])
def test_the_test_of_a_line_is_there(row: list[str]) -> None:
    assert missing(row[-1]) == []
