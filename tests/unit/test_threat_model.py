"""THREAT_MODEL.md names every limit, and only tests that exist."""

from dataclasses import fields
from pathlib import Path

import pytest

from tests.support.holders import missing
from transcoder.options import Limits

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "THREAT_MODEL.md").read_text(encoding="utf-8")
ROWS = [
    line.strip("| \n").split(" | ")
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| limit |", "| threat |"))
]


@pytest.mark.parametrize("limit", [field.name for field in fields(Limits)])
def test_the_threat_model_names_the_limit(limit: str) -> None:
    assert f"| `{limit}` |" in TEXT


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0]) for row in ROWS])
def test_tests_of_each_answer_exist(row: list[str]) -> None:
    assert missing(row[-1]) == []
