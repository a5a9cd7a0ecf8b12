"""docs/robustness.md names every scenario, its file, and for each bug found the test that stays."""

import re
from pathlib import Path

import pytest

from tests.robustness.run import SCENARIOS
from tests.support.holders import missing

ROOT = Path(__file__).parents[2]
SCENARIO_TEXT, FOUND_TEXT = (
    (ROOT / "docs/robustness.md").read_text(encoding="utf-8").split("\n## What it has found\n")
)
SCENARIO_ROWS = [
    line for line in SCENARIO_TEXT.splitlines() if re.match(r"\| [RSDP][0-9]+[\w, -]* \|", line)
]
FOUND_ROWS = [line for line in FOUND_TEXT.splitlines() if line.startswith("| ")][1:]


def test_every_scenario_has_its_line() -> None:
    numbers = [number for row in SCENARIO_ROWS for number in row.split("|")[1].strip().split(", ")]
    assert sorted(numbers) == sorted(scenario.number for scenario in SCENARIOS)


@pytest.mark.parametrize("row", SCENARIO_ROWS, ids=lambda row: row[2:5].strip())
def test_the_files_of_a_scenario_are_there(row: str) -> None:
    files = re.findall(r"`(\w+\.py)`", row.split(" | ")[-1])
    assert files
    assert [name for name in files if not (ROOT / "tests/robustness" / name).is_file()] == []


@pytest.mark.parametrize("row", FOUND_ROWS, ids=lambda row: row[2:30])
def test_each_bug_found_has_a_test(row: str) -> None:
    assert missing(row) == []
