"""docs/transcoding.md has a line for each case of transcoding, and each line has a test."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/transcoding.md").read_text(encoding="utf-8")
STATES = ("as there", "differs", "not yet", "not offered")


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.replace("`", "").strip("| ").split(" | ") for line in lines[1:]]


HEAD, *PARTS = TEXT.split("\n## ")
TABLES = {part.partition("\n")[0]: part for part in PARTS}


def test_no_table_is_missing() -> None:
    assert {name: len(rows(table)) for name, table in TABLES.items()} == {
        "Rules": 20,
        "Paths": 20,
        "Queries": 29,
        "Bodies": 21,
        "Headers": 11,
        "Errors": 22,
        "Streams": 10,
    }


def test_the_count_is_of_the_tables() -> None:
    counted = []
    for name, table in TABLES.items():
        states = Counter(state for *_, state in rows(table))
        counted.append([name, str(states.total()), *(str(states[state]) for state in STATES)])
        assert set(states) <= set(STATES)
    assert rows(HEAD) == counted


@pytest.mark.parametrize("name", TABLES)
def test_each_line_has_a_test_of_its_name(name: str) -> None:
    held_by = re.search(r"`(tests/[\w/]+\.py)`", TABLES[name])
    assert held_by
    tree = ast.parse((ROOT / held_by[1]).read_text(encoding="utf-8"))
    names = [
        key.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "ROWS"
        and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    ]
    assert names == [row[0] for row in rows(TABLES[name]) if not row[-1].startswith("not ")]


@pytest.mark.parametrize(
    "case", [row[0] for table in TABLES.values() for row in rows(table) if row[-1][:4] == "not "]
)
def test_missing_cases_are_among_the_differences(case: str) -> None:
    assert f"| {case} |" in (ROOT / "docs/differences.md").read_text(encoding="utf-8")
